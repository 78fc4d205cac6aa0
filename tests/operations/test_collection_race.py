"""Collectors beside commits and readers: nothing that is reached is removed, and naively it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from activesynth.operations.collect import collect
from activesynth.operations.fsck import fsck
from activesynth.operations.ingest import ingest
from activesynth.steps.begin import begin
from collection_race import CAMPAIGN, NO_TIME, spawn
from toy_plane import plane_config, plane_platform

LIMIT = 300


def race(database: str, folder: Path, *sweepers: str) -> dict[str, list[dict[str, Any]]]:
    """Let everybody run until the workers are done; return what each said."""
    with plane_platform(database, folder) as platform:
        ingest(plane_config(), platform)
        begin(f"{CAMPAIGN}__it0", {"campaign": CAMPAIGN}, platform)
    workers = [spawn("worker", database, folder, seed) for seed in range(3)]
    others = {role: [spawn(role, database, folder)] for role in ("reader", *set(sweepers))}
    for role in set(sweepers):
        more = sweepers.count(role) - 1
        others[role] += [spawn(role, database, folder) for _ in range(more)]
    try:
        told = {"worker": [json.loads(w.communicate(timeout=LIMIT)[0]) for w in workers]}
        (folder / "stop").touch()
        for role, processes in others.items():
            told[role] = [json.loads(p.communicate(timeout=LIMIT)[0]) for p in processes]
    finally:
        for process in [*workers, *(p for group in others.values() for p in group)]:
            process.kill()
            process.wait()
    return told


def lost(told: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [digest for said in told["worker"] + told["reader"] for digest in said["lost"]]


def test_two_collectors_beside_work_and_readers_remove_nothing_that_is_reached(
    database_url: str, tmp_path: Path
) -> None:
    told = race(database_url, tmp_path, "collector", "collector")

    with plane_platform(database_url, tmp_path) as platform:
        found = fsck(platform)
        report = [collect(platform, grace=NO_TIME, is_deleting=True) for _ in range(2)][-1]
        assert fsck(platform).orphans == 0
    assert lost(told) == []
    assert (found.losses, found.broken) == ((), ())
    assert report.held.blobs == 0
    # The race took place: blobs were removed under the workers again and again.
    assert sum(said["removed"] for said in told["collector"]) > 20, told
    assert sum(said["again"] for said in told["worker"]) < 10, told


def test_a_collector_that_lists_marks_and_deletes_at_once_fails_the_same_race(
    database_url: str, tmp_path: Path
) -> None:
    told = race(database_url, tmp_path, "naive")

    with plane_platform(database_url, tmp_path) as platform:
        left = fsck(platform).losses
    assert told["naive"][0]["removed"] > 20
    assert lost(told) + [loss.digest for loss in left], told
