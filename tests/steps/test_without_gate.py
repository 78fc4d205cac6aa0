"""With the gate off nothing is compared or promoted, and what people labelled is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.errors import ConfigurationError
from activesynth.experiments.report import summarise_campaign
from activesynth.experiments.words import plain_words
from activesynth.operations.ingest import ingest
from activesynth.steps.loop import run
from activesynth.steps.turn import Turn, open_turn
from toy_plane import plane_config, plane_platform

OFF: dict[str, Any] = {"gate": {"enabled": False}}
NO_GATE_ROWS: dict[str, Any] = {
    "splits": {"train": 0.3, "pool": 0.2, "guide": 0.25, "judge": 0.15, "gate": 0.0, "test": 0.1}
}


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def start(platform: Platform, iterations: int = 1, **changes: Any) -> list[Turn]:
    ingest(plane_config(**changes), platform)
    ids = run(platform, conf={"campaign": "plane", "iterations": iterations})
    return [open_turn(one, platform) for one in ids]


def test_an_iteration_that_is_not_gated_says_so_and_reads_no_gate(platform: Platform) -> None:
    (turn,) = start(platform, **OFF)

    assert turn.record.decision == "not_gated"
    assert str(turn.record.reason).startswith("not gated: `gate.enabled` is false; with ")
    assert platform.lineage.split_reads("plane") == []
    scored = [row for row in platform.reader.metrics("plane", 0) if row["split"] == "gate"]
    assert [row["name"] for row in scored] == ["detectable_lift"]


def test_bought_labels_join_the_head_and_no_synthetic_row_does(platform: Platform) -> None:
    first, second = start(platform, iterations=2, **OFF)

    campaign = platform.lineage.campaign("plane")
    head = DatasetManifest.decode(platform.objects.get(str(campaign.head)))
    before = len(load_split(platform.objects, first.manifest, "train"))
    assert len(load_split(platform.objects, head, "train")) == before + 20
    assert head.synthetic == ()
    assert campaign.head_model is None
    assert second.step("retrain", 3).facts["synthetic_rows"] > 0


def test_without_new_labels_the_head_stays_and_its_model_serves(platform: Platform) -> None:
    (turn,) = start(platform, **OFF, selection={"strategy": "margin", "labels": 0})

    campaign = platform.lineage.campaign("plane")
    assert campaign.head == turn.record.parent
    assert campaign.head_model == turn.step("train").artifacts["model"]


def test_no_row_needs_to_be_held_back_for_a_gate_that_is_off(platform: Platform) -> None:
    (turn,) = start(platform, **OFF, **NO_GATE_ROWS)

    rows = {row["name"]: row for row in platform.reader.metrics("plane", 0) if row["arm"] == "base"}
    guide = len(load_split(platform.objects, turn.manifest, "guide"))
    assert rows["detectable_lift"]["split"] == "guide"
    assert rows["detectable_lift"]["n"] == guide
    words = plain_words(summarise_campaign(platform, turn.config))
    assert any("the gate is off, so nothing was promoted" in line for line in words.not_gained)
    assert words.limits[0].startswith(f"With {guide} rows in guide")


def test_a_gate_without_rows_is_refused_in_the_file() -> None:
    with pytest.raises(ConfigurationError, match=r"gate: \{enabled: false\}"):
        plane_config(**NO_GATE_ROWS)


def test_a_gate_switched_on_later_without_rows_is_refused_and_the_next_run_is_free(
    platform: Platform,
) -> None:
    start(platform, **OFF, **NO_GATE_ROWS)
    ingest(plane_config(), platform)

    with pytest.raises(ConfigurationError, match="has no rows in `gate`"):
        run(platform, conf={"campaign": "plane", "iterations": 1})

    ingest(plane_config(**OFF, **NO_GATE_ROWS), platform)
    assert len(run(platform, conf={"campaign": "plane", "iterations": 1})) == 1
