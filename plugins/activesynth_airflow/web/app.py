"""The application that Airflow mounts: pages, REST API, headers, and errors said in words."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from activesynth.errors import (
    ActiveSynthError,
    ConfigurationError,
    ConflictError,
    InputError,
    MissingArtifactError,
    TransientError,
)
from activesynth_airflow.web import (
    api,
    api_actions,
    api_plans,
    api_predictions,
    api_queue,
    files,
    pages,
)
from activesynth_airflow.web.door import Door
from activesynth_airflow.web.rendering import error_response

logger = logging.getLogger(__name__)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; font-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Sent with every answer. Styles may be inline, and pictures data, because plotly makes its own."""

STATUS: tuple[tuple[type[ActiveSynthError], int], ...] = (
    (ConfigurationError, 422),
    (InputError, 422),
    (MissingArtifactError, 410),
    (ConflictError, 409),
    (TransientError, 503),
)
"""By who has to act; what nobody outside can mend is 500."""
MAX_BODY = 65_536
_UNKNOWN = ("unknown_campaign", "unknown_sample", "unknown_iteration", "unknown_item", "no_data")


def build_app(door: Door | None = None) -> FastAPI:
    """Return the application; nothing is opened before the first request."""
    app = FastAPI(
        title="activesynth",
        version="1",
        description="Campaigns, iterations, weaknesses, samples and answers of activesynth.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.door = door or Door()
    app.include_router(pages.router, include_in_schema=False)
    app.include_router(files.router, include_in_schema=False)
    app.include_router(api.router)
    app.include_router(api_predictions.router)
    app.include_router(api_queue.router)
    app.include_router(api_actions.router)
    app.include_router(api_plans.router)
    app.add_exception_handler(ActiveSynthError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.middleware("http")(_with_headers)
    return app


async def _with_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    try:
        response = _refused(request) or await call_next(request)
    except Exception:
        # The text of an unforeseen error may hold anything, so it goes into the log alone.
        logger.exception("activesynth's pages failed")
        response = error_response(request, 500, "failed", "something failed; the log says what.")
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _refused(request: Request) -> Response | None:
    """Refuse what no page of ours sends, before any of its body is read."""
    raw = bytes(request.scope.get("raw_path") or b"") + request.scope.get("query_string", b"")
    if b"%00" in raw:
        return error_response(request, 400, "request", "addresses have no zero bytes.")
    if request.method in ("GET", "HEAD"):
        return None
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        return error_response(request, 411, "request", "a write says its Content-Length.")
    if int(length) > MAX_BODY:
        told = f"the body has {length} bytes, the limit is {MAX_BODY}; send less at a time."
        return error_response(request, 413, "request", told)
    return None


def status_of(error: ActiveSynthError) -> int:
    """Return the HTTP status of an error of ours."""
    if error.reason in _UNKNOWN:
        return 404
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, ActiveSynthError)
    return error_response(request, status_of(error), error.reason, str(error), error.field)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {
        401: "log in to Airflow first, then open this page again.",
        403: "your role in Airflow does not allow this; ask an administrator of yours.",
        404: "there is nothing at this address.",
    }
    detail = str(error.detail)
    if error.status_code in words and detail in ("Forbidden", "Not authenticated", "Not Found"):
        detail = words[error.status_code]
    reason = {400: "request", 401: "not_authenticated", 403: "forbidden", 404: "not_found"}
    return error_response(request, error.status_code, reason.get(error.status_code, "http"), detail)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first: MutableMapping[str, Any] = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    return error_response(request, 422, "request", f"{field}: {first['msg']}.", field)
