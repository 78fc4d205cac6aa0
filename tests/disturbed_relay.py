"""A relay in front of a server, which disturbs its first connections after some bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Literal, Self

Disturbance = Literal["cut", "flipped answer", "flipped request"]


class DisturbedRelay:
    """Relays bytes both ways; once each, the first ``times`` connections are disturbed.

    A connection is cut when ``after`` bytes were answered, or the lowest bit of the byte that
    follows ``after`` bytes of the answers or of the requests is flipped.
    """

    def __init__(
        self, server: str, *, times: int, after: int, disturbance: Disturbance = "cut"
    ) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._times = times
        self._after = after
        self._disturbance = disturbance
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.endpoint = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.disturbed = 0

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
            is_disturbed = self._times > 0
            self._times -= 1
            threading.Thread(target=self._relay, args=(client, is_disturbed), daemon=True).start()

    def _relay(self, client: socket.socket, is_disturbed: bool) -> None:
        server = socket.create_connection(self._server)
        self._open += [client, server]
        disturbance = self._disturbance if is_disturbed else None
        is_request = disturbance == "flipped request"
        arguments = (client, server, disturbance if is_request else None)
        threading.Thread(target=self._copy, args=arguments, daemon=True).start()
        self._copy(server, client, None if is_request else disturbance)
        _end(client)
        _end(server)

    def _copy(
        self, source: socket.socket, target: socket.socket, disturbance: Disturbance | None
    ) -> None:
        """Pass bytes on until an end is closed or cut."""
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                place = self._after - passed
                passed += len(data)
                if disturbance is not None and 0 <= place < len(data):
                    self.disturbed += 1
                    if disturbance == "cut":
                        target.sendall(data[:place])
                        return
                    data = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
                target.sendall(data)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
