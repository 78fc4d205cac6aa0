"""A modality of somebody else's: a package that pip installs, known by its entry points alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from activesynth.embedded.airflow_client import AirflowClient
from activesynth.embedded.platform import EmbeddedPlatform
from outside_packages import EXAMPLE, ROOT, Environment, make_environment

pytestmark = pytest.mark.airflow

DAG = "active_synthesis"
SHARDS = 4
FATAL_CALL = 5
DYING = '''
"""A generator whose process dies in the middle of its fifth call, and never again."""
import os
import signal
from pathlib import Path
from activesynth_plane import PlaneGenerator
from pydantic import BaseModel

FATAL_CALL = 5


class Dying(PlaneGenerator):
    class Parameters(BaseModel):
        calls: Path

    def __init__(self, parameters):
        self._calls = parameters.calls

    def generate(self, state, request, **others):
        with self._calls.open("a") as calls:
            calls.write(f"{os.getpid()} {request.seeds[0]}\\n")
        if len(self._calls.read_text().splitlines()) == FATAL_CALL:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().generate(state, request, **others)
'''

ARTIFACTS = (
    "select iteration, name, shard, key, value from activesynth.steps, jsonb_each_text(artifacts)"
    " where campaign = 'plane' order by 1, 2, 3, 4"
)
VERSIONS = (
    "select digest, parent from activesynth.dataset_versions where campaign = 'plane' order by 1"
)
MADE = (
    "select shard, split_part(host, ':', 2), is_reused from activesynth.steps "
    "where campaign = %s and name = 'generate' order by 1"
)


@dataclass(frozen=True)
class Place:
    """A platform in a home of its own, driven by a Python that has the packages."""

    environment: Environment
    home: Path
    campaigns: Path

    @property
    def variables(self) -> dict[str, str]:
        return {
            "ACTIVESYNTH_HOME": str(self.home),
            "ACTIVESYNTH_CAMPAIGNS": str(self.campaigns),
        }

    def activesynth(self, *words: str, code: int = 0) -> str:
        done = self.environment.run("activesynth.cli", *words, variables=self.variables, code=code)
        assert "Traceback" not in done.stderr
        return done.stdout

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        url = self.environment.json("activesynth.cli", "status", variables=self.variables)
        address = str(url["database_url"]).replace("+psycopg2", "")
        with closing(psycopg2.connect(address)) as connection:
            cursor = connection.cursor()
            cursor.execute(query, values or None)
            return cursor.fetchall()

    def client(self) -> AirflowClient:
        return EmbeddedPlatform(self.home, ROOT).client()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install the example, and a generator that dies."""
    made = make_environment(tmp_path_factory.mktemp("outside") / "venv")
    made.install(EXAMPLE)
    made.add("activesynth_dying", DYING, generators="dying = activesynth_dying:Dying")
    return made


def make_place(environment: Environment, folder: Path) -> Place:
    campaigns = folder / "campaigns"
    campaigns.mkdir()
    shutil.copy(EXAMPLE / "plane.yaml", campaigns)
    dying = {
        **yaml.safe_load((EXAMPLE / "plane.yaml").read_text()),
        "name": "dying",
        "generator": {"name": "dying", "parameters": {"calls": str(folder / "calls")}},
        # Points that nobody blurs: no weakness is made by another generator. Some must be found.
        "diagnosis": {"corruptions": [], "margin": 0.0},
        "plan": {"shards": SHARDS},
    }
    (campaigns / "dying.yaml").write_text(yaml.safe_dump(dying))
    return Place(environment, folder / "home", campaigns)


