"""Airflow's four long-running parts, each in a session of its own.

`airflow standalone` is not used: a SIGTERM to it leaves its children behind. A part is its whole
session, because tasks open process groups of their own, and an executor's idle workers outlive a
killed scheduler. Its log is its standard output, and that is also how a part is recognised when
nothing was written down about it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from activesynth.embedded import processes
from activesynth.embedded.postgres import RunningPostgres
from activesynth.embedded.private import private_folder
from activesynth.embedded.processes import Process
from activesynth.embedded.state import PlatformState
from activesynth.errors import PlatformStateError

PARTS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    # Their log servers would listen on all interfaces; logs are read from the folder instead.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
_STOP_SECONDS = 15.0
_TRIGGERER_SECONDS = 3.0  # it waits 10 s for its own child; triggers keep nothing that can be lost
_KILL_SECONDS = 5.0


class AirflowParts:
    """The parts whose logs lie in ``logs``, working in ``folder``."""

    def __init__(self, logs: Path, folder: Path) -> None:
        """Name the folders; nothing is touched yet."""
        self._logs = logs
        self._folder = folder

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self._logs / f"{part}.log"

    def leader(self, part: str, state: PlatformState | None) -> Process | None:
        """Return the living leader of a part, recorded or recognised by its log."""
        recorded = state.leader(part) if state else None
        if recorded is not None and recorded.is_alive:
            return recorded
        leaders = (found for found in self._by_log(part) if found.pid == found.session)
        return next(leaders, None)

    def start(self, part: str, environment: Mapping[str, str]) -> Process:
        """Start a part and return its leader; it is not ready yet."""
        private_folder(self._logs)
        with self.log(part).open("ab") as log:
            self.log(part).chmod(0o600)
            child = subprocess.Popen(
                [sys.executable, "-m", "airflow", *PARTS[part]],
                env=dict(environment),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
            )
        leader = processes.find(child.pid)
        if leader is None:
            raise self.failure(part)
        return leader

    def stop(self, parts: Iterable[str], state: PlatformState | None) -> None:
        """End the parts: SIGTERM to the leaders, then SIGKILL to what is left of their sessions.

        Raises:
            PlatformStateError: If something of them cannot be ended.
        """
        sessions = {part: self._sessions(part, state) for part in parts}

        def members(of: Iterable[str]) -> list[Process]:
            wanted = {session for part in of if part in sessions for session in sessions[part]}
            return [found for found in processes.running() if found.session in wanted]

        everything = members(sessions)
        leaders = [found for found in everything if found.pid == found.session]
        led = {found.session for found in leaders}
        processes.end((found for found in everything if found.session not in led), signal.SIGKILL)
        processes.end(leaders, signal.SIGTERM)
        for patience, of in ((_TRIGGERER_SECONDS, ["triggerer"]), (_STOP_SECONDS, list(sessions))):
            if not processes.wait_until(partial(_nothing, members, of), seconds=patience):
                processes.end(members(of), signal.SIGKILL)
        if not processes.wait_until(partial(_nothing, members, sessions), seconds=_KILL_SECONDS):
            raise PlatformStateError(
                f"processes {[found.pid for found in members(sessions)]} of Airflow cannot be "
                "ended; end them as the user they belong to, then try again."
            )

    def migrate(self, postgres: RunningPostgres, environment: Mapping[str, str]) -> bool:
        """Bring Airflow's tables to the installed version; return whether there was work.

        The version is noted on the database itself, so a lost or restored database is migrated.

        Raises:
            PlatformStateError: If the migration fails.
        """
        wanted = f"migrated by Airflow {_airflow_version()}"
        noted = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = "
        if postgres.query("airflow", f"{noted}'airflow'") == wanted:
            return False
        with self.log("migration").open("ab") as log:
            self.log("migration").chmod(0o600)
            done = subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=dict(environment),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
                umask=0o077,
            )
        if done.returncode != 0:
            raise self.failure("migration")
        postgres.query("airflow", f"COMMENT ON DATABASE airflow IS '{wanted}'")
        return True

    def failure(self, part: str) -> PlatformStateError:
        """Return the error that says how a part ended, with the last lines of its log."""
        lines = self.log(part).read_text(errors="replace").splitlines()[-15:]
        return PlatformStateError(
            f"Airflow's {part} ended while starting. Mend what the end of its log names, then run "
            "`activesynth up` again; `activesynth down` ends what did start. "
            f"{self.log(part)} ends with:\n" + "\n".join(lines)
        )

    def _sessions(self, part: str, state: PlatformState | None) -> set[int]:
        """Every session a part has opened, the one of a killed leader included."""
        found = {process.session for process in self._by_log(part)}
        recorded = state.leader(part) if state else None
        if recorded is not None:
            now = processes.find(recorded.pid)
            # A number used again leads a session of somebody else.
            if now is None or now.started == recorded.started:
                found.add(recorded.session)
        return found

    def _by_log(self, part: str) -> list[Process]:
        return [
            found for found in processes.running() if processes.writes_to(found, self.log(part))
        ]


def _airflow_version() -> str:
    try:
        return version("apache-airflow")
    except PackageNotFoundError as error:
        raise PlatformStateError(
            "Airflow is not installed beside this Python; run `make setup`, or use "
            "`activesynth run`, which needs none."
        ) from error


def _nothing(members: Callable[[Iterable[str]], list[Process]], of: Iterable[str]) -> bool:
    return not members(of)
