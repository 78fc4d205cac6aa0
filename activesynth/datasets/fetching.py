"""Fetching over HTTPS from hosts that are named here, within a budget of bytes and time.

A redirect is followed only to a host of the list; a name that leads to a private address is
refused, and what is connected to is the very address that was looked at. Proxies are not used.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO
from urllib.parse import urljoin, urlsplit

from activesynth.errors import InputError, TransientError

REDIRECTS = 3
CHUNK = 1 << 16
LONGEST_URL = 2000
_PLAIN = re.compile(r"[!-\[\]-~]*")
"""Printable ASCII without spaces and backslashes, on which readers of addresses disagree."""
_UNICAST = ipaddress.ip_network("2000::/3")
_6TO4 = ipaddress.ip_network("2002::/16")
_MOVED = (301, 302, 303, 307, 308)


class NotFoundError(Exception):
    """The server knows no such thing."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where data may come from; only tests make one that is no public HTTPS site.

    Attributes:
        base: Where addresses start.
        hosts: Host names that may be asked, ``host`` or ``host:port``.
        is_public: Whether only HTTPS and public addresses are good enough.
    """

    base: str
    hosts: frozenset[str]
    is_public: bool = True

    def fetch(self, address: str, into: IO[bytes], *, max_bytes: int, seconds: float) -> None:
        """Write what is at ``address`` to a file.

        Args:
            address: Absolute, or relative to ``base``.
            into: Where it is written; what is there after an error is of no use.
            max_bytes: The largest size that is taken.
            seconds: How long it may take from now.

        Raises:
            InputError: ``forbidden_host``, ``too_large`` or ``fetch_refused``.
            TransientError: ``no_download`` if the server does not answer or is too slow.
            NotFoundError: If the server says that there is no such thing.
        """
        deadline = time.monotonic() + seconds
        url = self._joined(self.base, address)
        for _ in range(REDIRECTS + 1):
            with self._answer(url, deadline) as response:
                target = response.getheader("Location")
                if response.status in _MOVED and target:
                    url = self._joined(url, target)
                    continue
                _refuse_status(url, response.status)
                _copy(url, response, into, max_bytes, deadline)
                return
        raise _refused(url, f"more than {REDIRECTS} redirects")

    def _joined(self, base: str, address: str) -> str:
        """Return where an address leads, if it is one that any reader takes for the same."""
        try:
            url = urljoin(base, address)
        except ValueError:
            raise self._forbidden(address) from None
        if len(address) > LONGEST_URL or not _PLAIN.fullmatch(address):
            raise self._forbidden(address)
        return url

    def _forbidden(self, url: str) -> InputError:
        return InputError(
            f"`source`: {url[:200]!r} is not an address at {', '.join(sorted(self.hosts))} by "
            f"{'https' if self.is_public else 'http'}; nothing else is fetched.",
            reason="forbidden_host",
            field="source.name",
        )

    @contextmanager
    def _answer(self, url: str, deadline: float) -> Iterator[http.client.HTTPResponse]:
        connection = self._connection(url, deadline)
        parts = urlsplit(url)
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        try:
            headers = {"Accept-Encoding": "identity", "User-Agent": "activesynth"}
            connection.request("GET", path, headers=headers)
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise _no_answer(url, str(error) or type(error).__name__) from error
        finally:
            connection.close()

    def _connection(self, url: str, deadline: float) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        scheme = "https" if self.is_public else "http"
        try:
            host, port = parts.hostname or "", parts.port or (443 if self.is_public else 80)
        except ValueError:
            host, port = "", 0
        names = {host} if self.is_public and port == 443 else {f"{host}:{port}"}
        if parts.scheme != scheme or "@" in parts.netloc or not names & self.hosts:
            raise self._forbidden(url)
        address = self._address(url, host, port)
        kind = _CheckedHTTPS if self.is_public else _CheckedHTTP
        return kind(host, port, address, max(0.1, deadline - time.monotonic()))

    def _address(self, url: str, host: str, port: int) -> str:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise _no_answer(url, str(error)) from error
        addresses = [str(item[4][0]) for item in found]
        private = [text for text in addresses if not _is_public(text)]
        if self.is_public and private:
            raise InputError(
                f"`source`: {host} leads to the private address {private[0]}; nothing is fetched "
                "from there. Check the name service of this machine.",
                reason="forbidden_host",
                field="source.name",
            )
        return addresses[0]


def _is_public(text: str) -> bool:
    """Tell whether an address is one host's on the internet, and no way into another network.

    Of IPv6 only what is handed out for that (2000::/3), less 6to4 and what is set aside: addresses
    that carry an IPv4 address within them could carry a private one.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        return address in _UNICAST and address not in _6TO4 and address.is_global
    return address.is_global and not address.is_multicast


class _CheckedHTTP(http.client.HTTPConnection):
    """Connects to an address that was looked at before, under the name it was found by."""

    def __init__(self, host: str, port: int, address: str, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self._checked = address

    def connect(self) -> None:
        """Connect to the address and to no other that the name may lead to by now."""
        self.sock = socket.create_connection((self._checked, self.port), self.timeout)


class _CheckedHTTPS(_CheckedHTTP):
    """The same with TLS, whose certificate must be that of the name."""

    def connect(self) -> None:
        """Connect, and check the certificate."""
        super().connect()
        context = ssl.create_default_context()
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


def _copy(
    url: str,
    response: http.client.HTTPResponse,
    into: IO[bytes],
    max_bytes: int,
    deadline: float,
) -> None:
    encoding = response.getheader("Content-Encoding", "identity")
    if encoding != "identity":
        raise _refused(url, f"it is encoded as {encoding[:40]!r}, which was not asked for")
    size = 0
    while chunk := response.read1(CHUNK):
        size += len(chunk)
        if size > max_bytes:
            raise InputError(
                f"`source.parameters.max_bytes`: {url[:200]} sends more than {max_bytes} bytes; "
                "raise the limit if the data is trusted, or name a smaller dataset.",
                reason="too_large",
                field="source.parameters.max_bytes",
            )
        if time.monotonic() > deadline:
            raise _no_answer(url, f"it was not there in time after {size} bytes")
        into.write(chunk)
    if response.length:
        raise _no_answer(url, f"the connection ended {response.length} bytes early")


def _refuse_status(url: str, status: int) -> None:
    if status in (404, 412):  # openml.org says 412 where a search finds nothing
        raise NotFoundError(url)
    if status >= 500 or status in (408, 429):
        raise _no_answer(url, f"status {status}")
    if status != 200:
        raise _refused(url, f"status {status}")


def _refused(url: str, why: str) -> InputError:
    return InputError(
        f"`source`: {url[:200]} cannot be fetched: {why}; check name and version.",
        reason="fetch_refused",
        field="source.parameters.name",
    )


def _no_answer(url: str, why: str) -> TransientError:
    return TransientError(
        f"`source`: {url[:200]} did not answer ({why[:200]}); check the network and try again, "
        "with more `max_seconds` if it is slow.",
        reason="no_download",
        field="source.parameters.name",
    )
