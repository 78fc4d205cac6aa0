"""One iteration of `digits`, seconds and bytes by step, and the same work asked for again."""

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
    config = tiny() if quick else digits()
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
        Case(
            f"step {row['step']}",
            float(row["seconds"]),
            None,
            _note(int(row["shards"]), _written(platform, ref, str(row["step"]))),
        )
        for row in rows
    ]


def _written(platform: Platform, ref: IterationRef, step: str) -> int:
    """Return the bytes of a step's artifacts, each blob once; what it only links to counts too."""
    records = platform.lineage.steps(ref, step)
    digests = {digest for record in records for digest in record.artifacts.values()}
    return sum(platform.objects.size(digest) for digest in digests)


def _note(shards: int, size: int) -> str:
    return f"{size / 1024:.0f} KiB" + (f", {shards} shards" if shards > 1 else "")


def digits() -> CampaignConfig:
    """Return the campaign as it is."""
    return read_campaign(CAMPAIGN)


def tiny() -> CampaignConfig:
    """Return the campaign with everything small enough for a smoke test."""
    document: dict[str, Any] = digits().model_dump(mode="json")
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
