"""A relay in front of a server that loses the next request, half of it, or the answer to it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from types import TracebackType
from typing import Literal, Self

Cut = Literal["request", "half", "answer"]
CUTS: tuple[Cut, ...] = ("request", "half", "answer")


class CuttingRelay:
    """Relays bytes both ways; once armed, it cuts one connection and then relays again.

    Of the next request nothing arrives (``request``) or the first half of a piece (``half``), or
    it takes effect and nothing of the answer comes back (``answer``).
    """

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._cut: Cut | None = None
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.lost: Counter[Cut] = Counter()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _end(self._listener)

    def arm(self, cut: Cut) -> None:
        """Cut at the next request."""
        with self._lock:
            self._cut = cut

    def _taken(self, *cuts: Cut) -> Cut | None:
        """Return what to do now, if it is one of these, and go on relaying after it."""
        with self._lock:
            found = self._cut
            if found not in cuts:
                return None
            self._cut = None
            self.lost[found] += 1
            return found

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()
            except OSError:
                return

    def _relay(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._server)
        except OSError:  # it was killed
            _end(client)
            return
        for one in (client, server):  # or headers and bodies wait for each other
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if self._taken("answer"):
                    break
                client.sendall(data)
        _end(client)
        _end(server)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                cut = self._taken("request", "half")
                if cut == "half":
                    server.sendall(data[: len(data) // 2])
                if cut is not None:
                    break
                server.sendall(data)
        _end(client)
        _end(server)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
