"""Blobs that work holds: leased before they are put, so that no collector removes them meanwhile.

Leases and condemnations take one lock, shared and exclusive. So whoever leases sees every
condemnation that came first, and whoever condemns sees every lease that came first.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection

from sqlalchemy import Connection, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from activesynth.domain.collection import SETTLED
from activesynth.errors import TransientError
from activesynth.lineage.schema import blob_leases, blob_quarantine

_SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtext('activesynth.collection'))")
_ALONE = text("SELECT pg_advisory_xact_lock(hashtext('activesynth.collection'))")


class BeingRemovedError(TransientError):
    """A collector is removing a blob that somebody needs again; it takes moments, or it died."""

    reason = "being_removed"


class Leases:
    """What one pool of connections holds: the digests, and under which name."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._holder = secrets.token_hex(8)
        self._may_hold = False
        self._digests: set[str] = set()
        self._lock = threading.Lock()

    def missing(self, digests: Collection[str]) -> list[str]:
        """Return those that are not held, sorted: the order in which rows are locked."""
        with self._lock:
            return sorted(set(digests) - self._digests)

    def take(self, connection: Connection, digests: Collection[str]) -> None:
        """Write leases; :meth:`keep` follows when they are committed.

        Raises:
            BeingRemovedError: If a collector condemned one of them and has not removed it yet.
        """
        # A signal may come between the commit of these and `keep`.
        self._may_hold = True
        connection.execute(_SHARED)
        rows = blob_quarantine.c
        here = rows.digest.in_(digests)
        condemned = select(rows.digest).where(
            here, rows.condemned_at > func.clock_timestamp() - SETTLED
        )
        found = connection.execute(condemned.limit(1)).scalar_one_or_none()
        if found is not None:
            raise BeingRemovedError(
                f"blob {found} is being removed by `activesynth gc`, since nothing on record "
                "needed it, or by `activesynth erase`, since a withdrawn person was in it; try "
                f"again, at the latest in {SETTLED.seconds // 60} minutes."
            )
        connection.execute(delete(blob_quarantine).where(here))
        leases = [{"holder": self._holder, "digest": digest} for digest in digests]
        renewed = {"taken_at": func.clock_timestamp()}
        keys = ("holder", "digest")
        statement = upsert(blob_leases).on_conflict_do_update(index_elements=keys, set_=renewed)
        connection.execute(statement, leases)

    def keep(self, digests: Collection[str]) -> None:
        """Remember leases that are committed."""
        with self._lock:
            self._digests.update(digests)

    def confirm(self, connection: Connection) -> None:
        """Refuse to write on behalf of a holder whose leases are gone.

        Raises:
            TransientError: If they expired, so that blobs it has put may have been removed.
        """
        with self._lock:
            count = len(self._digests)
        if not count:
            return
        connection.execute(_SHARED)
        own = select(func.count()).where(blob_leases.c.holder == self._holder)
        if int(connection.execute(own).scalar_one()) < count:
            raise TransientError(
                "this process has stood still for so long that blobs it has put may have been "
                "removed by `activesynth gc` or `erase`; nothing was recorded, start the task "
                "again.",
                reason="lease_expired",
            )

    @property
    def may_hold(self) -> bool:
        """Tell whether there may be leases to drop."""
        return self._may_hold

    def drop(self, connection: Connection) -> None:
        """Delete the leases; :meth:`forget` follows when that is committed."""
        connection.execute(delete(blob_leases).where(blob_leases.c.holder == self._holder))

    def forget(self) -> None:
        """Forget leases that are dropped."""
        with self._lock:
            self._digests.clear()
        self._may_hold = False


def alone(connection: Connection) -> None:
    """Wait until nobody leases and nobody records, and keep it so until the transaction ends."""
    connection.execute(_ALONE)
