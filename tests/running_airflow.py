"""A real Airflow on one machine for tests of DAGs, and what they ask of it and of the database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import yaml

from activesynth.embedded.airflow_client import AirflowClient
from activesynth.embedded.platform import EmbeddedPlatform
from activesynth.lineage.migrate import upgrade
from tiny_campaign import TINY

ROOT = Path(__file__).parents[1]
DAG = "active_synthesis"

ARTIFACTS = (
    "select iteration, name, shard, key, value from activesynth.steps, jsonb_each_text(artifacts)"
    " where campaign = %s order by 1, 2, 3, 4"
)
ITERATIONS = (
    "select number, state, fence from activesynth.iterations where campaign = %s order by 1"
)
DOUBLED = (
    "select iteration, arm, split, slice, name, seed from activesynth.metrics "
    "where campaign = %s group by 1, 2, 3, 4, 5, 6 having count(*) > 1"
)
VERSIONS = "select digest, parent from activesynth.dataset_versions where campaign = %s order by 1"


def write_campaign(folder: Path, name: str, **changes: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, **TINY, **changes}))


@dataclass(frozen=True)
class Running:
    platform: EmbeddedPlatform
    client: AirflowClient
    campaigns: Path

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return rows_of(str(self.platform.status().database_url), query, *values)

    def start(self, campaign: str, run_id: str, **conf: object) -> None:
        self.client.wait_for_dag(DAG)
        self.client.trigger(DAG, run_id, {"campaign": campaign, **conf})

    def states(self, run_id: str) -> dict[str, str | None]:
        return {t.task_id: t.state for t in self.client.task_instances(DAG, run_id)}

    def ended_run(self, campaign: str) -> str:
        """Return a run of the campaign that failed."""
        runs = self.client._pages(f"/api/v2/dags/{DAG}/dagRuns", "dag_runs")
        keys = [run["dag_run_id"] for run in runs if run["state"] == "failed"]
        return str(next(key for key in keys if key.startswith(campaign)))

    def told(self, asset: str) -> list[str]:
        """Return the runs that told of an asset, oldest first."""
        events = self.client._pages("/api/v2/assets/events", "asset_events")
        told = [e for e in events if e["name"] == asset]
        return [e["source_run_id"] for e in sorted(told, key=lambda event: int(event["id"]))]

    def wait_until(self, what: Callable[[], bool], seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, "the awaited state did not come"
            time.sleep(0.3)


def rows_of(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        cursor.execute(query, values)
        return cursor.fetchall()


@contextmanager
def running_airflow(folder: Path) -> Iterator[Running]:
    """Run a platform with the campaigns and experiments that lie in ``folder``."""
    campaigns = folder / "campaigns"
    told = {"CAMPAIGNS": campaigns, "EXPERIMENTS": folder / "experiments"}
    before = {name: os.environ.get(f"ACTIVESYNTH_{name}") for name in told}
    os.environ.update({f"ACTIVESYNTH_{name}": str(path) for name, path in told.items()})
    platform = EmbeddedPlatform(folder / "home", ROOT)
    try:
        platform.up(lambda _: None, migrate=upgrade)
        yield Running(platform, platform.client(), campaigns)
    finally:
        platform.down()
        for name, value in before.items():
            os.environ.pop(f"ACTIVESYNTH_{name}")
            if value is not None:
                os.environ[f"ACTIVESYNTH_{name}"] = value


@contextmanager
def plain_driver(home: Path) -> Iterator[Callable[[str, int], str]]:
    """Give what runs a campaign without Airflow, and returns the address of its database."""
    plain = EmbeddedPlatform(home, ROOT)
    try:
        url = str(plain.up(lambda _: None, with_airflow=False, migrate=upgrade).database_url)

        def run(campaign: str, iterations: int) -> str:
            command = [sys.executable, "-m", "activesynth.cli", "run", campaign]
            subprocess.run(
                [*command, "--iterations", str(iterations)],
                env={**os.environ, **plain.environment()},
                cwd=ROOT,
                check=True,
                capture_output=True,
            )
            return url

        yield run
    finally:
        plain.down()


@contextmanager
def plain_run(home: Path, campaign: str, iterations: int) -> Iterator[str]:
    """Run a campaign without Airflow; give the address of its database."""
    with plain_driver(home) as run:
        yield run(campaign, iterations)


def kill_part(running: Running, part: str) -> None:
    """Kill one part and wait until it is gone, or `up` might still see it run."""
    os.kill(running.platform.status().parts[part] or 0, signal.SIGKILL)
    running.wait_until(lambda: running.platform.status().parts[part] is None)
