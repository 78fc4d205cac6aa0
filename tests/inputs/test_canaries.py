"""A canary in every secret slot, failures of every kind, and a look everywhere it could have gone.

One small campaign runs with a Postgres that asks for a password, a real S3 server and a server
that takes events; then everything that can be refused is refused, by the command line and through
the door that tasks come in by. No canary may stand in what was said, kept or made.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from activesynth.config.settings import Settings
from activesynth.domain.effects import Unwatched
from activesynth.lineage.migrate import upgrade
from activesynth.storage.opening import open_store
from platform_fixtures import PostgresServer
from s3_fixtures import S3Server
from tiny_campaign import SMALLEST

ROOT = Path(__file__).parents[2]
# As noisy as a task can be: every library says what it does, and nothing catches the traceback.
DOOR = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from activesynth_airflow.doorways import begin_iteration
print(begin_iteration("manual__canary", {"campaign": sys.argv[1]}))
"""


def canary(slot: str) -> str:
    """Return a secret that no other text holds, with characters that addresses escape."""
    return f"canary-{slot}-{secrets.token_hex(6)}/@:+x"


class Echo:
    """Answers with a status and with all that it was sent: the worst a server can do."""

    def __init__(self) -> None:
        self.status = 503
        self.asked = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                outer.asked += 1
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                told = str(self.headers).encode() + body
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            do_GET = do_POST = do_PATCH = answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.stop()


@dataclass
class Guarded:
    """A Postgres that lets nobody in without the password."""

    server: PostgresServer
    password: str

    def url(self, password: str | None = None) -> str:
        login = f"keeper:{quote(password or self.password, safe='')}"
        return f"postgresql+psycopg2://{login}@/postgres?host={self.server.sockets}"


