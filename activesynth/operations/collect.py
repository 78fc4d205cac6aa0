"""Remove blobs that nothing on record reaches, however much is at work meanwhile.

A collector marks what must stay, puts everything else that is old into quarantine (a row each), and
a later run removes what is still there and still unreachable after the grace period. Nothing that a
record reaches is ever removed, because:

1. **What is wanted is held first.** Every put leases its digest (``blob_leases``) before it looks
   whether the blob is there, and a step that reuses another's result leases that result's blobs
   with what its manifests list. A lease takes the blob out of quarantine, and lasts until the
   process closes its platform: past every record it wrote, however long the work took. So staged
   shards, the corpus of a generator that trains for days, and the predictions of an experiment's
   cell stay without a record. What a record names beyond that (a parent, an input) other records
   reach: those of committed iterations for ever, those of an open one as long as it is open.
2. **Marks are read in the order in which blobs move on**: the rows in quarantine, then leases, then
   records. A blob passes from lease to record, so one of the two shows it.
3. **Condemning and leasing exclude each other** by one lock in Postgres. Only a row that was there
   before the mark began, unchanged since, and that nobody holds at that moment is condemned. A
   lease that came before took the row away; one that comes later finds the blob condemned, waits
   for its removal, and the put writes it anew.
4. **A removal cannot come late.** It may be sent for a minute after the condemnation; S3 refuses it
   afterwards by its signature. Whoever wants a blob whose collector died takes it over twenty
   minutes after it was condemned.
5. **Who was dead does not record.** A holder that took no lease for the lease limit loses them all,
   and whatever its process writes afterwards is refused: it starts its task again.

Readers need no lease: what they read is reached by a record. The argument needs the grace period in
one place only: a step that links an input whose own result is replaced before the link is recorded
has not leased it, and would have to stand still for longer than that. Otherwise the period keeps
what programs without leases have put (copies, older versions).

A manifest or card that is lost hides what it lists, so nothing is removed until it is restored.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from activesynth.domain.collection import CLOCKS_MAY_DIFFER, REMOVAL, Quarantined, StoredBlob
from activesynth.domain.platform import Platform
from activesynth.domain.ports import ObjectStore
from activesynth.errors import (
    ConfigurationError,
    MissingArtifactError,
    PlatformStateError,
    TransientError,
)
from activesynth.operations.reachable import in_parallel, reach

GRACE = timedelta(hours=24)
LEASE_LIMIT = timedelta(days=7)
READERS = 4
BATCH = 100
"""Blobs that are condemned at once: whoever wants one of them waits until they are removed."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How many blobs, and their bytes together."""

    blobs: int = 0
    bytes: int = 0

    def plus(self, blob: StoredBlob) -> Amount:
        """Return this and one more."""
        return Amount(self.blobs + 1, self.bytes + blob.bytes)


@dataclass(frozen=True, slots=True)
class CollectionReport:
    """What lies in the store, and what became of it.

    Attributes:
        is_deleting: Whether anything was changed; otherwise what would be is told.
        reachable: On record, or listed by a manifest or card on record.
        held: Held by work that has not recorded it.
        young: Unreachable, and written within the grace period.
        found: Unreachable and old: put into quarantine by this run.
        waiting: In quarantine, and not yet for as long as the grace period.
        due: In quarantine for long enough: removed by this run, but for what was wanted again.
        removed: What was removed; nothing in a dry run.
        expired: Leases of dead holders that were dropped.
    """

    is_deleting: bool
    reachable: Amount
    held: Amount
    young: Amount
    found: Amount
    waiting: Amount
    due: Amount
    removed: Amount
    expired: int


@dataclass(slots=True)
class _Sorted:
    """The store's blobs by what is to become of them; those that stay are only counted."""

    reachable: Amount = Amount()
    held: Amount = Amount()
    young: Amount = Amount()
    found: list[StoredBlob] = field(default_factory=list)
    waiting: list[Quarantined] = field(default_factory=list)
    due: list[Quarantined] = field(default_factory=list)
    pardoned: list[str] = field(default_factory=list)


def collect(
    platform: Platform,
    *,
    grace: timedelta = GRACE,
    lease_limit: timedelta = LEASE_LIMIT,
    is_deleting: bool = False,
    readers: int = READERS,
) -> CollectionReport:
    """Put unreachable blobs into quarantine, and remove those that have been there for long.

    May be interrupted anywhere and run again; runs at the same time do no harm. What an interrupted
    run had condemned is removed by one that begins twenty minutes later.

    Args:
        platform: The ports; the keys of its store must be allowed to delete where it deletes.
        grace: How old a blob must be to enter quarantine, and how long it stays there.
        lease_limit: After how long without a new lease a holder counts as dead; longer than any
            single task takes between two puts.
        is_deleting: Otherwise nothing is changed: not in the store, nor in the database.
        readers: How many blobs are read or removed at once.

    Raises:
        MissingArtifactError: If a manifest or card on record is lost.
        ConfigurationError: If the store is not that of the database, or its keys may not delete.
        PlatformStateError: If the clock of this machine is wrong: what it sends as good for a
            minute could be good for hours.
        TransientError: If database or store do not answer.
    """
    if is_deleting:
        refuse_wrong_clock(platform)
    expired = platform.lineage.expire(lease_limit) if is_deleting else 0
    rows = {row.digest: row for row in platform.lineage.quarantined(grace)}
    held = set(platform.lineage.held(lease_limit))
    reached = _reached(platform, readers)
    found = _sort(platform, reached, held, rows, grace)
    removed: list[Quarantined] = []
    if is_deleting:
        platform.lineage.pardon(found.pardoned)
        platform.lineage.quarantine(found.found)
        removed = _sweep(found.due, platform, grace, readers)
    return CollectionReport(
        is_deleting,
        found.reachable,
        found.held,
        found.young,
        _amount(found.found),
        _amount(found.waiting),
        _amount(found.due),
        _amount(removed),
        expired,
    )


