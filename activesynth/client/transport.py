"""Requests to the API: the login, what is repeated when a connection is lost, and errors."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from pydantic import BaseModel
from urllib3.exceptions import HTTPError

from activesynth.errors import (
    ActiveSynthError,
    ConfigurationError,
    ConflictError,
    InputError,
    MissingArtifactError,
    PlatformStateError,
    TransientError,
)

ROOM = "/activesynth"
"""Where Airflow mounts us."""
AWAY = (502, 503, 504)
_CLASSES: Mapping[int, type[ActiveSynthError]] = {
    401: ConfigurationError,
    403: ConfigurationError,
    404: ConfigurationError,
    408: TransientError,
    409: ConflictError,
    410: MissingArtifactError,
    422: ConfigurationError,
    429: TransientError,
}
_OF_INPUT = ("annotation_label", "annotation_sample", "opinion_label", "request")
"""Reasons of status 422 that are not a campaign's author's but the answer's."""


class Transport:
    """Sends requests as one person and returns what came back; threads may share it.

    A request that may be repeated is, when the connection is lost or the server is away for a
    moment; any other only while nothing of it was sent.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        user: str | None = None,
        password: str | None = None,
        timeout: float = 30.0,
        attempts: int = 4,
        pause: float = 0.2,
    ) -> None:
        """Name the server, and a token or a login; nothing is sent yet.

        Args:
            url: Where Airflow is served, with its path prefix.
            token: An access token of Airflow's.
            user: Who logs in, where there is no token.
            password: The password of ``user``.
            timeout: Seconds per connection and per read.
            attempts: How often a request is tried, the first time included.
            pause: Seconds before the second try; each further one waits twice as long.

        Raises:
            ConfigurationError: If ``url`` is no address, or there is neither token nor login.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ConfigurationError(
                f"{url!r} is no address of a server; write https://host:port, with the path under "
                "which Airflow is served and without a login.",
                reason="bad_address",
                field="ACTIVESYNTH_API_URL",
            )
        if token is None and (user is None or password is None):
            raise ConfigurationError(
                "the API asks who calls: set ACTIVESYNTH_API_TOKEN, or ACTIVESYNTH_AIRFLOW_USER "
                "and ACTIVESYNTH_AIRFLOW_PASSWORD.",
                reason="missing_setting",
                field="ACTIVESYNTH_API_TOKEN",
            )
        self.url = url.rstrip("/")
        self._login = None if user is None else {"username": user, "password": password}
        self._token, self._lock = token, threading.Lock()
        self._attempts, self._pause = attempts, pause
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(timeout), maxsize=8)

    def get(self, path: str, **query: object) -> bytes:
        """Ask for something of ours; parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        address = f"{ROOM}{path}" + (f"?{urlencode(given)}" if given else "")
        return self._as_somebody("GET", address, None, may_repeat=True)

    def post(self, path: str, body: BaseModel, *, may_repeat: bool) -> bytes:
        """Send a write; ``may_repeat`` where the same again changes nothing more."""
        sent = body.model_dump_json().encode()
        return self._as_somebody("POST", f"{ROOM}{path}", sent, may_repeat=may_repeat)

    def close(self) -> None:
        """Close what is connected."""
        self._pool.clear()

    def _as_somebody(
        self, method: str, path: str, body: bytes | None, *, may_repeat: bool
    ) -> bytes:
        known = self._bearer()
        status, answer = self._send(method, path, body, known, may_repeat=may_repeat)
        if status == 401 and self._login is not None:
            with self._lock:
                if self._token == known:
                    self._token = None  # over; a token lasts a day
            status, answer = self._send(method, path, body, self._bearer(), may_repeat=may_repeat)
        if status >= 300:
            raise self._refusal(status, answer, f"{method} {path}")
        return answer

    def _bearer(self) -> str:
        with self._lock:
            if self._token is None:
                sent = json.dumps(self._login).encode()
                status, answer = self._send("POST", "/auth/token", sent, None, may_repeat=True)
                if status >= 300:
                    raise self._refusal(status, answer, "POST /auth/token")
                self._token = _token_in(answer, self.url)
            return self._token

    def _send(
        self, method: str, path: str, body: bytes | None, token: str | None, *, may_repeat: bool
    ) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", "X-Activesynth": "1"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        tries = self._attempts - 1
        again = tries if may_repeat else 0
        retries = urllib3.Retry(
            total=tries,
            connect=tries,
            read=again,
            other=0,
            status=again,
            status_forcelist=AWAY,
            allowed_methods=None,
            redirect=0,
            backoff_factor=self._pause,
            raise_on_status=False,
        )
        try:
            answer = self._pool.request(
                method, self.url + path, body=body, headers=headers, retries=retries, redirect=False
            )
        except HTTPError as error:
            told = "" if may_repeat else " Whether it was done is not known: look, then repeat."
            raise TransientError(
                f"{self.url} did not answer {method} {path}: {error}.{told}"
            ) from error
        return answer.status, answer.data

    def _refusal(self, status: int, answer: bytes, asked: str) -> ActiveSynthError:
        try:
            told = json.loads(answer)["error"]
            reason, message, field = (str(told[name]) for name in ("reason", "message", "field"))
        except (ValueError, KeyError, TypeError):  # Airflow's own words, or a proxy's
            reason, field = "", ""
            message = (
                f"{self.url} answered {status} to {asked}: {answer[:300].decode(errors='replace')}"
            )
        if 300 <= status < 400:
            return _foreign(self.url, f"status {status}, which leads elsewhere")
        if status == 422 and reason in _OF_INPUT:
            return InputError(message, reason=reason, field=field)
        kind = _CLASSES.get(status, TransientError if status in AWAY else PlatformStateError)
        return kind(message, reason=reason or None, field=field)


def segment(text: object) -> str:
    """Return one segment of an address."""
    return quote(str(text), safe="")


def _token_in(answer: bytes, url: str) -> str:
    try:
        return str(json.loads(answer)["access_token"])
    except (ValueError, KeyError, TypeError):
        raise _foreign(url, "something else than a token") from None


def _foreign(url: str, what: str) -> PlatformStateError:
    return PlatformStateError(
        f"{url} answered with {what}; check that ACTIVESYNTH_API_URL is where Airflow is served, "
        "and that its plugin is of the same version as this.",
        reason="foreign_answer",
        field="ACTIVESYNTH_API_URL",
    )


def read(model: type[Any], answer: bytes, url: str) -> Any:
    """Return an answer as the model says.

    Raises:
        PlatformStateError: If it is something else.
    """
    try:
        return model.model_validate_json(answer)
    except ValueError:
        raise _foreign(url, f"what is no {model.__name__}") from None
