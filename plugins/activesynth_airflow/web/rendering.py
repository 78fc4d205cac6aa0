"""Templates to pages, errors to pages or JSON: all text in them is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, JSONResponse, Response

from activesynth.experiments.report import script_json
from activesynth.experiments.words import interval, points

FOLDER = Path(__file__).parent / "templates"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "interval": interval,
        "points": points,
        "when": _when,
        "part": _part,
        "script_json": lambda given: given if isinstance(given, Markup) else script_json(given),
        "short": lambda digest: str(digest or "")[:12],
    }
    return environment


def page(request: Request, template: str, status: int = 200, **facts: Any) -> HTMLResponse:
    """Return a page; links in templates begin with ``base``, wherever Airflow is served."""
    base = request.scope.get("root_path", "")
    text = _environment().get_template(template).render(base=base, **facts)
    return HTMLResponse(text, status)


def error_response(
    request: Request, status: int, reason: str, message: str, field: str = ""
) -> Response:
    """Return an error as a page to people and as JSON to programs."""
    path = str(request.scope.get("path", "")).removeprefix(request.scope.get("root_path", ""))
    accepted = request.headers.get("accept", "")
    wants_json = "application/json" in accepted and "text/html" not in accepted
    if path.startswith("/api/") or request.method != "GET" or wants_json:
        document = {"reason": reason, "message": message, "field": field}
        return JSONResponse({"error": document}, status)
    return page(request, "error.html", status, title="Not shown", message=message, reason=reason)


def _part(text: object) -> str:
    """Return one segment of an address."""
    return quote(str(text), safe="")


def _when(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def with_query(path: str, **query: object) -> str:
    """Return an address with those of the parameters that are set."""
    given: Mapping[str, str] = {k: str(v) for k, v in query.items() if v not in (None, "")}
    pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
    return f"{path}?{pairs}" if pairs else path
