"""A relay in front of a server, which cuts the first connections after some bytes of the answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class CuttingProxy:
    """Relays bytes both ways; the first ``cut`` connections end after ``after`` answered bytes."""

    def __init__(self, server: str, *, cut: int, after: int) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._cut = cut
        self._after = after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.endpoint = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in (self._listener, *self._open):
            _end(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            budget = self._after if self._cut > 0 else None
            self._cut -= 1
            threading.Thread(target=self._relay, args=(client, budget), daemon=True).start()

    def _relay(self, client: socket.socket, budget: int | None) -> None:
        server = socket.create_connection(self._server)
        self._open += [client, server]
        threading.Thread(target=_copy, args=(client, server, None), daemon=True).start()
        _copy(server, client, budget)
        _end(client)
        _end(server)


def _copy(source: socket.socket, target: socket.socket, budget: int | None) -> None:
    """Pass bytes on until an end is closed or the budget is used up."""
    try:
        while budget is None or budget > 0:
            data = source.recv(65536 if budget is None else min(65536, budget))
            if not data:
                return
            target.sendall(data)
            budget = None if budget is None else budget - len(data)
    except OSError:
        return


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
