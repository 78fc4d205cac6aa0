"""The same work delivered twice: one result stands, whoever computed it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from activesynth.domain.platform import Platform
from activesynth.domain.records import RecordedBlob, StepRecord
from activesynth.operations.fsck import fsck
from activesynth.operations.ingest import ingest
from activesynth.steps.begin import begin
from activesynth.steps.diagnose import diagnose
from activesynth.steps.embed import embed
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.fit_generator import fit_generator
from activesynth.steps.loop import iterate
from activesynth.steps.plan import plan
from activesynth.steps.train import train
from activesynth.steps.turn import Turn, open_turn
from raw_stores import RawDirectory
from toy_plane import plane_config, plane_platform


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform with an iteration begun."""
    with plane_platform(database_url, tmp_path) as opened:
        ingest(plane_config(), opened)
        begin("plane__it0", {"campaign": "plane"}, opened)
        yield opened


def deliver(platform: Platform, meanwhile: Callable[[], object] = lambda: None) -> StepRecord:
    """Do the work of a step whose bytes differ each time, as some of a GPU's do."""
    turn: Turn = open_turn("plane:0:1", platform)

    def compute(outputs: Outputs) -> None:
        outputs.json("model", os.urandom(8).hex())
        meanwhile()

    return execute(turn, Step("retrain"), inputs={"rows": "abc"}, settings={}, compute=compute)


def test_two_deliveries_at_once_return_the_one_result_that_is_recorded(platform: Platform) -> None:
    both_have_computed = Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        work = [pool.submit(deliver, platform, both_have_computed.wait) for _ in range(2)]
        one, other = (done.result(timeout=30) for done in work)

    stands = platform.lineage.step(open_turn("plane:0:1", platform).ref, "retrain")
    assert one.artifacts == other.artifacts == stands.artifacts


def test_a_delivery_that_comes_back_late_returns_what_others_have_read_meanwhile(
    platform: Platform,
) -> None:
    read: list[StepRecord] = []
    late = deliver(platform, lambda: read.append(deliver(platform)))

    again = deliver(platform)

    assert late.artifacts == again.artifacts == read[0].artifacts
    stands = platform.lineage.step(open_turn("plane:0:1", platform).ref, "retrain")
    assert stands == again


def test_a_recorded_result_whose_blob_is_gone_is_computed_again_and_comes_back_equal(
    platform: Platform, tmp_path: Path
) -> None:
    turn = open_turn("plane:0:1", platform)
    first = work_on_rows(turn)
    lost = RawDirectory(tmp_path / "objects")
    lost.remove(first.artifacts["rows"])

    again = work_on_rows(turn)

    assert again.artifacts == first.artifacts
    assert platform.objects.get(again.artifacts["rows"]) == b"[1,2]"
    assert not again.is_reused


def test_a_later_iteration_does_not_build_on_a_result_whose_blob_is_gone(
    platform: Platform, tmp_path: Path
) -> None:
    turn = open_turn("plane:0:1", platform)
    first = work_on_rows(turn)
    platform.lineage.fail_iteration(turn.ref, "its machine is gone")
    following = open_turn(begin("other", {"campaign": "plane"}, platform), platform)
    RawDirectory(tmp_path / "objects").remove(first.artifacts["rows"])

    again = work_on_rows(following)

    assert (again.is_reused, again.artifacts) == (False, first.artifacts)
    assert platform.objects.has(again.artifacts["rows"])


def test_an_iteration_that_lost_any_of_its_blobs_commits_when_it_is_run_again(
    platform: Platform, tmp_path: Path
) -> None:
    ref = str(open_turn("plane:0:1", platform).ref)
    for step in (train, embed, fit_generator, diagnose, plan):
        step(ref, platform)
    raw = RawDirectory(tmp_path / "objects")
    blobs = {
        use.digest for use in platform.reader.recorded_blobs("plane") if is_made(use, platform)
    }
    for digest in blobs:
        raw.remove(digest)

    iterate(ref, platform)

    assert len(blobs) >= 10
    assert platform.lineage.campaign("plane").iterations == 1
    assert fsck(platform).is_clean


def is_made(blob: RecordedBlob, platform: Platform) -> bool:
    return any(use.relation == "artifact" for use in platform.reader.blob_uses([blob.digest]))


def work_on_rows(turn: Turn) -> StepRecord:
    def compute(outputs: Outputs) -> None:
        outputs.json("rows", [1, 2])

    return execute(turn, Step("some"), inputs={}, settings={}, compute=compute)
