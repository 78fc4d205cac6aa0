"""Bring Airflow up: migrate, start what is missing, wait until it is healthy, size its pool."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from activesynth.embedded.airflow_client import AirflowClient
from activesynth.embedded.airflow_parts import PARTS, AirflowParts
from activesynth.embedded.airflow_settings import (
    ADMINISTRATOR,
    Places,
    airflow_environment,
    keep_secrets,
    objects_told,
    parallel_tasks,
    ui_address,
)
from activesynth.embedded.loopback import reserved_port
from activesynth.embedded.postgres import RunningPostgres
from activesynth.embedded.state import PlatformState
from activesynth.errors import PlatformStateError, TransientError

GPU_POOL = "gpu"
"""Tasks that want a GPU run in this pool: one per GPU, or one per core where there is none."""

_DEFAULT_PORT = 8080
_HEALTH_SECONDS = 180.0
_STARTS_PER_PART = 2
_PARTS_WITH_HEARTBEAT = ("scheduler", "dag_processor", "triggerer")

Report = Callable[[str], None]
Record = Callable[[PlatformState], PlatformState]


class AirflowService:
    """Airflow on one running Postgres; ``record`` keeps the state before the next thing happens."""

    def __init__(
        self, places: Places, parts: AirflowParts, threads: int, record: Record, report: Report
    ) -> None:
        """Name what it works on; nothing is touched yet."""
        self._places = places
        self._parts = parts
        self._threads = threads
        self._record = record
        self._report = report

    def up(
        self, state: PlatformState, postgres: RunningPostgres, *, postgres_is_new: bool
    ) -> PlatformState:
        """Start what is missing and return once all is healthy.

        Raises:
            PlatformStateError: If a part does not start, with the last lines of its log.
        """
        kept = keep_secrets(self._places)
        self._refuse_other_objects(state, objects_told(kept))
        if state.port is None or state.sockets != str(postgres.sockets):
            self._parts.stop(PARTS, state)  # what runs was told other addresses
        with self._port(state) as port:
            if port != state.port:
                self._parts.stop(PARTS, state)
            state = self._record(
                state.model_copy(
                    update={
                        "sockets": str(postgres.sockets),
                        "port": port,
                        "objects": objects_told(kept),
                    }
                )
            )
            environment = airflow_environment(
                self._places, postgres, kept, port=port, threads=self._threads
            )
            if self._parts.migrate(postgres, environment):
                self._report("Airflow's tables are made")
            missing = self._missing(state)
            began = datetime.now(UTC) if missing or postgres_is_new else None
            state = self._start(missing, state, environment)
            state = self._wait_until_healthy(state, environment, began)
        client = AirflowClient(ui_address(port), ADMINISTRATOR, kept.password)
        _once_answered(client.warm_up)
        client.set_pool(GPU_POOL, _gpu_count() or parallel_tasks())
        self._report(f"Airflow is {'up' if missing else 'up already'} at {ui_address(port)}")
        return state

    def _port(self, state: PlatformState) -> AbstractContextManager[int]:
        """Keep the port that is served; otherwise claim the last one, or any that is free."""
        if state.port is not None and self._parts.leader("api-server", state) is not None:
            return nullcontext(state.port)
        return reserved_port(state.port or _DEFAULT_PORT)

    def _missing(self, state: PlatformState) -> list[str]:
        return [part for part in PARTS if self._parts.leader(part, state) is None]

    def _refuse_other_objects(self, state: PlatformState, now: Mapping[str, str]) -> None:
        """Refuse to go on beside parts whose tasks look for objects in another place.

        Raises:
            PlatformStateError: Naming the variables that differ.
        """
        if len(self._missing(state)) == len(PARTS):
            return
        names = state.objects.keys() | now.keys()
        differing = sorted(name for name in names if state.objects.get(name) != now.get(name))
        if differing:
            raise PlatformStateError(
                f"Airflow runs, and was started with other values of {', '.join(differing)}: its "
                "tasks would keep objects in another place. Set them as before, or run "
                "`activesynth down` first; results lie where they were made."
            )

    def _start(
        self, parts: list[str], state: PlatformState, environment: Mapping[str, str]
    ) -> PlatformState:
        self._parts.stop(parts, state)  # a killed leader leaves its workers behind
        for part in parts:
            self._report(f"starting Airflow's {part}")
            state = self._record(state.with_leader(part, self._parts.start(part, environment)))
        return state

    def _wait_until_healthy(
        self, state: PlatformState, environment: Mapping[str, str], began: datetime | None
    ) -> PlatformState:
        """Wait for all; a part that dies meanwhile (of a restarted Postgres) starts once more."""
        starts = dict.fromkeys(PARTS, 1)
        client = AirflowClient(ui_address(state.port or 0), "", "", timeout=5.0)
        deadline = time.monotonic() + _HEALTH_SECONDS
        while not _is_healthy(client, began) or self._missing(state):
            for part in self._missing(state):
                starts[part] += 1
                if starts[part] > _STARTS_PER_PART:
                    raise self._parts.failure(part)
                state = self._start([part], state, environment)
            if time.monotonic() > deadline:
                raise PlatformStateError(
                    f"Airflow is not healthy after {_HEALTH_SECONDS:.0f} s; its logs are in "
                    f"{self._places.logs}. Run `activesynth down`, then `activesynth up`."
                )
            time.sleep(0.25)
        return state


def _once_answered(ask: Callable[[], None]) -> None:
    """Ask until there is an answer: on a busy machine a first one may take longer than a wait.

    Raises:
        TransientError: If there is none for as long as a start may take.
    """
    deadline = time.monotonic() + _HEALTH_SECONDS
    while True:
        try:
            ask()
        except TransientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.25)
        else:
            return


def _is_healthy(client: AirflowClient, began: datetime | None) -> bool:
    """Whether each part is healthy by a heartbeat later than ``began``: of now, not of the dead."""
    try:
        health = client.health()
    except TransientError:
        return False
    return health["metadatabase"]["status"] == "healthy" and all(
        _beats(health[part], f"latest_{part}_heartbeat", began) for part in _PARTS_WITH_HEARTBEAT
    )


def _beats(part: Mapping[str, str | None], key: str, began: datetime | None) -> bool:
    beat = part.get(key)
    is_late = began is None or (beat is not None and datetime.fromisoformat(beat) >= began)
    return part.get("status") == "healthy" and is_late


def _gpu_count() -> int:
    """Count NVIDIA devices, or those the environment leaves visible."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
