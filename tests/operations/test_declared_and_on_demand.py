"""Declared weaknesses and slices through the whole loop, and diagnoses that open no iteration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.domain.documents import Plan, WeaknessProfile
from activesynth.domain.exchange import GenerationRequest, SourceData, State, SyntheticBatch
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Progress, silent
from activesynth.domain.registry import Row
from activesynth.errors import ConfigurationError
from activesynth.operations.declare import (
    class_target,
    cluster_target,
    corruption_target,
    declare,
    slice_target,
    withdraw,
)
from activesynth.operations.diagnose import diagnose, profile_of
from activesynth.operations.ingest import ingest
from activesynth.steps.loop import run
from activesynth.steps.turn import Turn, open_turn
from toy_plane import PlaneGenerator, PlaneParameters, PlaneSource, plane_config, plane_platform


class AttributedSource(PlaneSource):
    """Points of the plane with a camera each; those of the left one have their labels turned."""

    def read(self) -> SourceData:
        data = super().read()
        camera = np.where(np.arange(len(data.samples)) % 4 == 0, "left", "right")
        y = np.where(camera == "left", (data.samples.y + 1) % 3, data.samples.y)
        columns = {"attribute.camera": camera}
        return replace(data, samples=replace(data.samples, y=y, columns=columns))


SETTINGS: dict[str, Any] = {
    "source": {"name": "attributed", "parameters": {"rows": 1200}},
    "splits": {"train": 0.15, "pool": 0.15, "guide": 0.3},
    "uncertainty": {"passes": 3},
}
CAMERA = "slice:camera=left"


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    with plane_platform(database_url, tmp_path) as opened:
        opened.parts.add(
            "source", "attributed", Row(f"{__name__}:AttributedSource", f"{__name__}:Parameters")
        )
        yield opened


class NarrowGenerator(PlaneGenerator):
    """Makes only what there is most of, whatever it is asked for."""

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        asked = replace(request, labels=np.zeros(len(request.seeds), np.int64))
        return super().generate(state, asked, progress=progress)


class Parameters(PlaneParameters):
    """Those of the plane."""


def start(platform: Platform, iterations: int = 1, **changes: Any) -> list[Turn]:
    ingest(plane_config(**(SETTINGS | changes)), platform)
    ids = run(platform, conf={"campaign": "plane", "iterations": iterations})
    return [open_turn(i, platform) for i in ids]


def test_a_weak_slice_of_an_attribute_is_planned_for_and_its_benefit_measured(
    platform: Platform,
) -> None:
    (turn,) = start(platform)

    profile = turn.artifacts.document(turn.step("diagnose").artifacts["profile"], WeaknessProfile)
    plan = turn.artifacts.document(turn.step("plan").artifacts["plan"], Plan)
    rows = {row["weakness"]: row for row in platform.reader.weaknesses("plane")}

    assert CAMERA in {weakness.id for weakness in profile.weaknesses}
    assert next(item.count for item in plan.items if item.weakness == CAMERA) > 0
    assert rows[CAMERA]["benefit"] is not None
    assert rows[CAMERA]["rank"] >= 1


def test_declared_weaknesses_are_measured_planned_for_and_withdrawn(platform: Platform) -> None:
    ingest(plane_config(**SETTINGS), platform)
    targets = [
        class_target("plane", "far", platform),
        cluster_target("plane", 2, platform),
        slice_target("plane", {"camera": "right"}, platform),
        corruption_target("plane", "jitter", 0.7, platform),
    ]
    for target in targets:
        assert declare("plane", target, "the customer complained", platform)
    assert not declare("plane", targets[0], "again", platform)

    (turn,) = start(platform)
    planned = {
        item.weakness: item.count
        for item in turn.artifacts.document(turn.step("plan").artifacts["plan"], Plan).items
    }
    withdraw("plane", targets[0], "it was a misunderstanding", platform)
    (after,) = start(platform)

    history = platform.reader.weaknesses("plane")
    first = {row["weakness"]: row for row in history if row["iteration"] == 0}
    second = {row["weakness"] for row in history if row["iteration"] == 1}
    assert {f"declared:{target}" for target in targets} <= set(first)
    open_ones = {name for name, row in first.items() if row["state"] != "closed"}
    assert open_ones == set(planned)
    for name in open_ones:
        assert first[name]["benefit"] is not None, name
    assert f"declared:{targets[0]}" not in second
    assert f"declared:{targets[1]}" in second
    assert after.ref.number == 1
    told = platform.reader.declarations("plane")
    assert [row["action"] for row in told] == ["declare"] * 4 + ["withdraw"]
    assert told[-1]["reason"] == "it was a misunderstanding"


def test_what_is_declared_after_the_diagnosis_waits_for_the_next_one(platform: Platform) -> None:
    (turn,) = start(platform)
    before = turn.step("diagnose")
    declare("plane", "class:0", "seen just now", platform)

    from activesynth.steps.diagnose import diagnose as step

    assert step(str(turn.ref), platform) == before


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (lambda p: class_target("plane", "owl", p), "there are: left, middle, far"),
        (lambda p: class_target("plane", "3", p), "no such class"),
        (lambda p: cluster_target("plane", 4, p), "the clusters 0 to 3"),
        (
            lambda p: slice_target("plane", {"lens": "a"}, p),
            "no attribute 'lens'",
        ),
        (lambda p: slice_target("plane", {"camera": "x"}, p), "value; there are: left, right"),
        (lambda p: corruption_target("plane", "hail", 1.0, p), "hail"),
        (lambda p: corruption_target("plane", "jitter", 1.5, p), "up to 1"),
        (lambda p: class_target("nowhere", "0", p), "no campaign 'nowhere'"),
        (lambda p: declare("plane", "class:0", " ", p), "--reason has 0 characters"),
        (lambda p: withdraw("plane", "class:0", "why", p), "is not declared"),
    ],
)
def test_what_does_not_exist_cannot_be_declared(platform: Platform, target: Any, says: str) -> None:
    ingest(plane_config(**SETTINGS), platform)

    with pytest.raises(ConfigurationError, match=says):
        target(platform)


def test_a_diagnosis_on_demand_opens_no_iteration_and_reads_no_guarded_split(
    platform: Platform,
) -> None:
    start(platform)
    before = platform.lineage.campaign("plane"), platform.lineage.split_reads("plane")

    record = diagnose("plane", "manual__1", platform)

    assert (platform.lineage.campaign("plane"), platform.lineage.split_reads("plane")) == before
    profile = profile_of(record, platform)
    assert (profile.found_on, profile.iteration) == ("B", 1)
    assert CAMERA in {weakness.id for weakness in profile.weaknesses}
    (row,) = platform.reader.diagnoses("plane")
    assert (row["run_key"], row["model"]) == ("manual__1", record.model)
    assert row["first"] == profile.weaknesses[0].title


def test_the_same_run_finds_the_same_diagnosis_whatever_happened_since(platform: Platform) -> None:
    start(platform)
    first = diagnose("plane", "manual__1", platform)
    start(platform)

    again, other = diagnose("plane", "manual__1", platform), diagnose("plane", "2", platform)

    assert again == first
    assert other.document["iteration"] == 2
    assert platform.lineage.record_diagnosis(replace(other, run_key="manual__1")) == first
    assert len(platform.reader.diagnoses("plane")) == 2


def test_a_campaign_without_a_model_cannot_be_diagnosed(platform: Platform) -> None:
    with pytest.raises(ConfigurationError, match="no campaign 'plane'"):
        diagnose("plane", "1", platform)
    ingest(plane_config(**SETTINGS), platform)

    with pytest.raises(ConfigurationError, match="no trained model yet; run an iteration first"):
        diagnose("plane", "1", platform)


def test_the_sweep_and_the_alarm_are_kept_as_metrics(platform: Platform) -> None:
    start(platform, clusters={"count": 4, "delta": 0.3})

    names = {(row["arm"], row["name"]) for row in platform.reader.metrics("plane", 0)}

    assert {("base", "swept_share"), ("base", "swept_error_inside")} <= names
    assert ("targeted", "bias_amplification") in names
    assert ("targeted", "bias_alarm") in names


def test_synthetic_rows_that_neglect_rare_classes_raise_the_alarm_and_others_do_not(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.parts.add("generator", "narrow", Row(f"{__name__}:NarrowGenerator"))
    start(platform)
    calm = [line for line in caplog.messages if "bias amplification" in line]
    narrow = {"name": "narrow"}
    ingest(plane_config(**(SETTINGS | {"name": "narrow", "generator": narrow})), platform)
    run(platform, conf={"campaign": "narrow", "iterations": 1})

    rows = platform.reader.metrics("narrow", 0)
    alarms = {row["slice"]: row["value"] for row in rows if row["name"] == "bias_alarm"}
    assert calm == []
    assert alarms["rare_classes"] == 1.0
    assert any("bias amplification: rare classes [2]" in line for line in caplog.messages)
