"""What the step `plan` writes, on a toy modality with real Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import Plan, WeaknessProfile
from activesynth.domain.platform import Platform
from activesynth.operations.ingest import ingest
from activesynth.steps.loop import run
from activesynth.steps.turn import Turn, open_turn
from toy_plane import plane_config, plane_platform


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def planned(platform: Platform, **changes: Any) -> Turn:
    """Run one iteration; return its turn."""
    ingest(plane_config(**changes), platform)
    (iteration,) = run(platform, conf={"campaign": "plane", "iterations": 1})
    return open_turn(iteration, platform)


def test_the_parts_of_the_plan_sum_exactly_to_the_growth(platform: Platform) -> None:
    turn = planned(platform)

    plan = turn.artifacts.document(turn.step("plan").artifacts["plan"], Plan)

    labelled = len(load_split(platform.objects, turn.manifest, "train"))
    assert plan.budget == round(0.4 * labelled)
    assert sum(item.count for item in plan.items) == plan.budget


def test_a_plan_is_held_to_the_kinds_of_weakness_that_it_is_for(platform: Platform) -> None:
    turn = planned(platform, plan={"kinds": ["class"]})

    profile = turn.artifacts.document(turn.step("diagnose").artifacts["profile"], WeaknessProfile)
    plan = turn.artifacts.document(turn.step("plan").artifacts["plan"], Plan)

    assert {weakness.kind for weakness in profile.weaknesses} == {"corruption"}
    assert (plan.budget, plan.items) == (0, ())
