"""A campaign that plans by gain per second keeps what rows took, and the next plan reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from activesynth.domain.platform import Platform
from activesynth.operations.ingest import ingest
from activesynth.steps.costs import past_costs
from activesynth.steps.loop import run
from activesynth.steps.turn import Turn, open_turn
from toy_plane import plane_config, plane_platform


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def two_turns(platform: Platform, *, per_second: bool) -> list[Turn]:
    ingest(plane_config(plan={"per_second": per_second}), platform)
    ids = run(platform, conf={"campaign": "plane", "iterations": 2})
    return [open_turn(i, platform) for i in ids]


def test_what_rows_took_sums_to_making_and_screening_and_reaches_the_next_plan(
    platform: Platform,
) -> None:
    first, second = two_turns(platform, per_second=True)
    costs = past_costs(second)
    shards = first.config.plan.shards
    spent = sum(first.step("generate", n).seconds for n in range(shards))

    assert past_costs(first) == []
    assert sum(cost.seconds for cost in costs) == pytest.approx(
        spent + first.step("screen").seconds
    )
    assert sum(cost.rows for cost in costs) == first.step("plan").facts["budget"]


def test_a_campaign_that_does_not_ask_keeps_no_seconds_among_its_numbers(
    platform: Platform,
) -> None:
    _, second = two_turns(platform, per_second=False)

    assert past_costs(second) == []
