"""One iteration of the campaign `digits`, step by step, and the same work asked for again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from activesynth.config.campaign import CampaignConfig, parse_campaign, read_campaign
from activesynth.domain.platform import Platform
from activesynth.domain.records import IterationRef
from activesynth.operations.ingest import ingest
from activesynth.steps.begin import begin
from activesynth.steps.loop import iterate
from benchmarks.database import temporary_platform
from benchmarks.measure import Case, measured
from benchmarks.pictures import fitted_predictor

CAMPAIGN = Path(__file__).parents[1] / "campaigns" / "digits.yaml"


def measure(*, quick: bool) -> list[Case]:
    """Run iteration 0 in this process, then all its steps again, which finds every result."""
    config = _tiny() if quick else read_campaign(CAMPAIGN)
    fitted_predictor(64)  # torch is loaded here and not within the first step
    with temporary_platform() as (platform, _):
        ingest(config, platform)
        reference = begin("benchmark", {"campaign": config.name}, platform)
        whole, _ = measured("iteration", lambda: iterate(reference, platform))
        again, _ = measured("the same run, repeated", lambda: iterate(reference, platform))
        steps = _steps(platform, IterationRef.parse(reference))
    return [whole, again, *steps]


def _steps(platform: Platform, ref: IterationRef) -> list[Case]:
    """Return the recorded seconds of each step, its shards summed, the slowest first."""
    rows = platform.reader.step_costs(ref.campaign)
    rows.sort(key=lambda row: float(row["seconds"]), reverse=True)
    return [
        Case(f"step {row['step']}", float(row["seconds"]), None, _shards(int(row["shards"])))
        for row in rows
    ]


def _shards(count: int) -> str:
    return f"{count} shards" if count > 1 else ""


def _tiny() -> CampaignConfig:
    """Return the campaign with everything small enough for a smoke test."""
    document: dict[str, Any] = read_campaign(CAMPAIGN).model_dump(mode="json")
    document["trainer"] = {
        "name": "cnn",
        "parameters": {
            "width": 8,
            "hidden": 16,
            "members": 2,
            "steps": 10,
            "pretrain_steps": 10,
            "device": "cpu",
        },
    }
    parameters = {"steps": 30, "width": 16, "sampling_steps": 3, "device": "cpu"}
    document["generator"] = {"name": "diffusion", "parameters": parameters}
    document["uncertainty"]["passes"] = 5
    document["training"]["replicates"] = 1
    document["evaluation"]["resamples"] = 100
    return parse_campaign(document, "benchmark")
