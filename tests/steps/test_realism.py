"""Weighing by a discriminator, where a campaign asks for it, and not otherwise."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pytest

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_synthetic
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.samples import SampleSet, concatenate
from activesynth.operations.ingest import ingest
from activesynth.steps.loop import run
from activesynth.steps.realism import realism
from activesynth.steps.turn import Turn, open_turn
from toy_plane import plane_config, plane_platform


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def one_turn(platform: Platform, quality: str) -> Turn:
    ingest(plane_config(training={"quality": quality}), platform)
    (iteration,) = run(platform, conf={"campaign": "plane", "iterations": 1})
    return open_turn(iteration, platform)


def weights(turn: Turn, arm: str) -> dict[str, float]:
    digest = turn.step("integrate").artifacts[arm]
    rows = load_synthetic(turn.platform.objects, turn.artifacts.document(digest, DatasetManifest))
    assert rows is not None
    return dict(zip(rows.ids.tolist(), rows.columns["weight"].tolist(), strict=True))


def candidates(turn: Turn, branch: str, ids: Collection[str]) -> tuple[SampleSet, Array]:
    """Return the chosen candidates and the verifier's probability of their labels."""
    screened = turn.step("screen").artifacts
    rows = turn.artifacts.samples(screened[f"{branch}.samples"])
    chosen = np.flatnonzero(np.isin(rows.ids, list(ids)))
    label = turn.artifacts.arrays(screened[f"{branch}.verdicts"])["label_probability"]
    return rows.take(chosen), label[chosen]


def test_invented_rows_weigh_by_confidence_label_and_realism(platform: Platform) -> None:
    turn = one_turn(platform, "discriminator")
    weight = weights(turn, "random")
    rows, label = candidates(turn, "untargeted", weight)
    looks, auc = realism(turn, rows)
    quality = rows.columns["confidence"] * label * looks
    middle = np.median(quality)
    inside = (quality > middle / 4) & (quality < 4 * middle)
    ratio = np.array([weight[sample] for sample in rows.ids.tolist()]) / quality

    assert (rows.columns["perturbation"] == "").all()
    assert inside.sum() > 10
    np.testing.assert_allclose(ratio[inside], ratio[inside][0])
    assert np.ptp(looks) > 0.05
    assert turn.step("integrate").facts["discriminator_auc"]["untargeted"] == pytest.approx(auc)


def test_transformed_rows_are_as_real_as_the_middle_of_the_invented_ones(
    platform: Platform,
) -> None:
    turn = one_turn(platform, "discriminator")
    made, _ = candidates(turn, "untargeted", weights(turn, "random"))
    alone, _ = candidates(turn, "targeted", weights(turn, "targeted"))
    alone = alone.take(alone.columns["perturbation"] != "")
    both, one = realism(turn, concatenate([made, alone]))[0], realism(turn, alone)[0]

    assert len(alone) > 10
    np.testing.assert_array_equal(both[len(made) :], np.median(both[: len(made)]))
    np.testing.assert_array_equal(one, 0.5)


def test_a_campaign_that_does_not_ask_has_no_discriminator(platform: Platform) -> None:
    turn = one_turn(platform, "confidence")

    assert "discriminator_auc" not in turn.step("integrate").facts
