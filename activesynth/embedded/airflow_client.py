"""A small client of Airflow's REST API; commands of Airflow itself cost seconds each."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

from activesynth.errors import ConflictError, InputError, MissingArtifactError, TransientError

# Never through a proxy: the server is on this machine.
_OPENER = build_opener(ProxyHandler({}))
_PAGE = 100


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """One task of a run; ``seconds`` is None until it has ended, ``map_index`` -1 if unmapped."""

    task_id: str
    map_index: int
    state: str | None
    attempt: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class BrokenFile:
    """A DAG file that could not be imported, with its traceback."""

    path: str
    traceback: str


class AirflowClient:
    """Talks to one Airflow as one user, logging in when first needed."""

    def __init__(self, url: str, user: str, password: str, *, timeout: float = 30.0) -> None:
        """Name the server and the login; ``timeout`` is in seconds per request."""
        self._url = url.rstrip("/")
        self._login = {"username": user, "password": password}
        self._timeout = timeout
        self._token: str | None = None

    def health(self) -> dict[str, Any]:
        """Return the state of each part as the server sees it; needs no login."""
        found = self._send("GET", "/api/v2/monitor/health")
        return dict(found)

    def warm_up(self) -> None:
        """Ask the interface of the tasks once: built on first use, it would time the first out."""
        self._send("GET", "/execution/health")

    def set_pool(self, name: str, slots: int) -> None:
        """Make the pool, or change its size.

        Args:
            name: Name of the pool.
            slots: How many tasks may run in it at once.
        """
        pool = {"slots": slots, "description": "sized by activesynth", "include_deferred": False}
        address = f"/api/v2/pools/{quote(name)}"
        try:
            self._ask("GET", address)
        except MissingArtifactError:
            self._ask("POST", "/api/v2/pools", {"name": name, **pool})
        else:
            self._ask("PATCH", address, {"pool": name, **pool})

    def pool_slots(self, name: str) -> int | None:
        """Return how many tasks may run in a pool at once, or None where there is no such pool."""
        try:
            return int(self._ask("GET", f"/api/v2/pools/{quote(name)}")["slots"])
        except MissingArtifactError:
            return None

    def wait_for_dag(self, dag_id: str, *, seconds: float = 120.0) -> None:
        """Return once the DAG has been parsed.

        Raises:
            InputError: If a DAG file cannot be imported; the message carries the traceback.
            TransientError: If the DAG has not appeared in time.
        """
        deadline = time.monotonic() + seconds
        while not self._has_dag(dag_id):
            broken = self.import_errors()
            if broken:
                raise InputError(
                    f"DAG {dag_id!r} is missing and {broken[0].path} cannot be imported:\n"
                    f"{broken[0].traceback}",
                    reason="dag_import",
                )
            if time.monotonic() > deadline:
                raise TransientError(
                    f"DAG {dag_id!r} was not parsed within {seconds:.0f} s; see the log of the "
                    "dag-processor in the platform's `logs` folder."
                )
            time.sleep(0.3)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        path = f"/api/v2/dags/{quote(dag_id)}?update_mask=is_paused"
        self._ask("PATCH", path, {"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any]) -> bool:
        """Start a run under a given id; return whether it is new, as ids are given out once."""
        body = {"dag_run_id": run_id, "conf": dict(conf), "logical_date": None}
        try:
            self._ask("POST", f"/api/v2/dags/{quote(dag_id)}/dagRuns", body)
        except ConflictError:
            return False
        return True

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        """Return ``queued``, ``running``, ``success`` or ``failed``; nothing for an unknown run."""
        try:
            return str(self._ask("GET", _run_path(dag_id, run_id))["state"])
        except MissingArtifactError:
            return None

    def wait_for_run(self, dag_id: str, run_id: str, *, seconds: float) -> str:
        """Return the final state of a run.

        Raises:
            TransientError: If the run has not ended in time.
        """
        deadline = time.monotonic() + seconds
        while (state := self.run_state(dag_id, run_id)) not in ("success", "failed"):
            if time.monotonic() > deadline:
                raise TransientError(
                    f"run {run_id!r} of {dag_id!r} is still {state} after {seconds:.0f} s."
                )
            time.sleep(0.3)
        return state

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """Return the tasks of a run, mapped ones one by one, in the order the server lists them."""
        rows = self._pages(f"{_run_path(dag_id, run_id)}/taskInstances", "task_instances")
        return [
            TaskInstance(
                task_id=row["task_id"],
                map_index=row["map_index"],
                state=row["state"],
                attempt=row["try_number"],
                seconds=row["duration"],
            )
            for row in rows
        ]

    def clear_run(self, dag_id: str, run_id: str) -> None:
        """Let every task of a run that has ended run again, under the same run id."""
        self._ask(
            "POST", f"{_run_path(dag_id, run_id)}/clear", {"dry_run": False, "only_failed": False}
        )

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, *, attempt: int, map_index: int = -1
    ) -> list[str]:
        """Return the messages in a task's log, oldest first; none where it has no log yet."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/logs/{attempt}"
        query = urlencode({"map_index": map_index, "full_content": "true"})
        try:
            content = self._ask("GET", f"{path}?{query}")["content"]
        except MissingArtifactError:
            return []
        return [line for entry in content for line in _log_lines(entry)]

    def import_errors(self) -> list[BrokenFile]:
        """Return the DAG files that could not be imported."""
        rows = self._pages("/api/v2/importErrors", "import_errors")
        return [BrokenFile(path=row["filename"], traceback=row["stack_trace"]) for row in rows]

    def _has_dag(self, dag_id: str) -> bool:
        try:
            self._ask("GET", f"/api/v2/dags/{quote(dag_id)}")
        except MissingArtifactError:
            return False
        return True

    def _pages(self, path: str, key: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = self._ask("GET", f"{path}?{urlencode({'limit': _PAGE, 'offset': len(rows)})}")
            rows += page[key]
            if not page[key] or len(rows) >= page["total_entries"]:
                return rows

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        if self._token is None:
            self._token = str(self._send("POST", "/auth/token", self._login)["access_token"])
        return self._send(method, path, body, token=self._token)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
    ) -> Any:
        request = Request(  # noqa: S310 - our own http address
            f"{self._url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with _OPENER.open(request, timeout=self._timeout) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            raise self._refusal(error, f"{method} {path}") from error
        except (URLError, OSError, ValueError) as error:
            raise TransientError(
                f"Airflow at {self._url} did not answer {method} {path}: {error}; "
                "`activesynth status` says what runs."
            ) from error

    def _refusal(self, error: HTTPError, asked: str) -> Exception:
        told = f"Airflow answered {error.code} to {asked}: {error.read()[:500].decode()}"
        if error.code == 404:
            return MissingArtifactError(told)
        if error.code == 409:
            return ConflictError(told)
        if error.code == 401:
            self._token = None  # expired after a day; the next request logs in again
        if error.code >= 500 or error.code in (401, 429):
            return TransientError(told)
        return InputError(told, reason="airflow_refused")


def _log_lines(entry: Any) -> list[str]:
    """Return an entry's message and the exceptions it carries; marks for folding are left out."""
    if not isinstance(entry, dict):
        return [str(entry)]
    message = str(entry["event"])
    if message.startswith("::") or not entry.get("timestamp"):
        return []
    errors = entry.get("error_detail") or []
    return [message, *(f"{error.get('exc_type')}: {error.get('exc_value')}" for error in errors)]


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"
