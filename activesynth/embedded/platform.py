"""The embedded platform: brought up, looked at and taken down by one user on one machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from activesynth.embedded import processes
from activesynth.embedded.airflow_client import AirflowClient
from activesynth.embedded.airflow_parts import PARTS, AirflowParts
from activesynth.embedded.airflow_service import AirflowService, Report
from activesynth.embedded.airflow_settings import (
    ADMINISTRATOR,
    Places,
    tool_environment,
    ui_address,
)
from activesynth.embedded.postgres import PostgresServer, RunningPostgres
from activesynth.embedded.private import exclusive, private_folder
from activesynth.embedded.sockets import remove_sockets
from activesynth.embedded.state import PlatformState, fresh_state, read_state, write_state
from activesynth.errors import PlatformStateError


@dataclass(frozen=True, slots=True)
class PlatformInfo:
    """What runs, and how to reach it; the address of what does not run is None.

    ``parts`` maps ``postgres`` and each part of Airflow to its process id, None when it is down.
    ``url``, ``user`` and ``password`` open the UI and the REST API.
    """

    home: Path
    project: Path
    parts: Mapping[str, int | None]
    database_url: str | None
    airflow_database_url: str | None
    url: str | None
    user: str | None
    password: str | None

    @property
    def is_up(self) -> bool:
        """Whether every part runs."""
        return all(pid is not None for pid in self.parts.values())

    @property
    def is_down(self) -> bool:
        """Whether no part runs."""
        return all(pid is None for pid in self.parts.values())


class EmbeddedPlatform:
    """One Postgres and one Airflow whose every file lies in ``home``, sockets apart."""

    def __init__(
        self, home: Path, project: Path, *, dags: Path | None = None, threads: int = 1
    ) -> None:
        """Name the folders; nothing is touched yet.

        Args:
            home: Folder of the platform's state, owned by the current user.
            project: Folder with ``dags``, ``plugins`` and ``campaigns``.
            dags: Another folder of DAG files.
            threads: Numeric threads of every task.
        """
        home, project = home.resolve(), project.resolve()
        self._places = Places(home=home, project=project, dags=(dags or project / "dags").resolve())
        self._threads = threads
        self._postgres = PostgresServer(home / "postgres", self._places.logs / "postgres.log")
        self._parts = AirflowParts(self._places.logs, project)
        self._state_file = home / "state.json"

    def up(
        self,
        report: Report,
        *,
        with_airflow: bool = True,
        migrate: Callable[[str], object] | None = None,
    ) -> PlatformInfo:
        """Bring up what is down, and only that; running it again is harmless.

        Args:
            report: Told each step in a few words.
            with_airflow: Start Airflow too; runs without it need only Postgres.
            migrate: Called with the address of our database before anything uses it.

        Raises:
            PlatformStateError: If the platform cannot run here; the message says what to do.
            ConflictError: If another command keeps working on this platform.
        """
        self._check_home()
        private_folder(self._places.logs)
        with exclusive(self._places.home / "lock"):
            state = self._own_state()
            is_new = self._postgres.running() is None
            postgres = self._postgres.start(Path(state.sockets) if state.sockets else None)
            report(f"PostgreSQL is {'up' if is_new else 'up already'}")
            state = self._record(state.with_leader("postgres", postgres.process))
            if migrate is not None:
                migrate(postgres.url("activesynth"))
            if with_airflow:
                service = AirflowService(
                    self._places, self._parts, self._threads, self._record, report
                )
                state = service.up(state, postgres, postgres_is_new=is_new)
            elif state.sockets is None:
                state = self._record(state.model_copy(update={"sockets": str(postgres.sockets)}))
            return self._info(state)

    def status(self) -> PlatformInfo:
        """Return what runs, changing nothing.

        Raises:
            PlatformStateError: If the state file cannot be believed.
        """
        return self._info(read_state(self._state_file))

    def down(self, report: Report = lambda _: None) -> None:
        """End every process of the platform; data stays. A lost or damaged state is no obstacle.

        Raises:
            PlatformStateError: If a process cannot be ended.
            ConflictError: If another command keeps working on this platform.
        """
        if not self._places.home.exists():
            report("nothing to take down")
            return
        self._check_home()
        with exclusive(self._places.home / "lock"):
            try:
                state = read_state(self._state_file)
            except PlatformStateError as error:
                report(f"going by the running processes alone: {error}")
                state = None
            self._parts.stop(PARTS, state)
            self._postgres.stop()
            if state is not None and state.sockets is not None:
                remove_sockets(Path(state.sockets))  # of a server that was killed
            self._state_file.unlink(missing_ok=True)
            report("everything is down")

    def environment(self) -> dict[str, str]:
        """Return the variables that point our commands at this platform.

        Raises:
            PlatformStateError: If its Postgres does not run.
        """
        return tool_environment(self._places, self._running_postgres(), self._threads)

    def psql_command(self, database: str = "activesynth") -> list[str]:
        """Return the command that opens ``psql`` on our database, or on ``airflow``.

        Raises:
            PlatformStateError: If its Postgres does not run.
        """
        return self._running_postgres().psql_command(database)

    def client(self) -> AirflowClient:
        """Return a client of the running Airflow, logged in as its administrator.

        Raises:
            PlatformStateError: If Airflow does not run.
        """
        info = self.status()
        if info.url is None or info.user is None or info.password is None:
            raise PlatformStateError(
                f"no Airflow runs in {self._places.home}; start it with `activesynth up`."
            )
        return AirflowClient(info.url, info.user, info.password)

    def _running_postgres(self) -> RunningPostgres:
        current = self._postgres.running()
        if current is None:
            raise PlatformStateError(
                f"no PostgreSQL runs in {self._places.home}; start it with `activesynth up`."
            )
        return current

    def _check_home(self) -> None:
        """Refuse a home that holds more than ours: it is about to be closed to everybody else."""
        home = self._places.home
        for other in (self._places.project, Path.home(), Path(tempfile.gettempdir()).resolve()):
            if other.is_relative_to(home):
                raise PlatformStateError(
                    f"{home} cannot be the home of a platform, as it holds {other}; set "
                    "ACTIVESYNTH_HOME to a folder of its own."
                )
        private_folder(home)

    def _own_state(self) -> PlatformState:
        places = self._places
        found = read_state(self._state_file)
        if found is None or found.boot != processes.boot_id():
            return fresh_state(places.home, places.project)
        serves = [part for part in PARTS if self._parts.leader(part, found) is not None]
        if Path(found.project) != places.project and serves:
            raise PlatformStateError(
                f"the platform in {places.home} serves the project {found.project}; run "
                f"`activesynth down` there first, or set another ACTIVESYNTH_HOME for "
                f"{places.project}."
            )
        return found.model_copy(update={"project": str(places.project)})

    def _record(self, state: PlatformState) -> PlatformState:
        write_state(self._state_file, state)
        return state

    def _info(self, state: PlatformState | None) -> PlatformInfo:
        postgres = self._postgres.running()
        leaders = {part: self._parts.leader(part, state) for part in PARTS}
        is_served = leaders["api-server"] is not None and state is not None and state.port
        return PlatformInfo(
            home=self._places.home,
            project=Path(state.project) if state else self._places.project,
            parts={
                "postgres": postgres.process.pid if postgres else None,
                **{part: found.pid if found else None for part, found in leaders.items()},
            },
            database_url=postgres.url("activesynth") if postgres else None,
            airflow_database_url=postgres.url("airflow") if postgres else None,
            url=ui_address(state.port) if state and state.port and is_served else None,
            user=ADMINISTRATOR if is_served else None,
            password=self._password() if is_served else None,
        )

    def _password(self) -> str:
        found: str = json.loads(self._places.passwords.read_text())[ADMINISTRATOR]
        return found
