"""Planted weaknesses are found and confirmed, nothing is found where nothing is, states follow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from activesynth.diagnosis.evidence import Evidence
from activesynth.domain.documents import WeaknessProfile
from activesynth.errors import ShapeError
from evidence_cases import CLASSES, ROWS, by_id, make_evidence, probs_with_errors, run


def test_a_planted_weak_class_is_found_and_confirmed() -> None:
    profile = run(make_evidence(by_class={2: 0.5}))

    weakness = by_id(profile)["class:2"]
    assert weakness.confirmed
    assert weakness.state == "open"
    assert weakness.low < 0.4 < weakness.high
    assert weakness.p_value < 0.05
    assert weakness.class_share == {2: 1.0}
    assert weakness.title == "class c2"
    assert profile.class_difficulty[2] == max(profile.class_difficulty)


def test_a_planted_weak_cluster_is_found_and_confirmed() -> None:
    weakness = by_id(run(make_evidence(by_cluster={3: 0.55})))["cluster:3"]

    assert weakness.confirmed
    assert weakness.clusters == (3,)
    assert set(weakness.class_share) == set(range(CLASSES))
    assert sum(weakness.class_share.values()) == pytest.approx(1.0)


def test_the_uncertain_region_is_found_when_errors_gather_there() -> None:
    profile = run(make_evidence(uncertain_rate=0.6))

    assert by_id(profile)["uncertain:high"].confirmed
    assert profile.uncertain_low < 0.2 < profile.uncertain_high


def test_a_corruption_is_reported_at_the_mildest_severity_that_hurts() -> None:
    evidence = make_evidence(corrupted_rates={"blur": (0.0, 0.4, 0.8), "noise": (0.0, 0.0, 0.01)})

    profile = run(evidence)

    assert [one.id for one in profile.weaknesses] == ["corruption:blur"]
    assert by_id(profile)["corruption:blur"].severity == 0.66
    accuracy = profile.corruption_accuracy["blur"]
    assert accuracy[0] > accuracy[1] > accuracy[2]


def test_severities_may_come_in_any_order() -> None:
    evidence = make_evidence(corrupted_rates={"blur": (0.8, 0.4, 0.0)})

    profile = run(evidence, severities=(1.0, 0.66, 0.33))

    assert by_id(profile)["corruption:blur"].severity == 0.66


def test_a_model_that_errs_alike_everywhere_has_no_weakness() -> None:
    trials, alpha = 60, 0.05
    found = {"class": 0, "cluster": 0, "uncertain": 0}

    for seed in range(trials):
        kinds = {w.kind for w in run(make_evidence(seed=seed, rate=0.2), margin=0.0).weaknesses}
        for kind in found:
            found[kind] += kind in kinds

    # Holm bounds the chance of any finding per kind by alpha, here even with margin 0; three
    # standard errors over 60 trials allow 0.05 + 0.084.
    assert max(found.values()) / trials <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / trials)


def test_with_a_margin_small_differences_are_no_weakness() -> None:
    profiles = [
        run(make_evidence(seed=seed, by_class={1: 0.13}, corrupted_rates={"blur": (0.0, 0.0, 0.0)}))
        for seed in range(10)
    ]

    assert sum(len(profile.weaknesses) for profile in profiles) == 0


def test_what_half_a_found_is_measured_on_half_b() -> None:
    evidence = make_evidence(by_class={2: 0.5})
    only_a = np.where(evidence.is_a, evidence.y == 2, False)
    planted = replace(evidence, probs=probs_with_errors(evidence.y, only_a))

    weakness = by_id(run(planted))["class:2"]

    assert not weakness.confirmed
    assert weakness.gap == 0.0
    assert weakness.n == int(((evidence.y == 2) & ~evidence.is_a).sum())


def test_the_halves_swap_when_found_on_b() -> None:
    evidence = make_evidence(by_class={2: 0.5})
    only_a = np.where(evidence.is_a, evidence.y == 2, False)
    planted = replace(evidence, probs=probs_with_errors(evidence.y, only_a))

    profile = run(planted, found_on="B")

    assert profile.weaknesses == ()
    assert profile.found_on == "B"


def test_slices_with_few_rows_are_not_tested() -> None:
    profile = run(make_evidence(by_class={2: 0.9}), min_support=150)

    assert profile.weaknesses == ()


@pytest.mark.parametrize("state", ["open", "regressed"])
def test_an_old_weakness_that_is_gone_is_closed(state: str) -> None:
    evidence = make_evidence(rows=2000, rate=0.02)

    weakness = by_id(run(evidence, previous={"class:2": state}))["class:2"]

    assert weakness.state == "closed"
    assert weakness.high < 0.05


def test_an_old_weakness_that_is_gone_on_the_searching_half_only_stays_open() -> None:
    evidence = make_evidence(rows=2000)
    only_b = ~evidence.is_a & (evidence.y == 2) & (evidence.entropy < 0.3)
    planted = replace(evidence, probs=probs_with_errors(evidence.y, only_b))

    weakness = by_id(run(planted, previous={"class:2": "open"}))["class:2"]

    assert weakness.state == "open"
    assert weakness.p_value > 0.05


@pytest.mark.parametrize("state", ["open", "regressed"])
def test_an_old_weakness_stays_until_it_is_shown_to_be_gone(state: str) -> None:
    evidence = make_evidence(rows=100, rate=0.15)

    weakness = by_id(run(evidence, previous={"class:2": state}))["class:2"]

    assert weakness.state == state
    assert weakness.high >= 0.05


def test_an_old_weakness_without_rows_today_stays_open_and_unknown() -> None:
    evidence = make_evidence()
    elsewhere = replace(evidence, clusters=np.zeros_like(evidence.clusters))

    weakness = by_id(run(elsewhere, previous={"cluster:4": "open"}))["cluster:4"]

    assert (weakness.state, weakness.n, weakness.low, weakness.high) == ("open", 0, -1.0, 1.0)


def test_a_closed_weakness_far_over_the_margin_on_both_halves_has_regressed() -> None:
    profile = run(make_evidence(by_class={2: 0.6}), previous={"class:2": "closed"})

    assert by_id(profile)["class:2"].state == "regressed"


def test_a_closed_weakness_seen_on_one_half_only_stays_closed() -> None:
    evidence = make_evidence()
    only_a = np.where(evidence.is_a, evidence.y == 2, False)
    planted = replace(evidence, probs=probs_with_errors(evidence.y, only_a))

    profile = run(planted, previous={"class:2": "closed"})

    assert by_id(profile)["class:2"].state == "closed"


def test_a_closed_weakness_that_is_not_found_is_not_reported() -> None:
    profile = run(make_evidence(), previous={"class:2": "closed", "slice:old": "open"})

    assert profile.weaknesses == ()


def test_an_old_corruption_closes_only_when_its_harshest_severity_is_harmless() -> None:
    evidence = make_evidence(rows=2000, corrupted_rates={"blur": (0.0, 0.0, 0.0)})

    weakness = by_id(run(evidence, previous={"corruption:blur": "open"}))["corruption:blur"]

    assert (weakness.state, weakness.severity) == ("closed", 1.0)


def test_the_profile_carries_the_codebook_facts() -> None:
    profile = run(make_evidence())

    assert profile.cluster_shares == pytest.approx((0.5, 0.25, 1 / 6, 0.075, 1 / 120))
    assert profile.rare_clusters == (4,)
    assert WeaknessProfile.decode(profile.encode()) == profile


def test_tau_can_be_compared_with_another_uncertainty() -> None:
    evidence = make_evidence()

    profile = run(evidence, tau=0.4, uncertainty=evidence.mutual_information)

    assert profile.uncertain_share == run(evidence).uncertain_share


def test_equal_evidence_gives_equal_addresses() -> None:
    first, second = (run(make_evidence(by_class={1: 0.6})).digest for _ in range(2))

    assert first == second


def test_evidence_that_does_not_align_is_refused() -> None:
    with pytest.raises(ShapeError, match="entropy"):
        replace(make_evidence(), entropy=np.zeros(3))
    with pytest.raises(ShapeError, match=r"corrupted\[blur\]"):
        replace(make_evidence(), corrupted={"blur": np.zeros((3, 2, CLASSES))})


def test_severities_that_do_not_fit_the_predictions_are_refused() -> None:
    evidence = make_evidence(corrupted_rates={"blur": (0.0, 0.1)})

    with pytest.raises(ShapeError, match="got 3 severities"):
        run(evidence)


def test_names_that_do_not_fit_the_classes_are_refused() -> None:
    with pytest.raises(ShapeError, match="one name per class"):
        run(make_evidence(), class_names=["a"])


def grouped(evidence: Evidence, *, seed: int, weak: int | None = None) -> Evidence:
    """Return evidence whose rows come in tens of one class, wrong or right mostly together."""
    rng, rows = np.random.default_rng(seed), len(evidence.y)
    groups = np.arange(rows) // 10
    y = rng.integers(CLASSES, size=rows // 10)[groups]
    rates = rng.beta(0.3, 1.2, rows // 10)[groups]
    rates = np.where(y == weak, 0.9, rates)
    return replace(
        evidence,
        y=y,
        probs=probs_with_errors(y, rng.random(rows) < rates),
        is_a=groups % 2 == 0,
        groups=np.char.add("patient ", groups.astype(str)),
    )


def test_groups_whose_rows_are_alike_are_no_weakness_by_themselves() -> None:
    def share(*, is_told: bool) -> float:
        profiles = []
        for seed in range(60):
            evidence = grouped(make_evidence(seed=seed), seed=seed)
            evidence = evidence if is_told else replace(evidence, groups=None)
            profiles.append(run(evidence, tau=2.0))
        return float(np.mean([bool(profile.weaknesses) for profile in profiles]))

    assert share(is_told=True) <= 0.05
    assert share(is_told=False) > 0.2


def test_a_class_that_is_weak_in_all_its_groups_is_found() -> None:
    profile = run(grouped(make_evidence(rows=4 * ROWS), seed=1, weak=2), tau=2.0)

    assert profile.weaknesses[0].id == "class:2"
    assert profile.weaknesses[0].confirmed
