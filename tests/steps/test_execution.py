"""The same work delivered twice: one result stands, whoever computed it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from activesynth.domain.platform import Platform
from activesynth.domain.records import StepRecord
from activesynth.operations.ingest import ingest
from activesynth.steps.begin import begin
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn
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
