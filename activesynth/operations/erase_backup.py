"""Erase a person from a backup, by the same act on the records that each snapshot holds.

A snapshot is loaded into a scratch database beside the blobs of the backup, the person is erased
there as from a platform, and what is left is saved as a snapshot in its place. The bytes go last,
when no snapshot reaches them. Killed anywhere, the same again goes on where it stood: a snapshot
that was done knows the erasure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from activesynth.domain.backups import LineageArchive
from activesynth.domain.collection import REMOVAL
from activesynth.domain.forwarding import ForwardingStore
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Clock, ObjectStore
from activesynth.errors import ConfigurationError
from activesynth.operations.backup import READERS, add_snapshot
from activesynth.operations.backup_folder import (
    TABLES,
    drop_snapshot,
    held,
    read_backup,
    snapshots,
    sweep,
)
from activesynth.operations.erase import Request, erase

Scratch = Callable[[], AbstractContextManager[tuple[Platform, LineageArchive]]]
"""Gives a platform on an empty database of its own, and the archive of that database."""


def clean_backup(
    folder: Path,
    request: Request,
    scratch: Scratch,
    vault: ObjectStore,
    live: ObjectStore,
    also_remove: Iterable[str],
    clock: Clock,
    *,
    readers: int = READERS,
) -> dict[str, Any]:
    """Erase a person from every snapshot in a folder and from its blobs; say what was done.

    An iteration that was open when a snapshot was made is failed in it, so that a run takes it over
    from the head without the person.

    Args:
        folder: The backup.
        request: What was asked, with id and salt of the erasure on record.
        scratch: Called for each snapshot.
        vault: The blobs of the backup; may delete.
        live: The store, for snapshots that list blobs without holding them.
        also_remove: Digests that the erasure removed from the store.
        clock: Tells how long a removal may take.
        readers: How many blobs are read at once.

    Raises:
        ConflictError: If another command writes into the folder.
        CorruptArtifactError: ``damaged_backup`` if a file is not as it was written.
        MissingArtifactError: If a snapshot's shards are neither in the backup nor in the store.
    """
    going, cleaned = set(also_remove), 0
    with held(folder):
        sweep(folder)
        names = snapshots(folder)
        for name in names:
            with scratch() as (platform, archive):
                platform = replace(platform, objects=_Layered(vault, live))
                is_done, blobs = _clean(folder, name, request, platform, archive, vault, readers)
                cleaned += is_done
                going |= blobs
        there = sorted(digest for digest in going if vault.has(digest))
        for digest in there:
            vault.delete(digest, before=clock.now() + REMOVAL)
    return {
        "folder": folder.name,
        "snapshots": len(names),
        "cleaned": cleaned,
        "blobs_removed": len(there),
    }


def _clean(
    folder: Path,
    name: str,
    request: Request,
    platform: Platform,
    archive: LineageArchive,
    vault: ObjectStore,
    readers: int,
) -> tuple[bool, set[str]]:
    """Put a snapshot without the person in the place of one; return what it no longer reaches."""
    place = folder / "snapshots" / name
    backup = read_backup(place)
    archive.load(place / TABLES, backup, platform.report)
    is_known = any(known.id == request.id for known in platform.lineage.erasures())
    if not is_known:
        there = tuple(c for c in request.campaigns if c in backup.heads and backup.heads[c].head)
        if not there:
            return False, set()
        for last in platform.lineage.last_iterations():
            if last.ref.campaign in there and last.state in ("open", "waiting"):
                reason = f"erasure {request.id} reached the backup in which it was open"
                platform.lineage.fail_iteration(last.ref, reason)
        try:
            asked = replace(request, campaigns=there, is_partial=True)
            done = erase(asked, platform, is_deleting=True, removes_blobs=False)
        except ConfigurationError as error:
            if error.reason not in ("unknown_group", "unknown_sample"):
                raise
            return False, set()  # older than the person, or without the person
        if done.is_resumed:
            return False, set()  # an earlier erasure, which is in this snapshot, did it
    blobs = platform.lineage.erased_blobs().values()
    gone = {blob.digest for blob in blobs if blob.erasure == request.id}
    if not is_known:
        platform.lineage.note_removed(gone, f"backup-{request.id}")
        instead = f"{name}.{request.id}"
        if instead not in snapshots(folder):
            copies = vault if backup.blobs.are_copied else None
            add_snapshot(
                folder, instead, backup.taken_at, platform, archive, copies, readers=readers
            )
        drop_snapshot(folder, name)
    return not is_known, gone


class _Layered(ForwardingStore):
    """The blobs of a backup before those of the store; what is put goes into the backup."""

    def __init__(self, vault: ObjectStore, live: ObjectStore) -> None:
        super().__init__(vault)
        self._live = live

    def get(self, digest: str) -> bytes:
        return self._holder(digest).get(digest)

    def has(self, digest: str) -> bool:
        return super().has(digest) or self._live.has(digest)

    def size(self, digest: str) -> int:
        return self._holder(digest).size(digest)

    def check(self, digest: str) -> int:
        return self._holder(digest).check(digest)

    def _holder(self, digest: str) -> ObjectStore:
        return self._objects if super().has(digest) else self._live