@pytest.fixture(scope="module")
def scheduled(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Start a whole platform, Airflow included."""
    place = make_place(environment, tmp_path_factory.mktemp("scheduled"))
    try:
        place.activesynth("up")
        place.client().wait_for_dag(DAG)
        yield place
    finally:
        place.activesynth("down")


@pytest.fixture(scope="module")
def plain(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return a place whose commands start PostgreSQL alone."""
    place = make_place(environment, tmp_path_factory.mktemp("plain"))
    try:
        yield place
    finally:
        place.activesynth("down")


@pytest.fixture(scope="module")
def driven(plain: Place) -> Place:
    """Run two iterations of the example without Airflow."""
    assert "plane, iteration 1" in plain.activesynth("run", "plane", "--iterations", "2")
    return plain


def test_a_modality_known_by_entry_points_alone_runs_two_iterations_by_both_drivers(
    scheduled: Place, driven: Place
) -> None:
    client = scheduled.client()
    client.trigger(DAG, "plane__it0", {"campaign": "plane", "iterations": 2})
    ended = [client.wait_for_run(DAG, f"plane__it{n}", seconds=300) for n in (0, 1)]

    assert ended == ["success", "success"]
    by_airflow = scheduled.rows(ARTIFACTS)
    assert {row[0] for row in by_airflow} == {0, 1}
    assert by_airflow == driven.rows(ARTIFACTS)
    assert len(scheduled.rows(VERSIONS)) >= 2
    assert scheduled.rows(VERSIONS) == driven.rows(VERSIONS)


def test_its_perturbation_is_tried_and_its_weakness_is_made_data_for(driven: Place) -> None:
    tried = driven.rows(
        "select distinct slice from activesynth.metrics where campaign = 'plane' "
        "and slice like 'corruption:jitter%'"
    )
    made = driven.rows("select count(*) from activesynth.sample_parents where campaign = 'plane'")
    by_severity = {("corruption:jitter@0.5",), ("corruption:jitter@1",)}
    assert set(tried) == by_severity | {("corruption:jitter",)}  # the last: what its data brought
    assert made[0][0] > 0


def test_reports_exports_and_questions_do_without_pictures(driven: Place, tmp_path: Path) -> None:
    report = Path(driven.activesynth("report", "plane", "--test").splitlines()[0])
    driven.activesynth("export", "version", "plane", str(tmp_path / "version"))
    shown = driven.activesynth("show", "samples", "plane")

    assert "<figure" not in report.read_text()
    assert (tmp_path / "version" / "data.parquet").is_file()
    assert shown


def computed(place: Place) -> list[tuple[int, int]]:
    """Return (process, first seed) of every call of the generator, in order."""
    lines = (place.campaigns.parent / "calls").read_text().splitlines()
    return [(int(pid), int(seed)) for pid, seed in map(str.split, lines)]


def check_resumed(place: Place) -> None:
    """Only the shard that was being made when the process died was begun twice."""
    calls = computed(place)
    killed, _ = calls[FATAL_CALL - 1]
    shards = place.rows(MADE, "dying")
    seeds = [seed for _, seed in calls]
    twice = {seed for seed in seeds if seeds.count(seed) > 1}
    begun_by_killed = [seed for pid, seed in calls if pid == killed]

    assert [shard for shard, _, _ in shards] == list(range(SHARDS))
    assert not any(is_reused for _, _, is_reused in shards)
    assert len(set(seeds)) == 2 * SHARDS
    assert len(seeds) == 2 * SHARDS + len(twice)
    # One call for the targeted candidates of a shard, one for the untargeted ones.
    assert 1 <= len(twice) <= 2
    assert twice <= set(begun_by_killed)


def test_a_killed_command_makes_only_the_shards_that_are_missing(plain: Place) -> None:
    plain.activesynth("run", "dying", code=-9)
    first = computed(plain)
    kept = plain.rows(MADE, "dying")
    plain.activesynth("run", "dying")

    assert len(first) == FATAL_CALL
    assert [shard for shard, _, _ in kept] == [0, 1]  # two calls each; the third shard died
    check_resumed(plain)
    assert plain.rows(MADE, "dying")[:2] == kept


def test_a_killed_mapped_task_makes_only_its_own_shard_again(scheduled: Place) -> None:
    client = scheduled.client()
    client.trigger(DAG, "dying__it0", {"campaign": "dying", "iterations": 1})
    ended = client.wait_for_run(DAG, "dying__it0", seconds=300)
    tries = [
        task.attempt
        for task in client.task_instances(DAG, "dying__it0")
        if task.task_id == "generate"
    ]

    assert ended == "success"
    assert len(tries) == SHARDS
    assert max(tries) > 1
    check_resumed(scheduled)


def test_the_contract_suites_run_over_its_parts(environment: Environment) -> None:
    chosen = ["-k", "plane or jitter", "-q", "-p", "no:cacheprovider"]
    done = environment.run(
        "pytest", "tests/contract", *chosen, variables={"ACTIVESYNTH_CONTRACT": "plane_contract"}
    )

    assert int(done.stdout.split(" passed")[0].split()[-1]) >= 25
