"""A few samples before anything is started: those of the newest generator, kept nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.config.proposal import parse_preview
from activesynth.domain.canonical import derive_seed
from activesynth.domain.platform import Platform
from activesynth.errors import ConfigurationError
from activesynth.operations.declare import declare
from activesynth.operations.ingest import ingest
from activesynth.operations.preview import preview
from activesynth.steps.loop import run
from activesynth.steps.turn import open_turn
from toy_plane import plane_config, plane_platform

BLUR = "corruption:jitter@0.9"


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    with plane_platform(database_url, tmp_path) as opened:
        ingest(plane_config(), opened)
        declare("plane", BLUR, "winter", opened)
        declare("plane", "class:1", "the middle", opened)
        yield opened


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("a preview writes nothing")


class ReadOnly:
    """An object store that takes nothing."""

    put = staticmethod(refuse)
    delete = staticmethod(refuse)

    def __init__(self, store: Any) -> None:
        self.get, self.has, self.size = store.get, store.has, store.size


def test_a_preview_is_of_the_weakness_equal_each_time_and_written_nowhere(
    platform: Platform,
) -> None:
    (iteration_id,) = run(platform, conf={"campaign": "plane"})
    untouched: Any = ReadOnly(platform.objects)
    reading = replace(platform, objects=untouched)

    request = parse_preview({"weakness": "class:1", "rows": 5})
    made, again = (preview("plane", request, reading) for _ in range(2))

    turn = open_turn(iteration_id, platform)
    card = turn.step("fit_generator").artifacts["generator"]
    means = turn.state(card).tensors["means"]
    seeds = [derive_seed(turn.seed("generate", "preview"), row) for row in range(5)]
    points = [means[1] + np.random.default_rng(s).normal(size=2).astype(np.float32) for s in seeds]
    assert made.weakness == "declared:class:1"
    assert made.labels == ("middle",) * 5
    assert made.pixels is None
    for text, point in zip(made.values, points, strict=True):
        shown = [float(part) for part in text.strip("[]").split(",")]
        assert shown == pytest.approx(point.tolist(), abs=1e-3)
    assert made.values == again.values


def test_a_corruption_is_previewed_on_copies_of_real_rows(platform: Platform) -> None:
    run(platform, conf={"campaign": "plane"})

    made = preview("plane", parse_preview({"weakness": BLUR, "rows": 6}), platform)

    assert len(made.values) == 6
    assert set(made.labels) == {"left", "middle", "far"}


def test_what_cannot_be_previewed_is_said(platform: Platform) -> None:
    request = parse_preview({"weakness": "class:7"})
    with pytest.raises(ConfigurationError, match="has committed no iteration yet"):
        preview("plane", request, platform)
    run(platform, conf={"campaign": "plane"})

    with pytest.raises(ConfigurationError, match="lists no weakness 'class:7'; there are: "):
        preview("plane", request, platform)
    with pytest.raises(ConfigurationError, match="rows"):
        parse_preview({"weakness": "class:1", "rows": 9})
    with pytest.raises(ConfigurationError, match="no campaign 'nowhere'"):
        preview("nowhere", request, platform)
