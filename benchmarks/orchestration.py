"""The same iteration by `activesynth run` and by a real Airflow, two tasks at a time."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
import yaml
from pydantic import SecretStr

from activesynth.bootstrap import open_platform
from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.config.settings import Settings
from activesynth.embedded.platform import EmbeddedPlatform, PlatformInfo
from activesynth.errors import ActiveSynthError
from activesynth.lineage.migrate import upgrade
from activesynth.operations.ingest import ingest
from activesynth.steps import loop
from benchmarks.database import temporary_platform
from benchmarks.iteration import digits, tiny
from benchmarks.measure import Case, measured
from benchmarks.pictures import fitted_predictor

PROJECT = Path(__file__).parents[1]
DAG = "active_synthesis"
RUN = "benchmark__it0"
PATIENCE = 3600.0
LONGER = 4
"""Times as many optimiser steps as `digits` takes: about five minutes of work."""

_INTERVALS = """SELECT start_date, end_date FROM task_instance
WHERE run_id = %s AND start_date IS NOT NULL AND end_date IS NOT NULL"""


def measure(*, quick: bool) -> list[Case]:
    """Run iteration 0 both ways on databases of their own, and say where Airflow's time went."""
    config = _config(quick=quick)
    fitted_predictor(64)  # torch is loaded here and not within the first step
    with temporary_platform() as (platform, _):
        ingest(config, platform)
        plain, _ = measured(
            "`activesynth run`", lambda: loop.run(platform, conf={"campaign": config.name})
        )
        work = sum(float(row["seconds"]) for row in platform.reader.step_costs(config.name))
    with tempfile.TemporaryDirectory(prefix="activesynth-bench-") as name:
        scheduled = _scheduled(config, Path(name))
    return [plain.noted(f"one process; {work:.1f} s of it inside steps"), *scheduled]


def _scheduled(config: CampaignConfig, folder: Path) -> list[Case]:
    """Return what one DAG run took as a whole, inside steps, around them, and between tasks."""
    campaigns = folder / "campaigns"
    campaigns.mkdir()
    document = config.model_dump(mode="json")
    (campaigns / f"{config.name}.yaml").write_text(yaml.safe_dump(document))
    os.environ["ACTIVESYNTH_CAMPAIGNS"] = str(campaigns)  # of this process, which is our own
    platform = EmbeddedPlatform(folder / "home", PROJECT)
    try:
        info = platform.up(lambda _: None, migrate=upgrade)
        client = platform.client()
        client.wait_for_dag(DAG)
        started = time.perf_counter()
        client.trigger(DAG, RUN, {"campaign": config.name})
        state = client.wait_for_run(DAG, RUN, seconds=PATIENCE)
        seconds = time.perf_counter() - started
        if state != "success":
            raise ActiveSynthError(f"the DAG run ended as {state}; nothing was measured.")
        return accounted(config.name, RUN, info, seconds)
    finally:
        platform.down()


def accounted(campaign: str, run: str, info: PlatformInfo, seconds: float) -> list[Case]:
    """Say where the ``seconds`` of the run of iteration 0 went, as tasks and steps noted them."""
    settings = Settings(
        home=info.home, database_url=SecretStr(str(info.database_url)), device="cpu"
    )
    with open_platform(settings) as platform:
        costs = [row for row in platform.reader.step_costs(campaign) if row["iteration"] == 0]
    inside = sum(float(row["seconds"]) for row in costs)
    memory = max(float(row["peak_memory_mb"]) for row in costs)
    address = str(info.airflow_database_url).replace("+psycopg2", "")
    with closing(psycopg2.connect(address)) as connection:
        cursor = connection.cursor()
        cursor.execute(_INTERVALS, (run,))
        intervals = cursor.fetchall()
    running = sum((end - start).total_seconds() for start, end in intervals)
    idle = max(0.0, seconds - _covered(intervals))
    around = max(0.0, running - inside)
    return [
        Case("Airflow", seconds, None, f"{len(intervals)} tasks; a task's peak {memory:.0f} MiB"),
        Case("of it inside steps", inside, None, "summed over tasks, of which two run at once"),
        Case(
            "of it in tasks, around steps",
            around,
            None,
            f"{around / max(1, len(intervals)):.2f} s a task: start, imports, connections",
        ),
        Case("of it while no task ran", idle, None, "scheduling"),
    ]


def _covered(intervals: list[tuple[datetime, datetime]]) -> float:
    """Return the seconds in which at least one task ran."""
    total, until = 0.0, None
    for start, end in sorted(intervals):
        begins = start if until is None else max(start, until)
        if end > begins:
            total += (end - begins).total_seconds()
            until = end
    return total


def _config(*, quick: bool) -> CampaignConfig:
    document: dict[str, Any] = (tiny() if quick else digits()).model_dump(mode="json")
    document["name"] = "benchmark"
    if not quick:
        steps = document["trainer"]["parameters"].get("steps", 100)
        document["trainer"]["parameters"]["steps"] = LONGER * steps
    return parse_campaign(document, "benchmark")
