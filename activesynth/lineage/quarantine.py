"""Quarantine, leases and condemnation as rows; ``operations.collect`` says why it is safe."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from activesynth.domain.collection import SETTLED, Quarantined, StoredBlob
from activesynth.errors import PlatformStateError
from activesynth.lineage.engine import Database
from activesynth.lineage.leases import BeingRemovedError, alone
from activesynth.lineage.schema import artifacts, blob_leases, blob_quarantine

PATIENCE = 15.0
"""Seconds to wait for a collector that is removing a blob: longer than it takes for a batch."""

_BATCH = 1000
_rows = blob_quarantine.c


class CollectionRows:
    """Implements :class:`activesynth.domain.collection.CollectionStore`."""

    _database: Database

    def time(self) -> datetime:
        """Return the moment by the database's clock."""
        with self._database.reading() as connection:
            found: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return found

    def hold(self, digests: Collection[str]) -> None:
        """Lease blobs before they are put or found; where there are no tables, nobody collects."""
        leases = self._database.leases
        wanted = leases.missing(digests)
        if not wanted:
            return
        try:
            self._take(wanted)
        except PlatformStateError as error:
            # A backup's blobs come back before its records do.
            if error.reason != "not_migrated":
                raise
            return
        leases.keep(wanted)

    def _take(self, wanted: list[str]) -> None:
        for attempt in Retrying(
            retry=retry_if_exception_type(BeingRemovedError),
            stop=stop_after_delay(PATIENCE),
            wait=wait_random_exponential(multiplier=0.1, max=2.0),
            reraise=True,
        ):
            with attempt, self._database.noting() as connection:
                self._database.leases.take(connection, wanted)

    def release(self) -> None:
        """Let go of everything that was held."""
        self._database.release()

    def held(self, limit: timedelta) -> list[str]:
        """Return the digests that are leased by living holders."""
        query = select(blob_leases.c.digest).distinct()
        dead = blob_leases.c.holder.in_(dead_holders(limit))
        with self._database.reading() as connection:
            return list(connection.execute(query.where(~dead)).scalars())

    def expire(self, limit: timedelta) -> int:
        """Drop the leases of dead holders."""
        with self._database.noting() as connection:
            alone(connection)
            gone = delete(blob_leases).where(blob_leases.c.holder.in_(dead_holders(limit)))
            return connection.execute(gone).rowcount

    def quarantined(self, grace: timedelta) -> list[Quarantined]:
        """Return everything in quarantine."""
        query = select(
            *(_rows[name] for name in ("digest", "bytes", "modified", "since")),
            _is_due(grace).label("is_due"),
            func.coalesce(~_is_settled(), False).label("is_condemned"),
        )
        with self._database.reading() as connection:
            return [Quarantined(**row) for row in connection.execute(query).mappings()]

    def quarantine(self, blobs: Iterable[StoredBlob]) -> None:
        """Put blobs into quarantine."""
        coming = iter(blobs)
        while batch := list(islice(coming, _BATCH)):
            values = [
                {"digest": blob.digest, "bytes": blob.bytes, "modified": blob.modified}
                for blob in batch
            ]
            with self._database.noting() as connection:
                alone(connection)
                connection.execute(upsert(blob_quarantine).on_conflict_do_nothing(), values)

    def pardon(self, digests: Collection[str]) -> None:
        """Take blobs out of quarantine, but those that are condemned."""
        self._delete(digests, _is_settled())

    def condemn(self, rows: Sequence[Quarantined], grace: timedelta, collector: str) -> list[str]:
        """Allow ``collector`` to remove blobs; return which."""
        seen = [(row.digest, row.since) for row in rows]
        held = select(blob_leases.c.digest).where(blob_leases.c.digest == _rows.digest).exists()
        known = select(artifacts.c.digest).where(artifacts.c.digest == _rows.digest).exists()
        free = (tuple_(_rows.digest, _rows.since).in_(seen), _is_due(grace), _is_settled())
        condemned = (
            update(blob_quarantine)
            .where(*free, ~held, ~known)
            .values(condemned_at=func.clock_timestamp(), condemned_by=collector)
            .returning(_rows.digest)
        )
        with self._database.writing(f"condemn:{collector}") as connection:
            alone(connection)
            return list(connection.execute(condemned).scalars())

    def forget(self, digests: Collection[str], collector: str) -> None:
        """Note that blobs are gone."""
        self._delete(digests, _rows.condemned_by == collector)

    def _delete(self, digests: Collection[str], condition: ColumnElement[bool]) -> None:
        coming = iter(sorted(digests))
        while batch := list(islice(coming, _BATCH)):
            gone = delete(blob_quarantine).where(_rows.digest.in_(batch), condition)
            with self._database.noting() as connection:
                alone(connection)
                connection.execute(gone)


def dead_holders(limit: timedelta) -> Any:
    """Select the holders who took no lease within ``limit``."""
    newest = func.max(blob_leases.c.taken_at)
    holders = select(blob_leases.c.holder).group_by(blob_leases.c.holder)
    return holders.having(newest < func.clock_timestamp() - limit)


def _is_due(grace: timedelta) -> ColumnElement[bool]:
    return _rows.since <= func.clock_timestamp() - grace


def _is_settled() -> ColumnElement[bool]:
    """Hold for rows that nobody condemned, or so long ago that no removal can arrive any more."""
    return or_(_rows.condemned_at.is_(None), _rows.condemned_at <= func.clock_timestamp() - SETTLED)
