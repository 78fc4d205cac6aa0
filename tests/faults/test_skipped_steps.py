"""A step that was marked done and did not run: no later one commits, and running it ends as usual.

Somebody marks a task as success in the UI; the scheduler goes on with what follows.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from activesynth.domain.platform import Platform
from activesynth.errors import ActiveSynthError
from activesynth.lineage.canonical import canonical_state
from activesynth.lineage.migrate import upgrade
from activesynth.operations.ingest import ingest
from activesynth.steps.begin import begin
from platform_fixtures import PostgresServer
from toy_plane import plane_config, plane_platform

CONFIG = plane_config(audits={"run": []})
CONF = {"campaign": "plane", "iterations": 1}
WORK: list[tuple[str, int | str | None]] = [
    *((name, None) for name in ("train", "embed", "fit_generator", "diagnose", "plan")),
    *(("generate", shard) for shard in range(CONFIG.plan.shards)),
    *((name, None) for name in ("screen", "select", "annotate", "integrate")),
    *(("retrain", arm) for arm in CONFIG.evaluation.arms),
    *((name, None) for name in ("evaluate", "promote")),
]
NEEDED = ("fit_generator", "diagnose", "generate", "screen", "annotate", "retrain", "promote")
"""Steps that something else runs beside or that come in parts; others are what follows needs."""

Task = tuple[str, int | str | None]


def play(task: Task, iteration_id: str, platform: Platform) -> None:
    name, argument = task
    work = getattr(importlib.import_module(f"activesynth.steps.{name}"), name)
    work(iteration_id, *([] if argument is None else [argument]), platform)


def visible(platform: Platform) -> tuple[object, ...]:
    """Return what of the campaign's progress readers see."""
    campaign = platform.lineage.campaign("plane")
    return campaign.head, campaign.iterations, len(platform.reader.iterations("plane"))


def go_on(chosen: list[Task], iteration_id: str, platform: Platform) -> str:
    """Run the tasks in order; return the error that stopped them, or nothing."""
    for task in chosen:
        try:
            play(task, iteration_id, platform)
        except ActiveSynthError as error:
            return str(error)
    return ""


@pytest.fixture(scope="module")
def undisturbed(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return what an undisturbed run leaves."""
    url = postgres_server.url(postgres_server.create_database())
    upgrade(url)
    with plane_platform(url, tmp_path_factory.mktemp("undisturbed")) as platform:
        ingest(CONFIG, platform)
        assert go_on(WORK, begin("run", CONF, platform), platform) == ""
    return canonical_state(url, "plane")


@pytest.mark.parametrize("skipped", [task for task in WORK if task[0] in NEEDED], ids=str)
def test_a_step_that_was_marked_done_keeps_later_ones_from_committing(
    skipped: Task, undisturbed: dict[str, Any], database_url: str, tmp_path: Path
) -> None:
    with plane_platform(database_url, tmp_path) as platform:
        ingest(CONFIG, platform)
        iteration = begin("run", CONF, platform)
        before, place = visible(platform), WORK.index(skipped)
        go_on(WORK[:place], iteration, platform)
        complaint = go_on([*WORK[place + 1 :], ("decide", None)], iteration, platform)
        between = visible(platform)
        repaired = go_on(WORK[place:], iteration, platform)

    assert between == before
    assert skipped[0] in complaint
    assert repaired == ""
    assert canonical_state(database_url, "plane") == undisturbed
