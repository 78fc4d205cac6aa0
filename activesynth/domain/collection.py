"""What garbage collection keeps on record: blobs held by work, and blobs on their way out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

CLOCKS_MAY_DIFFER = timedelta(minutes=15)
"""How far a clock may be from that of S3 or the database; beyond it S3 refuses what it signs."""

SETTLED = timedelta(minutes=20)
"""How long a condemned blob is left to its collector: a removal that was allowed reaches the store
within :data:`REMOVAL`, give or take :data:`CLOCKS_MAY_DIFFER`."""

REMOVAL = timedelta(minutes=1)
"""How long after a blob was condemned its removal may still be sent."""


def held_by_nobody(digest: str) -> None:
    """Let a store be written without anybody keeping the collector away."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob as the store lists it; ``modified`` is when it was last written, in UTC."""

    digest: str
    bytes: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A blob that nothing reached when it was looked at.

    ``since`` is when that was, ``modified`` when the blob had last been written. ``is_due`` says
    that the grace period is over by the database's clock, ``is_condemned`` that a collector may be
    removing it right now.
    """

    digest: str
    bytes: int
    modified: datetime
    since: datetime
    is_due: bool
    is_condemned: bool


class CollectionStore(Protocol):
    """A part of :class:`activesynth.domain.ports.LineageStore`."""

    def time(self) -> datetime:
        """Return the moment by the database's clock, the one that all processes share."""
        ...

    def hold(self, digests: Collection[str]) -> None:
        """Lease blobs, before they are put or found: no collector removes them until `release`.

        Takes them out of quarantine. The leases are this store's, and whatever it writes is
        refused with a :class:`TransientError` once they have expired.

        Raises:
            TransientError: If a collector is removing one of them and does not finish; the same
                again puts the bytes back.
        """
        ...

    def release(self) -> None:
        """Let go of everything that was held; what was recorded stays, the rest is garbage."""
        ...

    def held(self, limit: timedelta) -> list[str]:
        """Return the digests that are leased by holders who took one within ``limit``."""
        ...

    def expire(self, limit: timedelta) -> int:
        """Drop the leases of holders who took none within ``limit``; return how many."""
        ...

    def quarantined(self, grace: timedelta) -> list[Quarantined]:
        """Return everything in quarantine, and what of it is due."""
        ...

    def quarantine(self, blobs: Iterable[StoredBlob]) -> None:
        """Put blobs into quarantine; one that is there stays as it is."""
        ...

    def pardon(self, digests: Collection[str]) -> None:
        """Take blobs out of quarantine, but those that are condemned."""
        ...

    def condemn(self, rows: Sequence[Quarantined], grace: timedelta, collector: str) -> list[str]:
        """Allow ``collector`` to remove blobs within :data:`REMOVAL`; return which.

        Those whose row has not changed, whose grace is over, and that nobody holds. One
        transaction, before or after any `hold` as a whole.
        """
        ...

    def forget(self, digests: Collection[str], collector: str) -> None:
        """Note that blobs which ``collector`` condemned are gone."""
        ...
