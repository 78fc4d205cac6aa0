"""Every bad input of the catalogue: a clear answer, within the cap, and nothing left behind."""

from __future__ import annotations

import re
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from sqlalchemy import create_engine, text

from activesynth.cli import main
from activesynth_airflow.doorways import begin_iteration
from bad_inputs import configs, servers, sources
from bad_inputs.__main__ import CASES
from bad_inputs.case import Case, Place
from platform_fixtures import PostgresServer

CAP_MB = 500
"""What a decoding process may hold here: the budgets of the bombs, and its libraries."""
GROWTH_KB = 600 * 1024
"""What the command itself may grow by, once: torch is loaded by the first of them."""
_TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'activesynth'::regnamespace AND relkind = 'r' AND relname <> 'migrations'
"""


@pytest.fixture(scope="module")
def refusing_store() -> Iterator[str]:
    """Serve what S3 answers to a key it does not know."""

    class Handler(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            body = b"<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_POST = refuse  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def bare_database(postgres_server: PostgresServer) -> Iterator[str]:
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture
def place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    database_url: str,
    bare_database: str,
    postgres_server: PostgresServer,
    refusing_store: str,
) -> Place:
    """Return an empty project folder whose database and store are empty as well."""
    (tmp_path / "campaigns").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("ACTIVESYNTH_CAMPAIGNS", "ACTIVESYNTH_DATA"):
        monkeypatch.delenv(name, raising=False)
    environment = {
        "ACTIVESYNTH_HOME": str(tmp_path / "home"),
        "ACTIVESYNTH_DATABASE_URL": database_url,
    }
    addresses = {
        "stopped": f"postgresql+psycopg2://postgres:@/x?host={tmp_path}",
        "empty": bare_database,
        "unknown": postgres_server.url("nosuch"),
        "away": f"127.0.0.1:{free_port()}",
        "refusing": refusing_store,
    }
    return Place(tmp_path, environment, addresses)


def rows_in(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        names = connection.execute(text(_TABLES)).scalars()
        every = " UNION ALL ".join(f"SELECT 1 FROM activesynth.{name}" for name in names)
        count = len(connection.execute(text(every)).all())
    engine.dispose()
    return count


def left_behind(place: Place, database_url: str) -> list[str]:
    """Return what the database and the store hold that they did not hold before."""
    blobs = [str(path) for path in (place.folder / "home").rglob("*") if path.is_file()]
    rows = rows_in(database_url)
    return [*blobs, *([f"{rows} rows"] if rows else [])]


def peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def decoders_peak_mb(log: str) -> int:
    """Return the most memory that a decoding process held, as it says itself."""
    return max((int(found) for found in re.findall(r"peak_mb=(\d+)", log)), default=0)


COMMANDS = [case for case in CASES if case.where != "Airflow trigger"]


@pytest.mark.parametrize("case", COMMANDS, ids=lambda case: case.id)
def test_a_command_answers_clearly_and_leaves_nothing(
    case: Case,
    place: Place,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    words = case.give(place)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    caplog.set_level("INFO", "activesynth.datasets.sandbox")
    before = peak_kb()

    code = main(words)

    shown = capfd.readouterr()
    assert f"error [{case.reason}]: " in shown.err, shown.err
    assert code == case.code
    assert case.field in shown.err
    assert "Traceback" not in shown.err + shown.out
    assert "very-secret-key" not in shown.err
    assert len(shown.err) < 6000
    assert "\x1b" not in shown.err
    assert decoders_peak_mb(caplog.text) < CAP_MB
    assert peak_kb() < before + GROWTH_KB
    assert left_behind(place, database_url) == []


AT_THE_DOOR = [
    *configs.TRIGGERS,
    *(case for case in CASES if case.title in {"pickled objects", "nothing there", "four rows"}),
    *(case for case in CASES if case.title in {"too many broken ones", "a single class"}),
    *(case for case in CASES if case.title in {"a misspelt key", "a key given twice"}),
    *(case for case in CASES if case.title in {"an S3 server that knows no such key"}),
]


@pytest.mark.parametrize("case", AT_THE_DOOR, ids=lambda case: case.id)
def test_a_task_fails_at_once_with_the_message_alone_and_leaves_nothing(
    case: Case, place: Place, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: Any = case.give(place)
    params = given if isinstance(given, dict) else {"campaign": "toy"}
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(AirflowFailException) as caught:
        begin_iteration("manual__1", params)

    message = str(caught.value)
    assert message.startswith(f"[{case.reason}] ")
    assert case.field in message
    assert "Traceback" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert left_behind(place, database_url) == []


ONE_OF_EACH_KIND = {case.kind: case for case in COMMANDS if case.kind != "bomb"}


@pytest.mark.parametrize("kind", ["yaml", "npz", "picture", "database"])
def test_the_real_command_in_a_process_of_its_own_says_the_same(kind: str, place: Place) -> None:
    case = ONE_OF_EACH_KIND[kind]
    words = case.give(place)

    done = subprocess.run(
        [sys.executable, "-m", "activesynth.cli", *words],
        env={"PATH": "/usr/bin:/bin", **place.environment},
        cwd=place.folder,
        capture_output=True,
        text=True,
    )

    assert done.returncode == case.code
    assert f"error [{case.reason}]: " in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_catalogue_is_as_large_as_it_must_be() -> None:
    assert len(CASES) >= 120
    assert len({case.kind for case in CASES}) >= 12
    assert len({case.id for case in CASES}) == len(CASES)
    assert {*configs.CASES, *sources.CASES, *servers.CASES} == {*CASES}
