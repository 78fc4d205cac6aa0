"""The screen: calibrated on real rows, two-sided, with a reason for every rejection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.index.faiss_index import FaissIndex
from activesynth.targeting import screening
from activesynth.targeting.screening import (
    REASONS,
    Limits,
    calibrate,
    label_accuracy,
    screen,
)

LIMITS = Limits(
    max_distance=1.0,
    min_confidence=0.2,
    duplicate_distance=0.1,
    min_entropy=0.05,
    min_label_probability=0.15,
    uses_verifier=True,
)


def calibrated(**changes: Any) -> Limits:
    rng = np.random.default_rng(0)
    facts: dict[str, Any] = {
        "real_embeddings": rng.normal(size=(300, 4)),
        "guide_embeddings": rng.normal(size=(200, 4)),
        "guide_confidence": rng.random(200),
        "guide_entropy": rng.random(200) * 2,
        "verifier_accuracy": 0.9,
        "generator_agreement": 0.8,
        "classes": 10,
        "realism_quantile": 0.99,
        "confidence_quantile": 0.01,
        "min_label_probability": 0.15,
        "duplicate_quantile": 0.005,
        "easy_quantile": 0.05,
        "nearest": not_asked,
    }
    return calibrate(**{**facts, **changes})


def not_asked(rows: Array, count: int) -> Array:
    """Stand for an index where distances are to be exact."""
    raise AssertionError("asked the index")


def judge(**values: float) -> str:
    """Screen one candidate that is fine except for ``values``."""
    good = {"distances": 0.5, "confidence": 0.9, "entropy": 1.0, "label_probability": 0.8}
    columns = {name: np.array([value]) for name, value in {**good, **values}.items()}
    accepted, reasons = screen(LIMITS, **columns)
    assert bool(accepted[0]) == (reasons[0] == "")
    return str(reasons[0])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, ""),
        ({"distances": 1.1}, "unrealistic"),
        ({"confidence": 0.1}, "low_confidence"),
        ({"distances": 0.1}, "near_duplicate"),
        ({"label_probability": 0.1}, "label_mismatch"),
        ({"entropy": 0.01}, "too_easy"),
        ({"entropy": float("inf")}, ""),
        ({"distances": 1.1, "entropy": 0.01}, "unrealistic"),
        ({"confidence": 0.1, "distances": 0.0}, "low_confidence"),
        ({"label_probability": 0.1, "entropy": 0.0}, "label_mismatch"),
        ({"distances": float("nan")}, "unrealistic"),
    ],
)
def test_a_candidate_gets_the_first_reason_that_applies(
    values: dict[str, float], reason: str
) -> None:
    assert judge(**values) == reason


def test_the_screen_is_two_sided_in_uncertainty_and_distance() -> None:
    assert judge(entropy=2.3) == ""  # an uncertain candidate is what we came for
    assert judge(distances=0.11) == judge(distances=0.99) == ""


def test_a_verifier_without_a_say_rejects_nothing() -> None:
    one = np.ones(1)
    accepted, _ = screen(
        replace(LIMITS, uses_verifier=False),
        distances=one * 0.5,
        confidence=one,
        entropy=one,
        label_probability=one * 0.0,
    )

    assert accepted.tolist() == [True]


def test_held_out_real_rows_pass_at_the_calibrated_rates() -> None:
    rng = np.random.default_rng(1)
    real, guide, fresh = (rng.normal(size=(n, 4)) for n in (400, 2000, 2000))
    limits = calibrated(
        real_embeddings=real,
        guide_embeddings=guide,
        guide_confidence=rng.random(2000),
        guide_entropy=rng.random(2000),
    )
    _, reasons = screen(
        limits,
        distances=cdist(fresh, real).min(axis=1),
        confidence=rng.random(2000),
        entropy=rng.random(2000),
        label_probability=np.ones(2000),
    )
    rates = {reason: float((reasons == reason).mean()) for reason in REASONS}

    assert rates["unrealistic"] == pytest.approx(0.01, abs=0.01)
    assert rates["low_confidence"] == pytest.approx(0.01, abs=0.01)
    assert rates["near_duplicate"] < 0.02
    assert rates["too_easy"] == pytest.approx(0.05, abs=0.02)


def test_limits_are_quantiles_of_brute_force_distances() -> None:
    rng = np.random.default_rng(2)
    real, guide = rng.normal(size=(50, 3)), rng.normal(size=(40, 3))
    limits = calibrated(
        real_embeddings=real,
        guide_embeddings=guide,
        realism_quantile=0.9,
        duplicate_quantile=0.1,
    )
    among = cdist(real, real)
    np.fill_diagonal(among, np.inf)

    assert limits.max_distance == pytest.approx(np.quantile(cdist(guide, real).min(axis=1), 0.9))
    assert limits.duplicate_distance == pytest.approx(np.quantile(among.min(axis=1), 0.1))


def test_of_many_rows_the_index_is_asked_about_some(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    real, guide = rng.normal(size=(300, 4)), rng.normal(size=(250, 4))
    monkeypatch.setattr(screening, "CENSUS_ROWS", 200)
    monkeypatch.setattr(screening, "ASKED_ROWS", 100)
    asked = []

    def nearest(rows: Array, count: int) -> Array:
        asked.append(len(rows))
        found: Array = np.sort(cdist(rows, real), axis=1)[:, :count]
        return found

    limits = calibrated(
        real_embeddings=real,
        guide_embeddings=guide,
        realism_quantile=0.9,
        duplicate_quantile=0.1,
        nearest=nearest,
    )

    among = np.sort(cdist(real[::3], real), axis=1)[:, 1]
    to_train = cdist(guide[np.arange(100) * 250 // 100], real).min(axis=1)
    assert limits.duplicate_distance == pytest.approx(np.quantile(among, 0.1), rel=1e-9)
    assert limits.max_distance == pytest.approx(np.quantile(to_train, 0.9), rel=1e-9)
    assert asked == [100, 100]


def test_limits_of_sampled_rows_are_near_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    real, guide = rng.normal(size=(3000, 4)), rng.normal(size=(3000, 4))
    exact = calibrated(real_embeddings=real, guide_embeddings=guide, realism_quantile=0.9)
    index = FaissIndex(flat_rows=100)
    built = index.build(real)
    monkeypatch.setattr(screening, "CENSUS_ROWS", 1000)
    monkeypatch.setattr(screening, "ASKED_ROWS", 1000)

    sampled = calibrated(
        real_embeddings=real,
        guide_embeddings=guide,
        realism_quantile=0.9,
        nearest=lambda rows, count: np.sqrt(index.search(built, rows, count)[0]),
    )

    share = (cdist(guide, real).min(axis=1) <= sampled.max_distance).mean()
    assert share == pytest.approx(0.9, abs=4 * (0.9 * 0.1 / 1000) ** 0.5)
    assert sampled.duplicate_distance == pytest.approx(exact.duplicate_distance, rel=0.3)


def test_a_copy_of_a_real_row_is_a_duplicate_even_when_real_rows_repeat() -> None:
    real = np.repeat(np.eye(3), 4, axis=0)
    limits = calibrated(real_embeddings=real, guide_embeddings=real)
    accepted, reasons = screen(
        limits,
        distances=np.zeros(1),
        confidence=np.ones(1),
        entropy=np.ones(1) * 2,
        label_probability=np.ones(1),
    )

    assert limits.duplicate_distance < limits.max_distance
    assert reasons.tolist() == ["near_duplicate"]
    assert not accepted.any()


@settings(deadline=None)
@given(
    generator=st.floats(0, 1),
    verifier=st.floats(0.35, 1),
    classes=st.integers(3, 20),
)
def test_label_accuracy_inverts_the_agreement_of_independent_errors(
    generator: float, verifier: float, classes: int
) -> None:
    agreement = verifier * generator + (1 - verifier) * (1 - generator) / (classes - 1)

    assert label_accuracy(agreement, verifier, classes) == pytest.approx(generator, abs=1e-6)


def test_label_accuracy_recovers_a_simulated_generator() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 5, 200_000)
    generated, verified = (_erring(true, rate, rng) for rate in (0.7, 0.85))

    estimate = label_accuracy(float((generated == verified).mean()), 0.85, 5)
    assert estimate == pytest.approx(0.7, abs=0.01)


def _erring(true: Array, accuracy: float, rng: np.random.Generator) -> Array:
    wrong = (true + rng.integers(1, 5, len(true))) % 5
    labels: Array = np.where(rng.random(len(true)) < accuracy, true, wrong)
    return labels


def test_a_verifier_at_chance_tells_nothing_against_the_generator() -> None:
    assert label_accuracy(0.1, 0.1, 10) == 1.0
    assert label_accuracy(0.5, 0.0, 10) == 1.0


def test_the_verifier_judges_only_when_it_is_better_than_the_generators_labels() -> None:
    assert calibrated(verifier_accuracy=0.95, generator_agreement=0.6).uses_verifier
    assert not calibrated(verifier_accuracy=0.7, generator_agreement=0.69).uses_verifier
    assert not calibrated(verifier_accuracy=0.1, generator_agreement=0.1).uses_verifier


def test_too_few_rows_and_unaligned_scores_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"raise `splits\.train`"):
        calibrated(real_embeddings=np.zeros((1, 4)))
    with pytest.raises(ShapeError, match="one value per candidate"):
        screen(
            LIMITS,
            distances=np.ones(2),
            confidence=np.ones(3),
            entropy=np.ones(2),
            label_probability=np.ones(2),
        )
    empty = np.zeros(0)
    accepted, reasons = screen(
        LIMITS, distances=empty, confidence=empty, entropy=empty, label_probability=empty
    )
    assert len(accepted) == len(reasons) == 0
