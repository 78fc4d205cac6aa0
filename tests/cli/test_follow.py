from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from activesynth.cli import follow
from activesynth.cli.follow import RunFollower
from activesynth.embedded.airflow_client import AirflowClient
from activesynth.errors import ActiveSynthError

RUN = "digits__it0"


def make_task(name: str, state: str, map_index: int = -1) -> dict[str, Any]:
    more = {"try_number": 1, "duration": None}
    return {"task_id": name, "state": state, "map_index": map_index, **more}


def make_entry(text: str) -> dict[str, Any]:
    """Return a log entry; what follows ``!`` is the message of an exception it carries."""
    message, _, error = text.partition("!")
    detail = [{"exc_type": "InputError", "exc_value": error}] if error else None
    return {"event": message, "timestamp": "2026-01-02T00:00:00Z", "error_detail": detail}


@contextmanager
def airflow_that_shows(
    moments: list[tuple[str, list[dict[str, Any]]]], logs: dict[str, list[str]]
) -> Iterator[AirflowClient]:
    """Serve a run whose state and tasks go on by one moment with each look at the tasks."""
    looks = iter([*moments, *[moments[-1]] * 100])
    now = [next(looks)]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._answer({"access_token": "token"})

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.endswith("/taskInstances"):
                self._answer({"task_instances": now[0][1], "total_entries": len(now[0][1])})
                now[0] = next(looks)
            elif "/logs/" in path:
                lines = logs.get(path.split("/")[-3], [])
                self._answer({"content": [make_entry(text) for text in lines]})
            else:
                self._answer({"state": now[0][0]})

        def log_message(self, format: str, *args: Any) -> None:
            """Stay silent."""

        def _answer(self, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield AirflowClient(f"http://127.0.0.1:{server.server_port}", "admin", "secret")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.01)


def followed(
    moments: list[tuple[str, list[dict[str, Any]]]], logs: dict[str, list[str]]
) -> list[tuple[str, int, int]]:
    reports: list[tuple[str, int, int]] = []
    with airflow_that_shows(moments, logs) as client:
        RunFollower(client, RUN, lambda *report: reports.append(report)).follow()
    return reports


def test_a_run_is_followed_to_its_end_with_the_progress_inside_its_tasks() -> None:
    reports = followed(
        [
            ("running", [make_task("begin", "success"), make_task("train", "running")]),
            ("success", [make_task("begin", "success"), make_task("train", "success")]),
        ],
        {"train": ["progress step=encoder done=3 total=9 rate=1.0/s remaining=6s"]},
    )

    assert reports == [
        (f"{RUN} train, encoder", 3, 9),
        (f"{RUN}: tasks", 1, 2),
        (f"{RUN} train, encoder", 9, 9),
        (f"{RUN}: tasks", 2, 2),
    ]


def test_mapped_tasks_are_told_apart_by_their_shard() -> None:
    reports = followed(
        [
            ("running", [make_task("generate", "running", 0), make_task("generate", "running", 1)]),
            ("success", [make_task("generate", "success", 0), make_task("generate", "success", 1)]),
        ],
        {},
    )

    assert [what for what, _, _ in reports[:2]] == [f"{RUN} generate 1", f"{RUN} generate 2"]


def test_a_failed_run_raises_with_the_failing_task_and_its_last_words() -> None:
    tasks = [
        make_task("train", "failed"),
        make_task("embed", "upstream_failed"),
        make_task("release", "failed"),
    ]

    with pytest.raises(ActiveSynthError, match="task train of run 'digits__it0'") as caught:
        followed([("failed", tasks)], {"train": ["loading", "task failed!no rows", "::endgroup::"]})

    assert str(caught.value).endswith("\ntask failed\nInputError: no rows")
    assert "release" not in str(caught.value)
