"""Baseline arms in the loop: the same real rows, as many synthetic ones, branches of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.domain.dataset_access import load_synthetic
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.operations.ingest import ingest
from activesynth.steps.loop import run
from activesynth.steps.turn import Turn, open_turn
from toy_plane import plane_config, plane_platform

ARMS = ("real", "reweighted", "random", "targeted", "smote", "static", "chameleon")
SETTINGS: dict[str, Any] = {
    "evaluation": {"arms": list(ARMS), "resamples": 100},
    "gate": {"margin": 1.0, "guarded": {}},
}


@pytest.fixture
def turns(database_url: str, tmp_path: Path) -> Iterator[list[Turn]]:
    """Run two iterations that are promoted."""
    with plane_platform(database_url, tmp_path) as platform:
        ingest(plane_config(**SETTINGS), platform)
        ids = run(platform, conf={"campaign": "plane", "iterations": 2})
        yield [open_turn(i, platform) for i in ids]


def synthetic_ids(turn: Turn, arm: str, platform: Platform) -> list[str]:
    digest = turn.step("integrate").artifacts[arm]
    rows = load_synthetic(platform.objects, turn.artifacts.document(digest, DatasetManifest))
    return [] if rows is None else list(rows.ids.tolist())


def test_every_arm_with_synthetic_rows_has_as_many_and_static_keeps_its_first(
    turns: list[Turn],
) -> None:
    platform = turns[0].platform
    first, second = turns
    facts = [{arm: turn.step("retrain", n).facts for n, arm in enumerate(ARMS)} for turn in turns]

    for by_arm in facts:
        made = {arm: by_arm[arm]["synthetic_rows"] for arm in ARMS}
        assert made["targeted"] > 0
        assert {made[arm] for arm in ARMS[2:]} == {made["targeted"]}
        assert len({by_arm[arm]["real_rows"] for arm in ARMS}) == 1
    kept = synthetic_ids(first, "static", platform)
    assert kept == synthetic_ids(first, "random", platform)
    assert kept == synthetic_ids(second, "static", platform)
    assert len(kept) < len(synthetic_ids(second, "random", platform))
    assert facts[1]["static"]["static"]["distinct"] == len(kept)
    assert facts[0]["smote"]["smote"]["interpolated"] == facts[0]["smote"]["synthetic_rows"]


def test_the_branch_of_chameleon_grows_by_candidates_that_pass(turns: list[Turn]) -> None:
    platform = turns[0].platform
    first, second = (synthetic_ids(turn, "chameleon", platform) for turn in turns)
    candidates = turns[0].artifacts.samples(turns[0].step("screen").artifacts["untargeted.samples"])
    facts = turns[0].step("integrate").facts["chameleon"]

    assert set(first) < set(second)
    assert set(first) <= set(candidates.ids.tolist())
    assert facts["filled"] == 0
    # Real rows were drawn with a long tail; what is added fills it up.
    labels = candidates.y[np.isin(candidates.ids, first)]
    counts = np.bincount(labels, minlength=3)
    assert counts[2] > counts[0]


def test_their_branches_scores_and_members_are_on_record(turns: list[Turn]) -> None:
    platform = turns[0].platform
    branches = platform.lineage.campaign("plane").branches
    scored = {str(row["arm"]) for row in platform.reader.metrics("plane", 1)}

    assert set(branches) == {"random", "static", "chameleon"}
    assert {"smote", "static", "chameleon"} <= scored
    assert platform.reader.broken_rows("plane") == []
    assert np.isfinite(turns[1].step("retrain", 4).facts["synthetic_share"])
