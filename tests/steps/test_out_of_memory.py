"""A step whose memory runs out is named, leaves nothing, and converges where there is enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from activesynth.domain.exchange import State, TrainingSet
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Progress, silent
from activesynth.domain.registry import Row
from activesynth.lineage.canonical import canonical_state
from activesynth.nn.memory import GpuOutOfMemoryError, OutOfMemoryError
from activesynth.operations.ingest import ingest
from activesynth.steps import audit as audits
from activesynth.steps.audit import audit
from activesynth.steps.begin import begin
from activesynth.steps.loop import iterate, run
from activesynth.steps.turn import open_turn
from toy_plane import PlaneTrainer, plane_config, plane_platform

CONF = {"campaign": "plane", "iterations": 1}


class HungryTrainer(PlaneTrainer):
    """Needs more than there is, for as long as it is told so; a tiny real model on torch's CPU."""

    lacks: type[Exception] | None = None

    def fit(
        self,
        data: TrainingSet,
        encoder: State | None,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> State:
        torch.nn.Linear(2, 2)(torch.from_numpy(data.samples.x[:2]))
        if HungryTrainer.lacks is not None:
            raise HungryTrainer.lacks("Tried to allocate 2.00 GiB.")
        return super().fit(data, encoder, seed=seed, progress=progress)


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    with plane_platform(database_url, tmp_path) as platform:
        platform.parts.add("trainer", "hungry", Row(f"{__name__}:HungryTrainer"))
        yield platform
    HungryTrainer.lacks = None


def config(**changes: Any) -> Any:
    return plane_config(trainer={"name": "hungry"}, **changes)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [(torch.OutOfMemoryError, GpuOutOfMemoryError), (MemoryError, OutOfMemoryError)],
)
def test_the_step_is_named_nothing_shows_and_the_same_again_ends_as_undisturbed(
    platform: Platform, database_url: str, raised: type[Exception], kind: type[Exception]
) -> None:
    ingest(config(), platform)
    iteration = begin("plane__it0", CONF, platform)
    before = platform.lineage.campaign("plane")
    HungryTrainer.lacks = raised

    with pytest.raises(kind, match=r"step `judge` of iteration plane:0:1 ran out of memory.*2\.00"):
        iterate(iteration, platform)
    between = platform.lineage.campaign("plane")
    HungryTrainer.lacks = None
    run(platform, conf=CONF)

    assert between == before
    assert platform.lineage.campaign("plane").iterations == 1
    undisturbed = canonical_state(database_url, "plane")
    run(platform, conf=CONF, run_key="plane__it0")
    assert canonical_state(database_url, "plane") == undisturbed


def test_a_smaller_setting_is_taken_up_once_the_iteration_was_given_up(
    platform: Platform,
) -> None:
    ingest(config(), platform)
    first = begin("plane__it0", CONF, platform)
    HungryTrainer.lacks = MemoryError
    with pytest.raises(OutOfMemoryError):
        iterate(first, platform)
    ingest(config(plan={"growth": 0.4, "shard_rows": 12}), platform)
    kept = begin("plane__it0", CONF, platform)
    platform.lineage.fail_iteration(open_turn(first, platform).ref, "out of memory")
    HungryTrainer.lacks = None
    second = begin("plane__it0", CONF, platform)
    turn = open_turn(second, platform)
    iterate(second, platform)

    assert kept == first
    assert second == "plane:0:2"
    assert turn.config.plan.shard_rows == 12
    assert platform.lineage.campaign("plane").iterations == 1


def test_an_audit_without_enough_memory_is_not_recorded_as_an_answer(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = config(audits={"run": ["robustness"]})
    ingest(chosen, platform)
    (iteration,) = run(platform, conf=CONF)
    turn = replace(open_turn(iteration, platform))
    turn = replace(turn, record=replace(turn.record, state="open"))

    def hungry(_: object) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setitem(audits.AUDITS, "robustness", hungry)
    changed = turn.config.model_copy(
        update={"audits": turn.config.audits.model_copy(update={"rows": 50})}
    )

    with pytest.raises(GpuOutOfMemoryError, match="step `audit`"):
        audit(replace(turn, config=changed))
