"""A proxy on loopback before an S3 server, which lets a few requests go wrong."""

from __future__ import annotations

import http.client
import os
import select
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forked import Child

SILENCE_SECONDS = 1.5
"""How long a request goes unanswered: longer than the client of the toy campaign waits."""

_SLOW_DOWN = (503, "SlowDown", "Please reduce your request rate.")
_INTERNAL = (500, "InternalError", "We encountered an internal error.")
_DENIED = (403, "AccessDenied", "Access Denied.")
_ABSENT = (404, "NoSuchKey", "The specified key does not exist.")

READ_ONLY = frozenset({"short answer", "flipped answer", "missing object"})
WRITE_ONLY = frozenset({"flipped upload"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, with which of the requests it can befall, and how many in a row."""

    kind: str = "none"
    at: int = 0
    times: int = 0

    def befalls(self, method: str) -> bool:
        """Tell whether it can befall a request of this method."""
        if self.kind in READ_ONLY:
            return method == "GET"
        return method == "PUT" if self.kind in WRITE_ONLY else True


@dataclass(slots=True)
class _Request:
    method: str
    head: bytes
    body: bytes


class FaultyProxy:
    """Runs in a child until it is closed; then says how many requests came and went wrong."""

    def __init__(self, upstream: str, fault: Fault, result: Path) -> None:
        """Listen on a free port of loopback, and forward to ``upstream`` (host:port)."""
        host, _, port = upstream.partition(":")
        self._upstream = (host, int(port))
        self._fault = fault
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._refused_until = 0.0
        self._listener = _listen(0)
        self.endpoint = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._end, self._handle = os.pipe()
        self._child = Child(self._serve, result)
        os.close(self._end)
        self._listener.close()

    def close(self) -> dict[str, int]:
        """End the proxy; return counts of ``GET``, ``PUT``, ``all`` and ``faults``."""
        os.close(self._handle)
        self._child.wait()
        counts: dict[str, int] = self._child.value
        return counts

    def _serve(self) -> dict[str, int]:
        os.close(self._handle)
        port = self._listener.getsockname()[1]
        while True:
            ready, _, _ = select.select([self._listener.fileno(), self._end], [], [], 0.02)
            if self._end in ready:
                return {name: self._seen[name] for name in ("GET", "PUT", "all", "faults")}
            if time.monotonic() < self._refused_until:
                self._listener.close()
                time.sleep(max(0.0, self._refused_until - time.monotonic()))
                self._listener = _listen(port)
            elif ready:
                client, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        upstream = socket.create_connection(self._upstream)
        with suppress(OSError, http.client.HTTPException), client, upstream:
            stream = client.makefile("rb")
            while (request := _read_request(stream)) is not None:
                if not self._answer(client, upstream, request, self._next_fault(request.method)):
                    return

    def _next_fault(self, method: str) -> str:
        """Count the request and return what befalls it."""
        with self._lock:
            self._seen["all"] += 1
            self._seen[method] += 1
            if not self._fault.befalls(method):
                return "none"
            place = self._seen["eligible"]
            self._seen["eligible"] += 1
            if not self._fault.at <= place < self._fault.at + self._fault.times:
                return "none"
            self._seen["faults"] += 1
            return self._fault.kind

    def _answer(
        self, client: socket.socket, upstream: socket.socket, request: _Request, kind: str
    ) -> bool:
        """Answer one request; False if the connection ends with it."""
        refusals = {"slow down": _SLOW_DOWN, "access denied": _DENIED, "missing object": _ABSENT}
        if kind == "refused connection":
            self._refused_until = time.monotonic() + 0.1
            return False
        if kind == "no answer":
            time.sleep(SILENCE_SECONDS)
            return False
        if kind in refusals:
            client.sendall(_failure(request, *refusals[kind]))
            return True
        body = _flipped(request.body) if kind == "flipped upload" else request.body
        upstream.sendall(request.head + body)
        answer = _read_answer(upstream, request.method)
        if kind == "server error":  # what was asked for has happened
            client.sendall(_failure(request, *_INTERNAL))
            return True
        return _deliver(client, answer, kind)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    return listener


def _read_request(stream: Any) -> _Request | None:
    first = stream.readline()
    if not first:
        return None
    lines, length = [first], 0
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line)
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    lines.append(b"\r\n")
    return _Request(first.split()[0].decode(), b"".join(lines), stream.read(length))


def _read_answer(upstream: socket.socket, method: str) -> tuple[bytes, bytes]:
    """Return head and body, the body whole and its length said in the head."""
    answer = http.client.HTTPResponse(upstream, method=method)
    answer.begin()
    body = answer.read()
    ours = {"transfer-encoding", "connection"} | ({"content-length"} if method != "HEAD" else set())
    headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in ours]
    if method != "HEAD":
        headers.append(("Content-Length", str(len(body))))
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{k}: {v}" for k, v in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body


def _deliver(client: socket.socket, answer: tuple[bytes, bytes], kind: str) -> bool:
    head, body = answer
    if kind == "flipped answer":
        body = _flipped(body)
    if kind == "reset":
        whole = head + body
        client.sendall(whole[: len(head) // 2 + len(body) // 2])
        # Closing with a linger of zero sends a reset instead of an orderly end.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    if kind == "short answer":
        client.sendall(head + body[: len(body) // 2])
        return False
    client.sendall(head + body)
    return True


def _flipped(body: bytes) -> bytes:
    if not body:
        return body
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


def _failure(request: _Request, status: int, code: str, message: str) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    sent = b"" if request.method == "HEAD" else body.encode()
    head = (
        f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(sent)}\r\n\r\n"
    )
    return head.encode() + sent
