"""Where events of the outbox go: files, or a server that speaks OpenLineage."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from activesynth.config.settings import Settings
from activesynth.domain.canonical import canonical_json
from activesynth.domain.ports import EventSink
from activesynth.domain.records import OutboxEvent
from activesynth.errors import ActiveSynthError, ConfigurationError, TransientError
from activesynth.operations.events import FileEventSink
from activesynth.operations.openlineage import run_event

URL = "ACTIVESYNTH_EVENTS_URL"
KEY = "ACTIVESYNTH_EVENTS_API_KEY"
CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
_PASSING = (408, 425, 429)


def open_sink(settings: Settings) -> EventSink:
    """Open what ``settings.events_url`` names, or the folder of events under ``home``.

    Nothing is connected before the first event.

    Raises:
        ConfigurationError: If the address is of another kind or holds a password, or the key
            cannot stand in a header.
    """
    if settings.events_url is None:
        return FileEventSink(settings.home / "events")
    address = urlsplit(settings.events_url)
    if address.scheme == "file" and address.netloc in ("", "localhost") and address.path[:1] == "/":
        return FileEventSink(Path(unquote(address.path)))
    if address.scheme not in ("http", "https") or not _has_host(address):
        raise ConfigurationError(
            f"{URL} must be file:///folder, or http:// or https:// with host and path of a server "
            "that takes OpenLineage events, or be unset for files under ACTIVESYNTH_HOME.",
            reason="bad_address",
            field=URL,
        )
    if address.username is not None or address.password is not None:
        raise ConfigurationError(
            f"{URL} holds a user or a password; put the key into {KEY}, where no message shows it.",
            reason="bad_address",
            field=URL,
        )
    key = settings.events_api_key
    return OpenLineageSink(
        settings.events_url,
        settings.events_namespace,
        None if key is None else _header(key.get_secret_value()),
    )


class OpenLineageSink:
    """Posts each event as an OpenLineage run event; the run's UUID is the same every time."""

    def __init__(self, url: str, namespace: str, api_key: str | None) -> None:
        """Send to ``url`` as ``namespace``; ``api_key`` becomes a bearer token."""
        self._url = url
        self._namespace = namespace
        self._headers = {"Content-Type": "application/json", "User-Agent": "activesynth"}
        if api_key is not None:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._place = _place(url)

    def send(self, event: OutboxEvent) -> None:
        """Post one event.

        Raises:
            TransientError: If the server is away, overloaded or in trouble.
            ConfigurationError: If it refuses the event or the key, or sends us elsewhere; no
                redirect is followed, for the key would go along.
        """
        from urllib3 import PoolManager, Timeout
        from urllib3.exceptions import HTTPError

        limits = Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        try:
            with PoolManager(num_pools=1, timeout=limits, retries=False) as server:
                answer = server.request(
                    "POST",
                    self._url,
                    body=canonical_json(run_event(event, self._namespace)),
                    headers=self._headers,
                    redirect=False,
                    # What it says is of no use, and could be endless.
                    preload_content=False,
                )
                status = answer.status
                answer.close()
        except HTTPError as error:
            raise self._away(event, type(error).__name__) from None
        if not 200 <= status < 300:
            raise self._refusal(event, status)

    def _away(self, event: OutboxEvent, why: str) -> TransientError:
        return TransientError(
            f"the events server {self._place} did not take the event {event.key!r} ({why}); it "
            "stays in the outbox and is sent again.",
            reason="no_events_server",
            field=URL,
        )

    def _refusal(self, event: OutboxEvent, status: int) -> ActiveSynthError:
        if status >= 500 or status in _PASSING:
            return self._away(event, f"status {status}")
        field, advice = URL, f"check {URL}"
        if status in (401, 403):
            field, advice = KEY, f"check {KEY}"
        elif 300 <= status < 400:
            advice = f"redirects are not followed: name the last address in {URL}"
        return ConfigurationError(
            f"the events server {self._place} refused the event {event.key!r} (status {status}); "
            f"{advice}. The event stays in the outbox.",
            reason="events_refused",
            field=field,
        )


def _has_host(address: SplitResult) -> bool:
    try:
        return bool(address.hostname) and (address.port is None or address.port > 0)
    except ValueError:
        return False


def _header(key: str) -> str:
    """Return the key if it can stand in a header; the message does not show it."""
    if not key or not (key.isascii() and key.isprintable()):
        raise ConfigurationError(
            f"{KEY} is empty or holds characters that no header may hold; look for a line break "
            "at its end.",
            reason="bad_value",
            field=KEY,
        )
    return key


def _place(url: str) -> str:
    """Return an address without its query, which may hold a token."""
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}{address.path}"