def refuse_wrong_clock(platform: Platform) -> None:
    """Refuse to remove anything by a clock that differs from the database's.

    Raises:
        PlatformStateError: ``clock_wrong``, with the way out.
    """
    apart = platform.clock.now() - platform.lineage.time()
    if abs(apart) > CLOCKS_MAY_DIFFER:
        raise PlatformStateError(
            f"the clock of this machine is {abs(apart).total_seconds() / 60:.0f} minutes "
            f"{'ahead' if apart > -apart else 'behind'} of the database's, and nothing is removed "
            "by a wrong clock; let both follow a time server (`timedatectl set-ntp true`), then "
            "run again.",
            reason="clock_wrong",
        )


def _reached(platform: Platform, readers: int) -> set[str]:
    """Return everything that records reach or mention.

    Raises:
        MissingArtifactError: If a document is lost, so that what it lists is unknown.
    """
    reached = reach(platform.reader.recorded_blobs(None), platform, readers=readers)
    if reached.damaged:
        lost = sorted(reached.damaged)
        raise MissingArtifactError(
            f"{len(lost)} manifests or cards on record cannot be read, the first is {lost[0]} "
            f"({reached.damaged[lost[0]].detail}), so what they list is unknown and nothing is "
            "removed; `activesynth fsck` says how to restore them."
        )
    known = set(reached.kinds) | {m.digest for m in platform.reader.blob_mentions(None)}
    # What was erased is missing on purpose; what of it is there is removed by `erase` alone.
    erased = platform.lineage.erased_blobs()
    return {digest for digest in known if digest not in erased or platform.objects.has(digest)}


def _sort(
    platform: Platform,
    reached: set[str],
    held: set[str],
    rows: dict[str, Quarantined],
    grace: timedelta,
) -> _Sorted:
    """List the store once, and tell every blob by what is to become of it.

    Raises:
        ConfigurationError: If most of what is on record is not there: this is another store.
    """
    found, newest = _Sorted(), platform.clock.now() - grace
    for blob in platform.objects.listed():
        row = rows.pop(blob.digest, None)
        if blob.digest in reached or blob.digest in held:
            if blob.digest in reached:
                found.reachable = found.reachable.plus(blob)
                platform.report("blobs", found.reachable.blobs, len(reached) + 1)
            else:
                found.held = found.held.plus(blob)
            if row is not None:
                found.pardoned.append(blob.digest)
        elif row is not None and row.modified == blob.modified:
            (found.due if row.is_due and not row.is_condemned else found.waiting).append(row)
        elif row is not None:  # written again by a program without leases: it waits anew
            found.pardoned.append(blob.digest)
            found.young = found.young.plus(blob)
        elif blob.modified > newest:
            found.young = found.young.plus(blob)
        else:
            found.found.append(blob)
    platform.report("blobs", len(reached) + 1, len(reached) + 1)
    found.pardoned += rows  # what is no more in the store
    there = found.reachable.blobs
    if (found.found or found.due) and there * 2 <= len(reached):
        raise ConfigurationError(
            f"{there} of {len(reached)} blobs on record are in the store, and it holds others: it "
            "looks like the store of another database, and nothing is removed; check "
            "ACTIVESYNTH_DATABASE_URL and ACTIVESYNTH_OBJECTS_URL, then run `activesynth fsck`.",
            reason="foreign_store",
            field="ACTIVESYNTH_OBJECTS_URL",
        )
    return found


def _sweep(
    due: list[Quarantined], platform: Platform, grace: timedelta, readers: int
) -> list[Quarantined]:
    collector = secrets.token_hex(8)
    removed: list[Quarantined] = []
    for start in range(0, len(due), BATCH):
        batch = due[start : start + BATCH]
        remove = removal(platform, platform.objects)
        condemned = set(platform.lineage.condemn(batch, grace, collector))
        going = [row for row in batch if row.digest in condemned]
        for _ in in_parallel(remove, [row.digest for row in going], readers):
            pass
        platform.lineage.forget(condemned, collector)
        removed += going
        platform.report("removed", start + len(batch), len(due))
    return removed


def removal(platform: Platform, objects: ObjectStore) -> Callable[[str], None]:
    """Return what removes blobs from now on for as long as :data:`REMOVAL`, and is late afterwards.

    Made before blobs are condemned; it also holds where the clock is set back meanwhile.
    """
    before, latest = platform.clock.now() + REMOVAL, _uptime() + REMOVAL.total_seconds()

    def remove(digest: str) -> None:
        if _uptime() > latest:
            raise TransientError(
                f"the removal of blob {digest} came too late, and somebody may need it again; run "
                "the command once more.",
                reason="late_removal",
            )
        objects.delete(digest, before=before)

    return remove


def _uptime() -> float:
    """Return seconds since the machine was started, with those it slept; nobody sets this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _amount(blobs: Iterable[StoredBlob | Quarantined]) -> Amount:
    sizes = [blob.bytes for blob in blobs]
    return Amount(len(sizes), sum(sizes))
