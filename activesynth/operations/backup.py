"""Saving all records, the list of blobs that they reach, and the blobs themselves if asked to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from activesynth.domain.backups import Backup, LineageArchive, SavedBlobs
from activesynth.domain.forwarding import ForwardingStore
from activesynth.domain.platform import Platform, Report
from activesynth.domain.ports import ObjectStore
from activesynth.errors import CorruptArtifactError, MissingArtifactError
from activesynth.operations.backup_folder import (
    DOCUMENT,
    LIST,
    TABLES,
    appearing_snapshot,
    held,
    snapshots,
    write,
    write_list,
)
from activesynth.operations.reachable import Damage, Reached, in_parallel, walk

READERS = 4


@dataclass(frozen=True, slots=True)
class Created:
    """A snapshot that was made.

    Attributes:
        snapshot: Its name: the time in UTC.
        rows: The rows of all tables.
        blobs: How many blobs are listed.
        bytes: How many bytes they have together.
        copied: How many of them were not in the backup yet and are now.
        copied_bytes: Their bytes.
        lost: Blobs that records reach and the store does not hold as recorded; by digest.
    """

    snapshot: str
    rows: int
    blobs: int
    bytes: int
    copied: int
    copied_bytes: int
    lost: tuple[Damage, ...]


def create(
    folder: Path,
    platform: Platform,
    archive: LineageArchive,
    vault: ObjectStore | None = None,
    *,
    is_deep: bool = False,
    readers: int = READERS,
) -> Created:
    """Add a snapshot to the backup in ``folder``.

    A loop may run meanwhile: the records are those of one moment, and bytes are written before
    records that name them. What is interrupted leaves no snapshot, and no blob is copied twice.

    Args:
        folder: Where the backup is; made where it is missing.
        platform: The ports.
        archive: The records of ``platform``.
        vault: Where blobs are copied to; none are copied unless given.
        is_deep: Compare all bytes with their digests, of the store's blobs and of those that are
            in the backup already. Otherwise presence and size count; what is copied is compared.
        readers: How many blobs are read at once.

    Raises:
        ConflictError: If another command writes into the folder.
        PlatformStateError: If the folder cannot be written.
        TransientError: If database or store do not answer.
    """
    with held(folder):
        taken_at = platform.clock.now()
        name = _free_name(taken_at.strftime("%Y%m%dT%H%M%SZ"), snapshots(folder))
        return add_snapshot(
            folder, name, taken_at, platform, archive, vault, is_deep=is_deep, readers=readers
        )


def add_snapshot(
    folder: Path,
    name: str,
    taken_at: datetime,
    platform: Platform,
    archive: LineageArchive,
    vault: ObjectStore | None,
    *,
    is_deep: bool = False,
    readers: int = READERS,
) -> Created:
    """Add a snapshot under a name of its own; :func:`create` in a folder that is held."""
    with appearing_snapshot(folder, name) as partial:
        saved = archive.save(partial / TABLES, platform.report)
        sizes: dict[str, int] = {}
        measured = replace(
            platform,
            objects=_Measured(platform.objects, sizes),
            report=_renamed(platform.report),
        )
        reached = walk(saved.recorded, measured, is_deep=is_deep, readers=readers)
        copies = _Copies()
        if vault is not None:
            copies = _copy(reached, sizes, platform, vault, is_deep, readers)
        lost = {**reached.damaged, **copies.lost}
        apart = lost.keys() | reached.erased | reached.returned
        kept = sorted((d, sizes[d]) for d in reached.kinds if d not in apart)
        file = write_list(partial / LIST, kept)
        total = sum(size for _, size in kept)
        backup = Backup(
            revision=saved.revision,
            taken_at=taken_at,
            tables=saved.tables,
            heads=saved.heads,
            blobs=SavedBlobs(
                **file.model_dump(),
                count=len(kept),
                total_bytes=total,
                are_copied=vault is not None,
            ),
            lost={d: f"{lost[d].problem}: {lost[d].detail}" for d in sorted(lost)},
        )
        write(partial / DOCUMENT, backup.sealed())
    rows = sum(table.rows for table in saved.tables.values())
    named = tuple(lost[digest] for digest in sorted(lost))
    return Created(name, rows, len(kept), total, copies.count, copies.bytes, named)


def whats_wrong(store: ObjectStore, digest: str, size: int, *, is_deep: bool) -> Damage | None:
    """Return None where the store holds the blob in this size, and these bytes if ``is_deep``."""
    try:
        found = store.check(digest) if is_deep else store.size(digest)
    except MissingArtifactError:
        return Damage(digest, "missing", "is not there")
    except CorruptArtifactError as error:
        return Damage(digest, "corrupt", str(error).partition(";")[0])
    if found != size:
        return Damage(digest, "other_size", f"holds {found} bytes, and the list says {size}")
    return None


class _Measured(ForwardingStore):
    """A store that notes the sizes it tells, so that nobody has to ask for them twice."""

    def __init__(self, objects: ObjectStore, sizes: dict[str, int]) -> None:
        super().__init__(objects)
        self._sizes = sizes

    def size(self, digest: str) -> int:
        self._sizes[digest] = super().size(digest)
        return self._sizes[digest]

    def check(self, digest: str) -> int:
        self._sizes[digest] = super().check(digest)
        return self._sizes[digest]


@dataclass(slots=True)
class _Copies:
    count: int = 0
    bytes: int = 0
    lost: dict[str, Damage] = field(default_factory=dict)


def _copy(
    reached: Reached,
    sizes: dict[str, int],
    platform: Platform,
    vault: ObjectStore,
    is_deep: bool,
    readers: int,
) -> _Copies:
    """Copy what the vault does not hold yet."""

    def copy(digest: str) -> int | Damage:
        if whats_wrong(vault, digest, sizes[digest], is_deep=is_deep) is None:
            return 0
        try:
            data = platform.objects.get(digest)
        except MissingArtifactError:
            return Damage(digest, "missing", "is not in the store")
        except CorruptArtifactError as error:
            return Damage(digest, "corrupt", str(error).partition(";")[0])
        vault.put(data)
        return len(data)

    copies = _Copies()
    apart = reached.damaged.keys() | reached.erased | reached.returned
    wanted = [digest for digest in reached.kinds if digest not in apart]
    for done, (digest, found) in enumerate(in_parallel(copy, wanted, readers), start=1):
        platform.report("backup copies", done, len(wanted))
        if isinstance(found, Damage):
            copies.lost[digest] = found
        elif found:
            copies.count += 1
            copies.bytes += found
    return copies


def _renamed(report: Report) -> Report:
    """Tell of the walk under our own name."""

    def told(what: str, done: int, total: int) -> None:
        report(what.replace("fsck", "backup"), done, total)

    return told


def _free_name(name: str, taken: list[str]) -> str:
    """Return ``name``, or it with a number where two backups are made within a second."""
    names = (name, *(f"{name}.{number}" for number in range(1, len(taken) + 1)))
    return next(free for free in names if free not in taken)
