"""Our pages served by uvicorn without an Airflow, by a process that can be killed at any moment.

Whoever sends ``Authorization: Bearer NAME`` is NAME and may do everything. Run as a program it
loads the application once and then serves from a child that it starts and kills as it is told.
With ``NAIVE`` set the child takes answers to whatever version of an item, as a server without
conditional writes would; with ``UNESCAPED`` its templates print texts as they are.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

ROOT = Path(__file__).parents[1]
PASSWORD = "open sesame"


class PageServer:
    """A server process at one port of this machine; it is killed and started again as told."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self.kills = 0
        self._environment = {
            **os.environ,
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("", "plugins", "tests")),
        }
        self._settings: dict[str, str] = {}

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._program = subprocess.Popen(
                [sys.executable, "-m", "served_pages", str(self.port)],
                env=self._environment,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._program.stdin is not None
        self._program.stdin.close()
        self._program.wait(30)

    @contextmanager
    def serving(self, database_url: str, home: Path, **settings: str) -> Iterator[Self]:
        """Serve one database and store, until the end of the block."""
        named = {"ACTIVESYNTH_DATABASE_URL": database_url, "ACTIVESYNTH_HOME": str(home)}
        self._settings = {**named, **settings}
        self.start()
        try:
            yield self
        finally:
            self._tell("kill")

    def start(self) -> None:
        """Serve; return when the port answers."""
        self._tell("start", json.dumps(self._settings))
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.02)

    def kill(self) -> None:
        """End the server by SIGKILL, whatever it is at."""
        self._tell("kill")
        self.kills += 1

    def _tell(self, word: str, more: str = "") -> None:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        print(word, more, file=self._program.stdin, flush=True)
        said = self._program.stdout.readline().strip()
        assert said == f"{word} done", (said, self.log.read_text())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class _Person:
    def __init__(self, name: str) -> None:
        self.name = name

    def get_name(self) -> str:
        return self.name


def _application() -> Any:
    """Return the application as Airflow mounts it, with logins by name alone."""
    from airflow.api_fastapi.core_api.security import get_user
    from fastapi import FastAPI, HTTPException, Request

    from activesynth_airflow.web import access
    from activesynth_airflow.web.app import build_app

    async def somebody(request: Request) -> _Person:
        kind, _, name = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or not name:
            raise HTTPException(401, "Not authenticated")
        return _Person(unquote(name))

    async def log_in(request: Request) -> dict[str, str]:
        given = await request.json()
        if given["password"] != PASSWORD:
            raise HTTPException(401, "Invalid credentials")
        return {"access_token": str(given["username"])}

    # Its annotations are those of this function, and `from __future__` made texts of them.
    somebody.__annotations__["request"] = log_in.__annotations__["request"] = Request
    ours = build_app()
    rights = [right for right in access.OPERATING if right.dependency is not access._from_our_pages]
    for asked in [*(right.dependency for right in rights), get_user]:
        ours.dependency_overrides[asked] = somebody
    whole = FastAPI()
    whole.add_api_route("/auth/token", log_in, methods=["POST"])
    whole.mount("/activesynth", ours)
    return whole


@contextmanager
def _served(application: Any, port: int, settings: dict[str, str]) -> Iterator[int]:
    """Serve from a child, whose process id is given; it is killed in the end."""
    child = os.fork()
    if child == 0:
        import uvicorn

        from activesynth.lineage import queue
        from activesynth_airflow.web import rendering

        try:
            os.environ.update(settings)
            tempfile.tempdir = None  # it may be among them
            if "UNESCAPED" in settings:
                rendering._environment().autoescape = False
            if "NAIVE" in settings:
                vars(queue)["check_version"] = lambda item, annotation: None
            uvicorn.run(application, port=port, log_level="warning", lifespan="off")
        finally:
            os._exit(1)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def main(port: int) -> None:
    """Serve as the words on standard input say, until it ends."""
    sys.stdout, said = sys.stderr, sys.stdout  # what libraries print is no answer
    application = _application()
    while (told := sys.stdin.readline()).startswith("start "):
        with _served(application, port, json.loads(told.removeprefix("start "))):
            print("start done", file=said, flush=True)
            if not sys.stdin.readline().startswith("kill "):
                return
        print("kill done", file=said, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
