"""Ingest and refresh, and both once more with nothing changed."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.datasets.digits import DigitsSource
from activesynth.operations.ingest import ingest
from activesynth.operations.refresh import refresh
from benchmarks.database import temporary_platform
from benchmarks.measure import Case, measured


def measure(*, quick: bool) -> list[Case]:
    """Ingest digits twice, add the rest of them, refresh, and refresh once more."""
    rows = 400 if quick else 1797
    with temporary_platform() as (platform, folder):
        path = folder / "digits.npz"
        config = _config(path)
        _write(path, rows * 5 // 6)
        first, _ = measured("first ingest", lambda: ingest(config, platform))
        again, _ = measured("second ingest", lambda: ingest(config, platform))
        _write(path, rows)
        days = ("2026-09-01", "2026-09-02")
        fresh, night = (partial(refresh, config.name, day, platform) for day in days)
        grown, found = measured("first refresh", fresh)
        same, unchanged = measured("second refresh", night)
        notes = [
            f"{rows * 5 // 6} rows",
            "nothing changed",
            f"{sum(found.added.values())} new rows",
            f"{sum(unchanged.added.values())} new rows",
        ]
    cases = (first, again, grown, same)
    return [case.noted(note) for case, note in zip(cases, notes, strict=True)]


def _config(path: Path) -> CampaignConfig:
    source = {"name": "npz", "parameters": {"path": str(path)}}
    return parse_campaign({"name": "repeats", "source": source}, "benchmark")


def _write(path: Path, rows: int) -> None:
    samples = DigitsSource().read().samples
    np.savez(path, x=samples.x[:rows], y=samples.y[:rows])
