"""One real Airflow, in a long path with spaces, and a small DAG through scheduler and executor."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg2
import pytest

from activesynth.embedded import processes
from activesynth.embedded.airflow_client import AirflowClient
from activesynth.embedded.airflow_parts import PARTS
from activesynth.embedded.platform import EmbeddedPlatform, PlatformInfo
from activesynth.errors import InputError, PlatformStateError, TransientError

pytestmark = pytest.mark.airflow

_LOOPBACK = "0100007F"
_LISTENING = "0A"
_SECRET = "very-secret-key"
_DAG = '''
"""A small DAG: one task that computes with torch, one that may wait to be killed."""

from datetime import timedelta
from airflow.sdk import dag, task


@dag(dag_id="trivial", schedule=None, params={"count": 1, "hold": ""})
def trivial():
    @task(pool="gpu", retries=3, retry_delay=timedelta(seconds=1))
    def compute(params=None):
        import os, sys, time
        from pathlib import Path

        was_imported = "torch" in sys.modules
        import torch

        image, kernel = torch.ones(1, 1, 32, 32), torch.ones(4, 1, 3, 3)
        value = torch.nn.functional.conv2d(image, kernel).sum().item() * params["count"]
        if params["hold"] and not Path(params["hold"]).exists():
            Path(params["hold"]).write_text(str(os.getpid()))
            time.sleep(300)
        return {
            "value": value,
            "was_imported": was_imported,
            "threads": torch.get_num_threads(),
            "home": os.environ["ACTIVESYNTH_HOME"],
            "database": os.environ["ACTIVESYNTH_DATABASE_URL"],
            "objects": os.environ["ACTIVESYNTH_OBJECTS_URL"],
            "has_key": os.environ["ACTIVESYNTH_S3_SECRET_KEY"] == "very-" + "secret-key",
        }

    @task
    def write(found, run_id=None):
        import json, os
        from pathlib import Path

        path = Path(os.environ["ACTIVESYNTH_HOME"]).parent / (run_id + ".json")
        path.write_text(json.dumps(found))

    write(compute())


trivial()
'''


@dataclass(frozen=True)
class Running:
    folder: Path
    platform: EmbeddedPlatform
    info: PlatformInfo
    client: AirflowClient
    modes_before: list[int]

    def run(self, run_id: str, **conf: object) -> str:
        self.client.trigger("trivial", run_id, conf)
        return self.client.wait_for_run("trivial", run_id, seconds=120)

    def result(self, run_id: str) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.folder / f"{run_id}.json").read_text())
        return found

    def kill(self, part: str) -> None:
        """Kill one part and wait until it is gone, or `up` might still see it run."""
        os.kill(self.platform.status().parts[part] or 0, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while self.platform.status().parts[part] is not None:
            assert time.monotonic() < deadline, f"{part} outlived SIGKILL"
            time.sleep(0.05)


def silent(_: str) -> None:
    """Report nothing."""


def modes_above(folder: Path) -> list[int]:
    return [stat.S_IMODE(path.stat().st_mode) for path in folder.parents]


def sessions(info: PlatformInfo) -> set[int]:
    return {pid for part, pid in info.parts.items() if pid is not None and part in PARTS}


def members(of: set[int]) -> list[processes.Process]:
    return [found for found in processes.running() if found.session in of]


def listening_addresses(of: list[processes.Process]) -> set[tuple[str, int]]:
    """Return (address in hexadecimal, port) of every TCP socket that these processes listen on."""
    inodes: set[str] = set()
    for process in of:
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                inodes.add(str(descriptor.readlink()))
            except OSError:
                continue  # closed meanwhile
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    found = {fields[1] for fields in lines if fields[3] == _LISTENING and is_in(fields[9], inodes)}
    return {(text.split(":")[0], int(text.split(":")[1], 16)) for text in found}


def is_in(inode: str, inodes: set[str]) -> bool:
    return f"socket:[{inode}]" in inodes


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("airflow") / "a folder with spaces" / ("long" * 30)
    (folder / "dags here").mkdir(parents=True)
    (folder / "dags here/trivial.py").write_text(_DAG)
    before = modes_above(folder / ".activesynth")
    platform = EmbeddedPlatform(folder / ".activesynth", folder, dags=folder / "dags here")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ACTIVESYNTH_OBJECTS_URL", "s3://bucket/prefix")
        environment.setenv("ACTIVESYNTH_S3_SECRET_KEY", _SECRET)
        try:
            info = platform.up(silent)
            client = platform.client()
            client.wait_for_dag("trivial")
            yield Running(folder, platform, info, client, before)
        finally:
            platform.down()


def test_a_dag_runs_through_scheduler_and_executor(running: Running) -> None:
    assert running.run("first", count=2) == "success"

    found = running.result("first")
    assert found["value"] == 4 * 30 * 30 * 9 * 2
    assert found["home"] == str(running.folder / ".activesynth")
    assert found["database"] == running.info.database_url
    tasks = running.client.task_instances("trivial", "first")
    assert {task.task_id: task.state for task in tasks} == {
        "compute": "success",
        "write": "success",
    }


def test_tasks_are_told_of_the_object_store_and_its_key_is_in_no_command_line_and_no_file(
    running: Running,
) -> None:
    assert running.run("told") == "success"

    found = running.result("told")
    assert (found["objects"], found["has_key"]) == ("s3://bucket/prefix", True)
    commands = [
        Path(f"/proc/{found.pid}/cmdline").read_bytes()
        for found in members(sessions(running.platform.status()))
        if Path(f"/proc/{found.pid}").exists()
    ]
    files = [path for path in running.folder.rglob("*") if path.is_file()]  # Postgres's too
    assert len(commands) > 4
    assert len(files) > 100
    assert not any(_SECRET.encode() in command for command in commands)
    assert not [path for path in files if _SECRET.encode() in path.read_bytes()]


def test_a_scheduler_that_beats_is_far_from_being_taken_for_dead(running: Running) -> None:
    address = str(running.platform.status().airflow_database_url).replace("+psycopg2", "")
    age = (
        "select extract(epoch from clock_timestamp() - latest_heartbeat) from job "
        "where job_type = 'SchedulerJob' and state = 'running'"
    )
    ages = []
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for _ in range(60):
            cursor.execute(age)
            ages.append(float(cursor.fetchall()[0][0]))
            time.sleep(0.1)

    # A scheduler that takes itself for dead starts its own running tasks a second time.
    scheduler = running.platform.status().parts["scheduler"]
    environment = Path(f"/proc/{scheduler}/environ").read_text().split("\0")
    name = "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD="
    limit = next(float(line.removeprefix(name)) for line in environment if line.startswith(name))
    assert median(ages) < limit / 4


def test_another_object_store_is_refused_while_airflow_runs(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = running.platform.status()
    monkeypatch.setenv("ACTIVESYNTH_OBJECTS_URL", "s3://another")
    monkeypatch.delenv("ACTIVESYNTH_S3_SECRET_KEY")

    wanted = "values of ACTIVESYNTH_OBJECTS_URL, ACTIVESYNTH_S3_SECRET_KEY.*`activesynth down`"
    with pytest.raises(PlatformStateError, match=wanted):
        running.platform.up(silent)

    assert running.platform.status() == before


def test_tasks_find_torch_imported_and_compute_in_one_thread(running: Running) -> None:
    assert running.run("preloaded") == "success"

    found = running.result("preloaded")
    assert found["was_imported"] is True
    assert found["threads"] == 1


def test_a_run_id_is_given_out_once(running: Running) -> None:
    assert running.client.trigger("trivial", "once", {})
    assert not running.client.trigger("trivial", "once", {})

    assert running.client.wait_for_run("trivial", "once", seconds=60) == "success"
    assert running.client.run_state("trivial", "never") is None


@pytest.mark.parametrize("path", ["/api/v2/dags", "/api/v2/pools", "/api/v2/variables"])
def test_an_anonymous_request_is_refused(running: Running, path: str) -> None:
    with pytest.raises(HTTPError, match="401"):
        urlopen(f"{running.info.url}{path}", timeout=30)


def test_a_wrong_password_is_refused(running: Running) -> None:
    stranger = AirflowClient(str(running.info.url), "admin", "admin")

    with pytest.raises(TransientError, match="401"):
        stranger.run_state("trivial", "first")


def test_only_the_port_of_the_ui_listens_and_only_on_loopback(running: Running) -> None:
    info = running.platform.status()
    postgres = [processes.find(info.parts["postgres"] or 0)]
    ours = members(sessions(info)) + [found for found in postgres if found is not None]

    port = int(str(info.url).rpartition(":")[2])

    assert listening_addresses(ours) == {(_LOOPBACK, port)}


def test_up_again_changes_nothing(running: Running) -> None:
    told: list[str] = []
    before = running.platform.status()

    after = running.platform.up(told.append)

    assert after == before
    assert told == ["PostgreSQL is up already", f"Airflow is up already at {before.url}"]


def test_the_pool_for_gpus_has_a_slot(running: Running) -> None:
    psql = [*running.platform.psql_command("airflow"), "-XqAt"]

    rows = subprocess.run(
        [*psql, "-c", "SELECT slots FROM slot_pool WHERE pool = 'gpu'"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert int(rows) >= 1


def test_a_killed_task_is_tried_again_and_the_run_ends_well(running: Running) -> None:
    hold = running.folder / "killed task"
    running.client.trigger("trivial", "task", {"hold": str(hold)})
    assert processes.wait_until(lambda: hold.exists() and hold.read_text() != "", seconds=60)

    os.kill(int(hold.read_text()), signal.SIGKILL)

    assert running.client.wait_for_run("trivial", "task", seconds=60) == "success"
    tasks = running.client.task_instances("trivial", "task")
    assert {task.task_id: task.attempt for task in tasks} == {"compute": 2, "write": 1}


def test_a_killed_scheduler_and_a_killed_postgres_are_healed_and_the_run_ends_well(
    running: Running,
) -> None:
    hold = running.folder / "killed scheduler"
    running.client.trigger("trivial", "scheduler", {"hold": str(hold)})
    assert processes.wait_until(lambda: hold.exists() and hold.read_text() != "", seconds=60)
    before = running.platform.status()

    running.kill("scheduler")
    running.kill("postgres")
    after = running.platform.up(silent)

    assert after.is_up
    assert after.url == before.url
    assert after.parts["scheduler"] != before.parts["scheduler"]
    assert processes.find(int(hold.read_text())) is None
    assert running.client.wait_for_run("trivial", "scheduler", seconds=90) == "success"


def test_a_broken_dag_file_is_reported_with_its_traceback(running: Running) -> None:
    broken = running.folder / "dags here/broken.py"
    broken.write_text("from airflow.sdk import dag\nimport no_such_module\n")

    with pytest.raises(InputError, match="no_such_module"):
        running.client.wait_for_dag("no_such_dag", seconds=60)

    broken.unlink()


def test_everything_airflow_wrote_is_closed_to_others(running: Running) -> None:
    home = running.folder / ".activesynth"

    opened = [
        path
        for path in (home, *home.rglob("*"))
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]

    assert opened == []
    assert modes_above(home) == running.modes_before


def test_down_leaves_no_process(running: Running) -> None:
    info = running.platform.status()
    logs = running.folder / ".activesynth/logs"

    running.platform.down()

    assert running.platform.status().is_down
    assert members(sessions(info)) == []
    files = list(logs.glob("*.log"))
    assert files
    assert not [
        found
        for found in processes.running()
        if any(processes.writes_to(found, log) for log in files)
    ]
