"""Asks the application for every page and prints the statements that each sent to the database.

``python -m page_statements NAMES`` where NAMES is a JSON object of what addresses name. A route
that is not known here is an error, so that none is left out.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from starlette.routing import Route
from starlette.testclient import TestClient

from benchmarks.pages.program import open_app

QUERIES = {
    "/api/v1/campaigns/{campaign}/iterations": ("", "?after=3&limit=5"),
    "/api/v1/campaigns/{campaign}/weaknesses": ("", "?after=3:weakness-1&limit=5"),
    "/api/v1/campaigns/{campaign}/iterations/{number}/candidates": (
        "",
        "?after=5&verdict=rejected",
        "?reason=label",
        "?weakness=weakness-1",
        "?label=3",
        "?score=entropy&least=0.1&most=2",
        "?verdict=accepted&weakness=weakness-1&label=3",
    ),
    "/api/v1/campaigns/{campaign}/reach": tuple(
        f"?{kind}={value}"
        for kind, value in (
            ("iteration", 0),
            ("weakness", "weakness-1"),
            ("generator", "pages-generator"),
            ("annotator", "ada"),
        )
    ),
}
"""What is asked of an address beside the bare one."""
SAID = {"item": "{campaign}:0", "sample": "pool-0", "version": 0, "action": "skip"}
SECOND = {"item": "{campaign}:review-{sample}", "sample": "{sample}", "version": 1}
BODIES: dict[str, tuple[dict[str, Any], ...]] = {
    "next": ({"limit": 8}, {"limit": 8, "kinds": ["review"]}, {"limit": 8, "second": True}),
    "answers": (SAID, {**SECOND, "action": "skip", "second": True}),
    "undo": ({"item": "{campaign}:0"}, {"item": SECOND["item"], "second": True}),
    "release": ({},),
}
ELSEWHERE = (
    *("declarations", "withdrawals", "recalls", "proposals", "withdrawal", "preview", "finish"),
)
"""What operators change: transactions of their own, which read what they change."""


def main(names: dict[str, Any]) -> None:
    """Print a JSON object: what was asked -> the statements, as the server got them."""
    app, sent = open_app(), list[str]()
    found: dict[str, list[str]] = {}

    def note(_: Any, cursor: Any, statement: str, values: Any, *__: Any) -> None:
        sent.append(cursor.mogrify(statement, values or None).decode())

    event.listen(Engine, "before_cursor_execute", note)
    with TestClient(app) as client:
        client.get("/campaigns")
        for route in app.routes:
            assert isinstance(route, Route)
            for method, path, body in _requests(route, names):
                sent.clear()
                headers = {"X-Activesynth": "1", "X-Activesynth-Annotator": names["person"]}
                answer = client.request(method, path, json=body, headers=headers)
                assert answer.status_code == 200, (method, path, body, answer.text)
                found[f"{method} {path} {json.dumps(body) if body else ''}"] = list(sent)
    print("STATEMENTS", json.dumps(found))


def _requests(route: Route, names: dict[str, Any]) -> list[tuple[str, str, Any]]:
    path = route.path.format(
        name="style.css", dag_id="active_synthesis", run_id=names["run"], **names
    )
    if "GET" in (route.methods or ()):
        return [("GET", path + query, None) for query in QUERIES.get(route.path, ("",))]
    last = route.path.rpartition("/")[2]
    if last in ELSEWHERE:
        return []
    return [("POST", path, _filled(body, names)) for body in BODIES[last]]


def _filled(body: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.format(**names) if isinstance(value, str) else value
        for name, value in body.items()
    }


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
