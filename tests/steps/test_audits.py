"""Audits and sentinels in the loop: what is written, what they may hold up, what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.domain.exchange import GenerationRequest, State, SyntheticBatch
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Progress, silent
from activesynth.domain.registry import Row
from activesynth.operations.ingest import ingest
from activesynth.steps.audit import audit, audited_rows
from activesynth.steps.begin import begin
from activesynth.steps.loop import iterate, run
from activesynth.steps.turn import Turn, open_turn
from toy_plane import PlaneGenerator, plane_config, plane_platform

PROMOTE: dict[str, Any] = {"gate": {"margin": 1.0, "guarded": {}}}
# Two dimensions are so full that some synthetic rows lie near guarded ones by chance.
CROWDED = {"guarded_copies": 0.3}
ALL = {"run": ["robustness", "attack", "fidelity", "memorisation"], "dimensions": 2}


class CollapsingGenerator(PlaneGenerator):
    """Makes the middle of each class alone, once it has learnt from more rows than at first."""

    first: int | None = None

    def fit(self, data: Any, *, seed: int, progress: Progress = silent) -> State:
        state = super().fit(data, seed=seed, progress=progress)
        rows = len(data.samples)
        CollapsingGenerator.first = CollapsingGenerator.first or rows
        spread = np.array([1.0 if rows == CollapsingGenerator.first else 0.3], np.float32)
        return State({**state.tensors, "spread": spread})

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        batch = super().generate(state, request, progress=progress)
        middle = state.tensors["means"][batch.y]
        x = (middle + state.tensors["spread"] * (batch.x - middle)).astype(np.float32)
        return SyntheticBatch(x, batch.y, batch.confidence)


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def start(platform: Platform, *, iterations: int = 1, **changes: Any) -> list[Turn]:
    config = plane_config(**changes)
    ingest(config, platform)
    ids = run(platform, conf={"campaign": config.name, "iterations": iterations})
    return [open_turn(i, platform) for i in ids]


def found(platform: Platform, name: str, iteration: int = 0, campaign: str = "plane") -> list[Any]:
    rows = platform.reader.metrics(campaign, iteration)
    return [row for row in rows if row["name"] == name]


def alarms(platform: Platform, iteration: int) -> dict[str, float]:
    return {
        str(row["slice"]).removeprefix("sentinel:"): row["value"]
        for row in found(platform, "alarm", iteration)
    }


def test_a_clean_iteration_is_audited_and_raises_no_alarm(platform: Platform) -> None:
    start(platform, iterations=2, **PROMOTE, audits={"dimensions": 2}, sentinels=CROWDED)

    for iteration in (0, 1):
        assert set(alarms(platform, iteration).values()) == {0.0}
        assert len(alarms(platform, iteration)) == 8
        assert "random" in {row["arm"] for row in found(platform, "frechet", iteration)}
        (attack,) = [
            r for r in found(platform, "membership_by_loss", iteration) if r["arm"] == "real"
        ]
        assert attack["low"] < 0.5 < attack["high"]
    fall = {row["slice"] for row in found(platform, "alarm_value", 1)}
    assert {"sentinel:tail_mass", "sentinel:generator_drift", "sentinel:verifier_drift"} <= fall


def test_an_audit_that_does_not_suit_the_data_says_so_and_holds_nothing_up(
    platform: Platform,
) -> None:
    (turn,) = start(platform, **PROMOTE, audits=ALL)

    refused = {
        row["slice"]: row["name"]
        for row in platform.reader.metrics("plane", 0)
        if str(row["name"]).startswith("audit_refused")
    }
    assert refused == {
        "audit:robustness": "audit_refused:shape",
        "audit:attack": "audit_refused:no_gradients",
    }
    assert turn.record.decision == "promoted"
    assert "offer no gradients" in str(turn.step("audit", 1).facts["refused"])


def test_one_more_audit_does_no_other_work_again(platform: Platform) -> None:
    ingest(plane_config(audits={"run": []}), platform)
    iteration = begin("plane__it0", {"campaign": "plane"}, platform)
    iterate(iteration, platform)
    turn = open_turn(iteration, platform)
    before = turn.step("evaluate"), turn.step("watch")

    more = replace(turn, config=plane_config(audits={"run": ["fidelity"]}))
    audit(more)

    assert {row.name for row in audited_rows(more)} >= {"frechet", "manifold_precision"}
    assert (turn.step("evaluate"), turn.step("watch")) == before
    assert audited_rows(turn) == []


def test_a_generator_that_collapses_raises_the_alarm(platform: Platform) -> None:
    CollapsingGenerator.first = None
    platform.parts.add("generator", "collapsing", Row(f"{__name__}:CollapsingGenerator"))
    start(platform, iterations=2, **PROMOTE, generator={"name": "collapsing"})

    assert alarms(platform, 0)["tail_mass"] == 0.0
    assert alarms(platform, 1)["tail_mass"] == 1.0
    (measured,) = [r for r in found(platform, "alarm_value", 1) if "tail" in r["slice"]]
    assert 0.1 < measured["low"] < measured["value"]


@pytest.mark.parametrize("blocking", [[], ["test_reads"]])
def test_an_alarm_is_a_reason_at_the_gate_and_refuses_only_where_it_blocks(
    platform: Platform, blocking: list[str]
) -> None:
    sentinels = {**CROWDED, "test_reads": 1, "blocking": blocking}
    ingest(plane_config(**PROMOTE, sentinels=sentinels), platform)
    for look in ("one report", "another"):
        platform.lineage.count_split_read("plane", "test", look, None)
    (iteration,) = run(platform, conf={"campaign": "plane", "iterations": 1})

    record = open_turn(iteration, platform).record
    assert record.decision == ("refused" if blocking else "promoted")
    assert "test_reads: the test split was read too often" in str(record.reason)
    assert ("sentinels.blocking" in str(record.reason)) is bool(blocking)
    assert ("only warns" in str(record.reason)) is not bool(blocking)
    assert alarms(platform, 0)["test_reads"] == 1.0
    assert {row["value"] for row in found(platform, "alarm_blocks")} == (
        {0.0, 1.0} if blocking else {0.0}
    )


def test_synthetic_rows_that_resemble_guarded_ones_raise_the_alarm_beyond_the_limit(
    platform: Platform,
) -> None:
    start(platform, sentinels={"guarded_copies": 0.0})

    copies = sum(
        row["value"] for row in found(platform, "split_leaks") if row["split"] == "synthetic"
    )
    assert copies > 0
    assert alarms(platform, 0)["guarded_copies"] == 1.0
    assert alarms(platform, 0)["split_leaks"] == 0.0
