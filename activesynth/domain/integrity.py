"""What the check of a store asks of the records: the blobs they reach, and what hangs on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from activesynth.domain.records import BlobMention, BlobUse, BrokenRow, RecordedBlob


class IntegrityReader(Protocol):
    """A part of :class:`activesynth.domain.ports.LineageReader`."""

    def recorded_blobs(self, campaign: str | None) -> Iterator[RecordedBlob]:
        """Stream the distinct digests of versions, artifacts, models, branches and samples.

        Of all campaigns where ``campaign`` is None. Drain it at once: it holds a connection.
        """
        ...

    def blob_uses(self, digests: Sequence[str]) -> list[BlobUse]:
        """Return everything on record that names one of the digests or was made from it."""
        ...

    def blob_mentions(self, campaign: str | None) -> Iterator[BlobMention]:
        """Stream what refers to blobs that other rows must know; drain it at once."""
        ...

    def broken_rows(self, campaign: str | None) -> list[BrokenRow]:
        """Return rows whose relations to other rows are broken, the first 1000 of each kind."""
        ...
