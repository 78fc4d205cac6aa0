"""What a campaign may leave out still makes an iteration: no pool, no test, no corruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activesynth.domain.dataset_access import load_split
from activesynth.operations.ingest import ingest
from activesynth.steps.loop import run
from activesynth.steps.turn import Turn, open_turn
from toy_plane import plane_config, plane_platform

SHARES = {"train": 0.3, "pool": 0.15, "guide": 0.25, "judge": 0.1, "gate": 0.1, "test": 0.1}
# A label budget would move rows of train into the pool.
FULLY_LABELLED: dict[str, Any] = {"sampling": {}}


def one_iteration(database_url: str, folder: Path, **changes: Any) -> tuple[Turn, dict[str, int]]:
    """Ingest and run one iteration; return its turn and the rows of each split."""
    with plane_platform(database_url, folder) as platform:
        ingest(plane_config(**changes), platform)
        (iteration,) = run(platform, conf={"campaign": "plane", "iterations": 1})
        turn = open_turn(iteration, platform)
        rows = {name: len(load_split(platform.objects, turn.manifest, name)) for name in SHARES}
        return turn, rows


@pytest.mark.parametrize("empty", [("pool",), ("test",), ("pool", "test")])
def test_an_iteration_commits_without_pool_or_test(
    database_url: str, tmp_path: Path, empty: tuple[str, ...]
) -> None:
    given = sum(SHARES[name] for name in empty)
    splits = {**SHARES, **dict.fromkeys(empty, 0.0), "train": SHARES["train"] + given}

    turn, rows = one_iteration(database_url, tmp_path, splits=splits, **FULLY_LABELLED)

    assert turn.record.state == "committed"
    assert {name for name, count in rows.items() if not count} == set(empty)


def test_an_iteration_commits_without_corruptions(database_url: str, tmp_path: Path) -> None:
    turn, _ = one_iteration(database_url, tmp_path, diagnosis={"corruptions": []})

    assert turn.record.state == "committed"
