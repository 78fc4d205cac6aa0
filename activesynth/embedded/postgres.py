"""One PostgreSQL from the wheel's binaries, reached only through a socket of its owner.

The wheel's own Python wrapper is not used: it opens folders that must stay closed and fails on
paths with spaces. Roles need no password, because the socket lies in a folder of mode 0700: who
can open it is the owner of the data. So the two roles keep Airflow and us from tripping over each
other's tables; they are no wall against the owner.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from activesynth.embedded import processes
from activesynth.embedded.private import private_folder
from activesynth.embedded.processes import Process
from activesynth.embedded.programs import (
    as_ordinary_user,
    binaries,
    check_user_can_run,
    own_environment,
    run_program,
)
from activesynth.embedded.sockets import PORT, remove_sockets, socket_folder
from activesynth.errors import PlatformStateError

DATABASES = ("activesynth", "airflow")
"""Each has an owner of the same name."""

_ADMINISTRATOR = "postgres"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RunningPostgres:
    """A server that accepts connections through the socket in ``sockets``."""

    process: Process
    sockets: Path

    def url(self, database: str) -> str:
        """Return the SQLAlchemy address of one of ``DATABASES``, as its owner."""
        return f"postgresql+psycopg2://{database}@/{database}?host={self.sockets}"

    def psql_command(self, database: str) -> list[str]:
        """Return the command that opens ``psql`` on one of ``DATABASES``, as its owner."""
        return _psql(self.sockets, user=database, database=database)

    def query(self, database: str, statement: str) -> str:
        """Run one statement on one of ``DATABASES`` and return its rows, unaligned.

        Raises:
            PlatformStateError: If the server refuses it.
        """
        done = run_program([*self.psql_command(database), "-XqAt", "-c", statement])
        if done.returncode != 0:
            raise PlatformStateError(f"PostgreSQL refused {statement!r}: {done.stderr.strip()}")
        return done.stdout.strip()


class PostgresServer:
    """The server whose data lies in ``data``; what runs is read from /proc, never remembered."""

    def __init__(self, data: Path, log: Path) -> None:
        """Name the data folder and the log file; nothing is touched yet."""
        self._data = data
        self._log = log

    def running(self) -> RunningPostgres | None:
        """Return the running server, or nothing: a stale ``postmaster.pid`` convinces nobody."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            process = processes.find(int(lines[0]))
            sockets = Path(lines[4])
        except (OSError, ValueError, IndexError):
            return None
        if process is None or not self._is_ours(process):
            return None
        return RunningPostgres(process, sockets)

    def start(self, preferred_sockets: Path | None = None) -> RunningPostgres:
        """Start the server, making its data and databases the first time; running already is fine.

        Args:
            preferred_sockets: Folder of an earlier start, used again where it still exists, so
                that programs connected before a crash find the server again.

        Raises:
            PlatformStateError: If the server cannot run here; the message says what to do.
        """
        current = self._answering()
        if current is None:
            self._clear_remains()
            self._initialise()
            current = self._launch(socket_folder(preferred_sockets))
        _create_databases(current.sockets)
        return current

    def stop(self) -> None:
        """Stop the server, with open connections too, and remove its socket folder."""
        current = self.running()
        if current is not None:
            for sign in (signal.SIGINT, signal.SIGQUIT):
                processes.end([current.process], sign)
                if processes.wait_until(lambda: not self._survivors(), seconds=_STOP_SECONDS):
                    break
        self._clear_remains()
        if current is not None:
            remove_sockets(current.sockets)

    def _answering(self) -> RunningPostgres | None:
        """Return the server once it takes connections; one that is just dying never does."""

        def is_settled() -> bool:
            found = self.running()
            return found is None or _answers(found.sockets)

        processes.wait_until(is_settled, seconds=_START_SECONDS)
        return self.running()

    def _is_ours(self, process: Process) -> bool:
        return processes.program(process) == "postgres" and processes.stands_in(process, self._data)

    def _survivors(self) -> list[Process]:
        """Backends too: each has a session of its own, so only the working folder tells."""
        return [process for process in processes.running() if self._is_ours(process)]

    def _clear_remains(self) -> None:
        """End what a killed server left running, then its pid file, which blocks a new one."""
        processes.end(self._survivors(), signal.SIGKILL)
        if not processes.wait_until(lambda: not self._survivors(), seconds=_STOP_SECONDS):
            raise PlatformStateError(
                f"processes {[process.pid for process in self._survivors()]} still use "
                f"{self._data} and cannot be ended; end them as the user they belong to."
            )
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _initialise(self) -> None:
        """Make the data folder under another name first: what has the right name is whole."""
        if (self._data / "PG_VERSION").exists():
            return
        if self._data.exists():
            raise PlatformStateError(
                f"{self._data} exists but holds no PostgreSQL data; move it away and try again."
            )
        check_user_can_run(self._data.parent)
        draft = self._data.with_name(f"{self._data.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        private_folder(draft)
        options = ["-U", _ADMINISTRATOR, "--auth=trust", "--encoding=UTF8", "--locale=C"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = run_program(
            [*as_ordinary_user(), str(binaries() / "initdb"), "-D", str(draft), *options]
        )
        if done.returncode != 0:
            raise PlatformStateError(
                f"PostgreSQL could not make its data in {draft}: {done.stderr.strip()[-500:]}; "
                "free the cause, or set ACTIVESYNTH_HOME to another folder."
            )
        draft.rename(self._data)

    def _launch(self, sockets: Path) -> RunningPostgres:
        try:
            return self._run_server(sockets)
        except PlatformStateError:
            remove_sockets(sockets)
            raise

    def _run_server(self, sockets: Path) -> RunningPostgres:
        check_user_can_run(self._data)
        settings = ["listen_addresses=", "unix_socket_permissions=0700"]
        with self._log.open("ab") as log:
            self._log.chmod(0o600)
            child = subprocess.Popen(
                [*as_ordinary_user(), str(binaries() / "postgres"), "-D", str(self._data)]
                + ["-k", str(sockets), "-p", str(PORT)]
                + [part for setting in settings for part in ("-c", setting)],
                env=own_environment(),
                cwd=self._data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
            )

        def is_settled() -> bool:
            return child.poll() is not None or _answers(sockets)

        processes.wait_until(is_settled, seconds=_START_SECONDS)
        current = self.running()
        if child.poll() is not None or current is None:
            raise PlatformStateError(
                f"PostgreSQL did not start on {self._data}: {self._last_words()}; "
                f"the whole log is {self._log}."
            )
        return current

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return " | ".join(line.strip() for line in lines[-4:])


def _psql(sockets: Path, *, user: str, database: str) -> list[str]:
    where = ["-h", str(sockets), "-p", str(PORT), "-U", user, "-d", database]
    return [str(binaries() / "psql"), *where]


def _answers(sockets: Path) -> bool:
    asked = [*_psql(sockets, user=_ADMINISTRATOR, database="postgres"), "-Xqtc", "SELECT 1"]
    return run_program(asked).returncode == 0


def _create_databases(sockets: Path) -> None:
    """Make what is missing; each database is closed to everybody but its owner."""
    statements = [
        part
        for name in DATABASES
        for part in (
            f"SELECT 'CREATE ROLE {name} LOGIN' WHERE NOT EXISTS "  # noqa: S608 - our own names
            f"(SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec",
            f"SELECT 'CREATE DATABASE {name} OWNER {name}' WHERE NOT EXISTS "  # noqa: S608
            f"(SELECT FROM pg_database WHERE datname = '{name}') \\gexec",
            f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;",
        )
    ]
    asked = [*_psql(sockets, user=_ADMINISTRATOR, database="postgres"), "-Xq"]
    done = run_program([*asked, "-v", "ON_ERROR_STOP=1"], text="\n".join(statements))
    if done.returncode != 0:
        raise PlatformStateError(
            f"the databases {', '.join(DATABASES)} could not be made: {done.stderr.strip()[-500:]}"
        )
