"""Ports of the loopback interface: find one that is free and stays ours until it is served."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from activesynth.errors import PlatformStateError

HOST = "127.0.0.1"
_TRIES = 50


@contextmanager
def reserved_port(preferred: int) -> Iterator[int]:
    """Give the preferred port or another free one, kept from other platforms that start now.

    A server needs many seconds until it listens. Until then the port is claimed by a name in the
    kernel's abstract socket namespace, which vanishes with this process whatever happens to it.

    Raises:
        PlatformStateError: If no port is free.
    """
    with socket.socket(socket.AF_UNIX) as claim:
        yield _claim(claim, preferred)


def is_free(port: int) -> bool:
    """Whether nobody listens on this loopback port; 0 is always free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _claim(claim: socket.socket, preferred: int) -> int:
    for candidate in [preferred, *(_any_free_port() for _ in range(_TRIES))]:
        if is_free(candidate):
            with suppress(OSError):
                claim.bind(f"\0activesynth-port-{candidate}")
                return candidate
    raise PlatformStateError(
        f"no free port was found on {HOST} in {_TRIES} tries; end programs that listen there."
    )


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
