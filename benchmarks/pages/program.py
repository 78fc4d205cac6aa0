"""Serves the pages as Airflow would mount them, without an Airflow before them.

Only who asks is answered differently: Airflow's checks of rights need a login and a database of its
own, whose time is not ours. Everybody may do everything, and is who a header says. That the rights
are asked is tested with a real Airflow, in ``tests/web``.
"""

from __future__ import annotations

import json
import socket
from urllib.parse import unquote

from airflow.api_fastapi.core_api.security import get_user
from fastapi import FastAPI, Request

from activesynth_airflow.web import access
from activesynth_airflow.web.app import build_app


class _Person:
    def __init__(self, name: str) -> None:
        self._name = name

    def get_name(self) -> str:
        return self._name


def open_app() -> FastAPI:
    """Return the application with everybody let in."""
    app = build_app()
    for right in {*access.READING, *access.ANNOTATING, *access.OPERATING}:
        if right.dependency.__module__.startswith("airflow."):
            app.dependency_overrides[right.dependency] = lambda: None
    app.dependency_overrides[get_user] = _person
    return app


def _person(request: Request) -> _Person:
    return _Person(unquote(request.headers.get(access.ANNOTATOR_HEADER, "ada")))


def serve() -> None:
    """Serve on a free port of loopback, which is printed, until the process is ended."""
    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(open_app(), log_level="warning", access_log=False)
    print(json.dumps({"port": listening.getsockname()[1]}), flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    serve()
