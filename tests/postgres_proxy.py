"""A proxy in front of Postgres that can lose the answer to a COMMIT."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import TracebackType


class LossyProxy:
    """Forwards between a socket folder of its own and the server's.

    Once armed, the next COMMIT reaches the server and takes effect, but both sides lose their
    connection before the client hears of it.
    """

    def __init__(self, server: Path, folder: Path) -> None:
        """Listen in ``folder``, whose path must be short."""
        self._server = str(server / ".s.PGSQL.5432")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._armed = threading.Event()
        self.lost = 0

    def __enter__(self) -> LossyProxy:
        """Start to accept connections."""
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Accept no more connections."""
        self._listener.close()

    def arm(self) -> None:
        """Lose the answer to the next COMMIT."""
        self._armed.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(65536):
                if b"COMMIT\0" in data and self._armed.is_set():
                    self._armed.clear()
                    self.lost += 1
                    client.shutdown(socket.SHUT_WR)  # what comes back goes nowhere
                server.sendall(data)
        except OSError:
            pass
        finally:
            server.close()

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(65536):
                client.sendall(data)
        except OSError:
            pass
        finally:
            client.close()
