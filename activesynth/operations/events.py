"""Events as files, for whoever watches a folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from activesynth.domain.canonical import canonical_json, sha256
from activesynth.domain.records import Event
from activesynth.errors import TransientError


class FileEventSink:
    """Writes one JSON file per event key; delivering a key twice leaves one file.

    The folder holds whole events only. They are written in ``.partial`` below it, where a killed
    process may leave a piece that nobody reads.
    """

    def __init__(self, folder: Path) -> None:
        """Use ``folder``, which the first event creates."""
        self._folder = folder

    def send(self, event: Event) -> None:
        """Write ``<sha256 of the key>.json`` by an atomic rename.

        Raises:
            TransientError: If the folder cannot be written now.
        """
        document = {"key": event.key, "kind": event.kind, "payload": dict(event.payload)}
        name = f"{sha256(event.key.encode())}.json"
        partial = self._folder / ".partial" / f"{secrets.token_hex(8)}.{name}"
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("wb") as file:
                    file.write(canonical_json(document))
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(self._folder / name)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise TransientError(
                f"the event {event.key!r} could not be written to {str(self._folder)!r}: {error}; "
                "it stays in the outbox and is sent again."
            ) from error
