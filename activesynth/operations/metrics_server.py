"""Serve the metrics over HTTP: one path, to this machine unless told otherwise."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from activesynth.errors import ActiveSynthError, ConfigurationError, PlatformStateError
from activesynth.operations.exposition import CONTENT_TYPE

logger = logging.getLogger(__name__)

PATH = "/metrics"
LOOPBACK = "127.0.0.1"
REQUEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; ``port`` 0 takes any that is free."""

    host: str
    port: int

    @classmethod
    def parse(cls, given: str, *, is_open: bool = False) -> Address:
        """Read ``HOST:PORT``, ``[V6]:PORT``, ``:PORT`` or ``PORT``; without a host, loopback.

        Args:
            given: What a person typed.
            is_open: Whether an address that others can reach is meant.

        Raises:
            ConfigurationError: If it is no address, or one beyond loopback that was not allowed.
        """
        host, _, port = given.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or LOOPBACK
        if not (port.isascii() and port.isdigit() and int(port) < 2**16):
            raise ConfigurationError(
                f"--serve: {given!r} is not HOST:PORT, for instance {LOOPBACK}:9469.",
                reason="bad_address",
                field="--serve",
            )
        if not is_open and not _is_loopback(host):
            raise ConfigurationError(
                f"--serve: {host!r} can be reached from other machines, and the numbers are shown "
                "to everybody who asks; name a loopback address, or say --open if a network that "
                "you trust keeps others out.",
                reason="not_loopback",
                field="--serve",
            )
        return cls(host, int(port))


class MetricsServer(ThreadingHTTPServer):
    """Answers ``GET /metrics`` with what ``collect`` returns, and nothing else."""

    daemon_threads = True

    def __init__(self, address: Address, collect: Callable[[], str]) -> None:
        """Listen; :meth:`serve_forever` answers.

        Args:
            address: Where to listen.
            collect: Returns the text; called by one request at a time.

        Raises:
            PlatformStateError: If nothing can listen there.
        """
        self.collect = collect
        self.turn = threading.Lock()
        if ":" in address.host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((address.host, address.port), _Handler)
        except OSError as error:
            raise PlatformStateError(
                f"--serve: nothing can listen at {address.host}:{address.port} ({error}); name "
                "another port, or end the program that has it.",
                reason="cannot_listen",
                field="--serve",
            ) from error

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what went wrong with a request; the server goes on."""
        logger.exception("a request for metrics failed")

    @property
    def url(self) -> str:
        """Return where Prometheus finds the metrics."""
        host, port = self.server_address[0], self.server_address[1]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{name}:{port}{PATH}"


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    server_version = "activesynth"
    sys_version = ""
    timeout: ClassVar[float] = REQUEST_SECONDS  # for a client that says nothing

    def do_GET(self) -> None:
        """Answer with the metrics, or that there is nothing here."""
        if self.path.partition("?")[0] != PATH:
            self._answer(HTTPStatus.NOT_FOUND, f"There is only {PATH} here.\n")
            return
        try:
            with self.server.turn:
                text = self.server.collect()
        except ActiveSynthError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error.reason}\n")
            return
        self._answer(HTTPStatus.OK, text, CONTENT_TYPE)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet about requests."""

    def _answer(
        self, status: HTTPStatus, text: str, kind: str = "text/plain; charset=utf-8"
    ) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _is_loopback(host: str) -> bool:
    """Tell whether every address that a name leads to is one of this machine alone."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(str(item[4][0]).split("%")[0]).is_loopback for item in found)
