"""The campaign whose steps are measured: everything tiny but the number of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from activesynth.config.campaign import CampaignConfig, parse_campaign

NAME = "scale"
SHARDS = 4
_SPLITS = {"train": 0.6, "pool": 0.3, "guide": 0.04, "judge": 0.02, "gate": 0.02, "test": 0.02}
_SMALL = {"train": 0.4, "pool": 0.2, "guide": 0.1, "judge": 0.1, "gate": 0.1, "test": 0.1}


def campaign(source: Path, rows: int) -> CampaignConfig:
    """Return the campaign on an archive; few training steps, so that rows and not epochs count."""
    trainer = {
        "width": 4,
        "hidden": 16,
        "members": 2,
        "steps": 20,
        "pretrain_steps": 20,
        "device": "cpu",
    }
    generator = {"steps": 30, "width": 16, "sampling_steps": 3, "device": "cpu"}
    document: dict[str, Any] = {
        "name": NAME,
        "source": {"name": "npz", "parameters": {"path": str(source)}},
        "splits": _SPLITS if rows >= 5000 else _SMALL,
        "trainer": {"name": "cnn", "parameters": trainer},
        "generator": {"name": "diffusion", "parameters": generator},
        "uncertainty": {"passes": 2},
        "diagnosis": {"corruptions": ["blur"], "severities": [1.0]},
        "plan": {"oversample": 1.5, "shards": SHARDS, "shard_rows": 1_000_000},
        "training": {"replicates": 1},
        "evaluation": {"resamples": 100},
        "audits": {"run": []},
    }
    return parse_campaign(document, "benchmark")
