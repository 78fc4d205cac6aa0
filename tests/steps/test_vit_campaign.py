"""A campaign by the Vision Transformer, on pictures drawn by code, with real parts throughout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from activesynth.bootstrap import open_platform
from activesynth.config.campaign import parse_campaign
from activesynth.config.settings import Settings
from activesynth.domain.platform import Platform
from activesynth.errors import InputError
from activesynth.operations.ingest import ingest
from activesynth.steps.loop import run
from activesynth.steps.turn import open_turn
from fakes import write_npz
from tiny_campaign import TINY

VIT: dict[str, Any] = {
    "width": 16,
    "depth": 1,
    "heads": 2,
    "patch": 4,
    "members": 2,
    "steps": 15,
    "pretrain_steps": 5,
    "device": "cpu",
}


def write_stripes(path: Path, count: int = 500) -> None:
    """Write colour pictures of 12 x 16 pixels whose class is the direction of their stripes."""
    generator = np.random.default_rng(0)
    y = np.arange(count) % 3
    rows, columns = np.mgrid[:12, :16]
    directions = np.stack([rows, columns, rows + columns])[y]
    phase = generator.integers(0, 6, (count, 1, 1))
    stripes = ((directions + phase) // 3 % 2)[..., None] * generator.integers(
        60, 120, (count, 1, 1, 3)
    )
    x = stripes + generator.integers(0, 120, (count, 12, 16, 3))
    write_npz(path, x.astype(np.uint8), y)


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open a platform of real adapters, as the command line does."""
    settings = Settings(database_url=SecretStr(database_url), home=tmp_path / "home")
    with open_platform(settings) as opened:
        yield opened


def campaign(folder: Path, **parameters: Any) -> Any:
    write_stripes(folder / "stripes.npz")
    changes = {
        "name": "stripes",
        "source": {"name": "npz", "parameters": {"path": str(folder / "stripes.npz")}},
        "sampling": {"label_budget": 80},
        "trainer": {"name": "vit", "parameters": VIT | parameters},
        "diagnosis": {"corruptions": ["noise"], "severities": [1.0]},
    }
    return parse_campaign({**TINY, **changes}, "stripes")


def test_a_campaign_by_the_transformer_runs_to_its_commit(
    platform: Platform, tmp_path: Path
) -> None:
    ingest(campaign(tmp_path), platform)

    (iteration,) = run(platform, conf={"campaign": "stripes"})

    turn = open_turn(iteration, platform)
    assert turn.record.state == "committed"
    card = turn.card(turn.step("retrain", 0).artifacts["model0"])
    assert card.part == "vit"
    assert card.facts["architecture"]["token_width"] == 16
    vectors = turn.artifacts.arrays(turn.step("embed").artifacts["train"])["vectors"]
    assert vectors.shape[1] == 16


def test_a_patch_that_does_not_fit_is_refused_before_anything_is_visible(
    platform: Platform, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"patch` is 5.*12 x 16.*\[1, 2, 4\]") as refused:
        ingest(campaign(tmp_path, patch=5), platform)

    assert refused.value.reason == "patch_size"
    assert platform.reader.campaigns() == []
    assert list(platform.objects.digests()) == []