@pytest.fixture(scope="module")
def guarded_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    server = PostgresServer(folder)
    server.start()
    try:
        guarded = Guarded(server, canary("database"))
        server.execute(f"CREATE ROLE keeper SUPERUSER LOGIN PASSWORD '{guarded.password}'")
        (folder / "data" / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        server.execute("SELECT pg_reload_conf()")
        upgrade(guarded.url())
        yield guarded
    finally:
        server.close()


@dataclass
class Scene:
    """A project folder, an environment with a canary in every slot, and all that was said."""

    folder: Path
    environment: dict[str, str]
    canaries: dict[str, str]
    said: list[str] = field(default_factory=list)

    def command(
        self, *words: str, given: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self._run([sys.executable, "-m", "activesynth.cli", *words], given or {})

    def door(self, campaign: str, given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return self._run([sys.executable, "-c", DOOR, campaign], given)

    def _run(
        self, command: list[str], given: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **given},
            capture_output=True,
            text=True,
        )
        self.said.append(f"{command[2:]}\n{done.stdout}\n{done.stderr}")
        return done

    def found_in(self, what: str) -> set[str]:
        """Return the slots whose canary stands in a text, as it is or as an address has it."""
        return {
            slot
            for slot, value in self.canaries.items()
            if any(form in what for form in (value, quote(value), quote(value, safe="")))
        }


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory,
    guarded_postgres: Guarded,
    s3_server: S3Server,
    echo: Echo,
) -> Scene:
    folder = tmp_path_factory.mktemp("canaries")
    (folder / "campaigns").mkdir()
    for name in ("tiny", "other", "digits"):
        document = {"name": name, **SMALLEST}
        (folder / "campaigns" / f"{name}.yaml").write_text(yaml.safe_dump(document))
    canaries = {
        "database": guarded_postgres.password,
        "s3_access": s3_server.access_key,
        "s3_secret": s3_server.secret_key,
        **{
            slot: canary(slot)
            for slot in (
                *("events", "airflow", "admin", "worker", "web", "collector"),
                *("wrong_database", "wrong_s3", "in_objects_url", "in_events_url", "in_query"),
            )
        },
    }
    roles = {
        f"ACTIVESYNTH_S3_{role.upper()}_{kind}": value
        for role in ("admin", "worker", "web", "collector")
        for kind, value in (("ACCESS_KEY", f"key-of-{role}"), ("SECRET_KEY", canaries[role]))
    }
    environment = {
        **{name: value for name, value in os.environ.items() if "ACTIVESYNTH" not in name},
        **roles,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
        "AIRFLOW_HOME": str(folder / "airflow"),
        "ACTIVESYNTH_HOME": str(folder / "home"),
        "ACTIVESYNTH_DATABASE_URL": guarded_postgres.url(),
        "ACTIVESYNTH_OBJECTS_URL": f"s3://t-{secrets.token_hex(6)}/x",
        "ACTIVESYNTH_S3_ENDPOINT": s3_server.endpoint,
        "ACTIVESYNTH_S3_ACCESS_KEY": s3_server.access_key,
        "ACTIVESYNTH_S3_SECRET_KEY": s3_server.secret_key,
        "ACTIVESYNTH_S3_SECURE": str(s3_server.secure).lower(),
        "ACTIVESYNTH_S3_TIMEOUT_SECONDS": "2",
        "ACTIVESYNTH_S3_ATTEMPTS": "2",
        "ACTIVESYNTH_EVENTS_URL": f"{echo.url}/api/v1/lineage",
        "ACTIVESYNTH_EVENTS_API_KEY": canaries["events"],
        "ACTIVESYNTH_AIRFLOW_PASSWORD": canaries["airflow"],
        "ACTIVESYNTH_LOGS": "json",
    }
    return Scene(folder, environment, canaries)


def refusals(scene: Scene, guarded: Guarded, echo: Echo) -> dict[str, tuple[int, Any, Any]]:
    """Return what is provoked: exit code, words of the command, and the variables it is given."""
    wrong = guarded.url(scene.canaries["wrong_database"])
    password = quote(scene.canaries["wrong_database"], safe="")
    away = f"127.0.0.1:{closed_port()}"
    database, show = "ACTIVESYNTH_DATABASE_URL", ("show", "campaigns")
    in_url = quote(scene.canaries["in_events_url"], safe="")
    return {
        "a wrong password": (8, show, {database: wrong}),
        "a Postgres that is away": (7, show, {database: f"postgresql://u:{password}@{away}/d"}),
        "a port that is none": (2, show, {database: f"postgresql://u:{password}@h:port/d"}),
        "no address": (2, show, {database: f"u:{password}@h"}),
        "another database": (2, show, {database: f"mysql://u:{password}@h/d"}),
        "wrong S3 keys": (
            2,
            ("run", "other"),
            {"ACTIVESYNTH_S3_SECRET_KEY": scene.canaries["wrong_s3"]},
        ),
        "an S3 server that is away": (7, ("run", "other"), {"ACTIVESYNTH_S3_ENDPOINT": away}),
        "a password in the objects' address": (
            2,
            ("run", "other"),
            {"ACTIVESYNTH_OBJECTS_URL": f"ftp://u:{quote(scene.canaries['in_objects_url'])}@b/x"},
        ),
        "an events server in trouble": (7, ("outbox", "send"), {}),
        "an events server that is away": (
            7,
            ("outbox", "send"),
            {"ACTIVESYNTH_EVENTS_URL": f"http://{away}/"},
        ),
        "a password in the events' address": (
            2,
            ("outbox", "send"),
            {"ACTIVESYNTH_EVENTS_URL": f"http://u:{in_url}@{away}/"},
        ),
        "a token in the events' address": (
            7,
            ("outbox", "send"),
            {"ACTIVESYNTH_EVENTS_URL": f"{echo.url}/?token={quote(scene.canaries['in_query'])}"},
        ),
        "an Airflow that says all it was sent": (
            7,
            ("demo",),
            {"ACTIVESYNTH_AIRFLOW_URL": echo.url},
        ),
        "an administrator who is unknown": (2, ("objects", "prepare"), {}),
        "a setting that is none": (2, show, {"ACTIVESYNTH_THREADS": "many"}),
    }  # fmt: skip


DOORS = (
    "a wrong password",
    "a port that is none",
    "wrong S3 keys",
    "a password in the objects' address",
)


def rows_of(url: str) -> Iterator[str]:
    """Yield every row of every table and view of our schema, as text."""
    engine = create_engine(url)
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'activesynth'"
    with engine.connect() as connection:
        for name in connection.execute(text(tables)).scalars().all():
            for row in connection.execute(text(f'SELECT t::text FROM activesynth."{name}" t')):
                yield f"{name}: {row[0]}"
    engine.dispose()


def texts_below(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield f"{path}: {path.read_bytes().decode(errors='replace')}"


def objects_of(environment: Mapping[str, str], server: S3Server) -> Iterator[str]:
    settings = Settings(
        objects_url=environment["ACTIVESYNTH_OBJECTS_URL"],
        s3_endpoint=server.endpoint,
        s3_access_key=SecretStr(server.access_key),
        s3_secret_key=SecretStr(server.secret_key),
        s3_secure=server.secure,
    )
    store = open_store(settings, Unwatched())
    for digest in store.digests():
        yield store.get(digest).decode(errors="replace")


@pytest.fixture(scope="module")
def ran(scene: Scene) -> subprocess.CompletedProcess[str]:
    """Return an iteration that was run; its events found a server in trouble, and wait."""
    done = scene.command("run", "tiny")
    assert done.returncode == 0, done.stderr
    return done


def test_no_canary_is_found_anywhere_after_work_and_failures_of_every_kind(
    scene: Scene,
    ran: subprocess.CompletedProcess[str],
    guarded_postgres: Guarded,
    s3_server: S3Server,
    echo: Echo,
) -> None:
    assert "stays in the outbox" in ran.stderr
    provoked = refusals(scene, guarded_postgres, echo)
    with ThreadPoolExecutor(2) as pool:
        refused = dict(
            zip(
                provoked,
                pool.map(lambda it: scene.command(*it[1], given=it[2]), provoked.values()),
                strict=True,
            )
        )
        opened = list(pool.map(lambda name: scene.door("other", provoked[name][2]), DOORS))
    echo.status = 401
    unknown = scene.command("outbox", "send")
    echo.status = 201
    commands = (
        ("outbox", "send"),
        ("report", "tiny", "--test"),
        ("metrics",),
        ("show", "campaigns", "--json"),
        ("fsck", "--json"),
    )
    worked = [scene.command(*words) for words in commands]

    codes = {name: done.returncode for name, done in refused.items()}
    assert codes == {name: code for name, (code, *_) in provoked.items()}, scene.said
    assert all(done.returncode == 1 and "Traceback" in done.stderr for done in opened)
    assert unknown.returncode == 2
    assert "ACTIVESYNTH_EVENTS_API_KEY" in unknown.stderr
    assert [done.returncode for done in worked] == [0] * len(worked)
    assert (scene.folder / "home" / "reports" / "tiny.html").stat().st_size > 10_000
    for kind, texts in {
        "said": scene.said,
        "rows": rows_of(guarded_postgres.url()),
        "files": texts_below(scene.folder),
        "objects": objects_of(scene.environment, s3_server),
    }.items():
        looked = 0
        for what in texts:
            looked += 1
            assert scene.found_in(what) == set(), f"{kind}: {what}"
        assert looked > 3, kind


def test_what_a_command_says_in_json_is_json_alone_and_names_what_is_worked_at(
    ran: subprocess.CompletedProcess[str],
) -> None:
    lines = [json.loads(line) for line in ran.stderr.splitlines()]

    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    at_work = [line for line in lines if line.get("iteration") == "0"]
    assert {(line["campaign"], line["run"]) for line in at_work} == {("tiny", "tiny__it0")}
    assert {"train", "evaluate"} <= {line.get("step") for line in at_work}


def test_the_look_finds_what_is_planted(scene: Scene, guarded_postgres: Guarded) -> None:
    engine = create_engine(guarded_postgres.url())
    insert = (
        "INSERT INTO activesynth.generators (name, card, corpus, licence, rows, document) "
        "VALUES ('planted', '', '', :secret, 0, '{}')"
    )
    with engine.begin() as connection:
        connection.execute(text(insert), {"secret": f"a {scene.canaries['events']} b"})
    found = set().union(*map(scene.found_in, rows_of(guarded_postgres.url())))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM activesynth.generators WHERE name = 'planted'"))
    engine.dispose()
    planted = scene.folder / "planted"
    planted.mkdir()
    (planted / "page.html").write_text(quote(scene.canaries["airflow"], safe=""))

    assert found == {"events"}
    assert set().union(*map(scene.found_in, texts_below(planted))) == {"airflow"}
    (planted / "page.html").unlink()
