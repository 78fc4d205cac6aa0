"""Steps asked for again after their iteration was committed, as a late redelivery does."""

from __future__ import annotations

from pathlib import Path

from activesynth.lineage.canonical import canonical_state
from activesynth.operations.ingest import ingest
from activesynth.steps.begin import begin
from activesynth.steps.loop import iterate
from toy_plane import plane_config, plane_platform


def test_every_step_of_a_committed_iteration_can_be_asked_for_again_and_changes_nothing(
    database_url: str, tmp_path: Path
) -> None:
    with plane_platform(database_url, tmp_path) as platform:
        ingest(plane_config(), platform)
        conf = {"campaign": "plane", "iterations": 3}
        iteration = begin("run", conf, platform)
        decided = iterate(iteration, platform)
        before = canonical_state(database_url, "plane")
        again = iterate(begin("run", conf, platform), platform)

        assert again == decided
        assert canonical_state(database_url, "plane") == before


def test_asking_again_after_later_iterations_changes_nothing_either(
    database_url: str, tmp_path: Path
) -> None:
    with plane_platform(database_url, tmp_path) as platform:
        ingest(plane_config(), platform)
        first = begin("run", {"campaign": "plane", "iterations": 2}, platform)
        decided = iterate(first, platform)
        iterate(begin("next", {"campaign": "plane", "iterations": 1}, platform), platform)
        before = canonical_state(database_url, "plane")
        again = iterate(first, platform)

        assert again == decided
        assert canonical_state(database_url, "plane") == before
