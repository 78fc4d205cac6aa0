"""Asks for pages over one connection, and tells how long each answer took."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import numpy as np

PATIENCE = 300
"""Seconds after which an answer is not waited for."""


class Asking:
    """One person's browser, so to speak: a connection that is kept."""

    def __init__(self, port: int, person: str) -> None:
        """Connect at the first request."""
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._headers = {
            "Content-Type": "application/json",
            "X-Activesynth": "1",
            "X-Activesynth-Annotator": quote(person),
        }

    def get(self, path: str) -> tuple[float, bytes]:
        """Return the seconds until all of a page is there, and the page."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: Any) -> tuple[float, Any]:
        """Send JSON, and return the seconds and the answer."""
        seconds, answer = self._ask("POST", path, json.dumps(body).encode())
        return seconds, json.loads(answer)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[float, bytes]:
        started = time.perf_counter()
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        seconds = time.perf_counter() - started
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]!r}")
        return seconds, answer


def p50_and_p95(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the median, and what 95 % of the answers were not slower than."""
    found = np.quantile(seconds, [0.5, 0.95], method="higher")
    return float(found[0]), float(found[1])
