"""Bringing a backup back: blobs, then records, then a look at whether all is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from activesynth.domain.backups import Backup, LineageArchive
from activesynth.domain.platform import Platform
from activesynth.domain.ports import ObjectStore
from activesynth.errors import CorruptArtifactError, MissingArtifactError
from activesynth.operations.backup import READERS, whats_wrong
from activesynth.operations.backup_folder import TABLES, find_snapshot, listed, read_backup
from activesynth.operations.fsck import FsckReport, fsck
from activesynth.operations.reachable import Damage, in_parallel


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back, and what is not as it was.

    Attributes:
        snapshot: The snapshot's name.
        rows: The rows that were loaded.
        blobs: How many blobs the snapshot lists.
        put: How many of them the store lacked and has now.
        put_bytes: Their bytes.
        unusable: Blobs that neither the store nor the backup holds as listed, by digest.
        differences: Counts of rows and heads of campaigns that are not as the snapshot says.
        fsck: What a check of all records and blobs found afterwards.
    """

    snapshot: str
    rows: int
    blobs: int
    put: int
    put_bytes: int
    unusable: tuple[Damage, ...]
    differences: tuple[str, ...]
    fsck: FsckReport

    @property
    def is_whole(self) -> bool:
        """Tell whether everything is as it was when the backup was made."""
        return not self.unusable and not self.differences and self.fsck.is_clean


def restore(
    folder: Path,
    platform: Platform,
    archive: LineageArchive,
    vault: ObjectStore,
    *,
    snapshot: str | None = None,
    is_deep: bool = True,
    readers: int = READERS,
) -> Restored:
    """Put the blobs that the store lacks, load the records, and check everything.

    The digests of all files are compared before anything is written. Bytes come before records, and
    the records in one transaction: what is interrupted before it can be run again, what is
    interrupted after it is restored, and `fsck` can be run by itself.

    Args:
        folder: The backup.
        platform: The ports; its database has no records.
        archive: The records of ``platform``.
        vault: The blobs of the backup. Where it holds none, the store is taken as it is.
        snapshot: Which one; the newest unless given.
        is_deep: Compare all bytes with their digests, or look for presence and size only; what
            comes from the backup is compared always.
        readers: How many blobs are read at once.

    Raises:
        ConfigurationError: ``no_backup`` if there is none, or a half one.
        CorruptArtifactError: ``damaged_backup`` if a file of it is not as it was written.
        ConflictError: ``used_database`` if the database holds records.
        PlatformStateError: ``newer_tables`` if the backup is that of a newer version.
        TransientError: If database or store do not answer.
    """
    place = find_snapshot(folder, snapshot)
    backup = read_backup(place)
    archive.check_vacant(backup.revision)
    put, put_bytes, unusable = _put(place, backup, platform, vault, is_deep, readers)
    archive.load(place / TABLES, backup, platform.report)
    return Restored(
        place.name,
        sum(table.rows for table in backup.tables.values()),
        backup.blobs.count,
        put,
        put_bytes,
        unusable,
        tuple(_differences(backup, archive)),
        fsck(platform, is_deep=is_deep, readers=readers),
    )


def _put(
    place: Path,
    backup: Backup,
    platform: Platform,
    vault: ObjectStore,
    is_deep: bool,
    readers: int,
) -> tuple[int, int, tuple[Damage, ...]]:
    """Put what the store lacks; return how many blobs and bytes, and what nobody has."""

    def put(entry: tuple[str, int]) -> int | Damage:
        digest, size = entry
        wrong = whats_wrong(platform.objects, digest, size, is_deep=is_deep)
        if wrong is None:
            return 0
        try:
            data = vault.get(digest)
        except MissingArtifactError:
            what = "is neither in the store nor in the backup"
            return wrong if wrong.problem != "missing" else Damage(digest, "missing", what)
        except CorruptArtifactError as error:
            return Damage(digest, "corrupt", str(error).partition(";")[0])
        platform.objects.put(data)
        return len(data)

    count = total = 0
    unusable = []
    for done, (_, found) in enumerate(in_parallel(put, listed(place), readers), start=1):
        platform.report("restore blobs", done, backup.blobs.count)
        if isinstance(found, Damage):
            unusable.append(found)
        elif found:
            count += 1
            total += found
    return count, total, tuple(sorted(unusable, key=lambda damage: damage.digest))


def _differences(backup: Backup, archive: LineageArchive) -> Iterator[str]:
    counts = archive.counts()
    for name, table in backup.tables.items():
        if counts.get(name) != table.rows:
            yield f"table {name} has {counts.get(name)} rows, and the backup says {table.rows}"
    heads = archive.heads()
    for campaign in sorted({*heads, *backup.heads}):
        if heads.get(campaign) != backup.heads.get(campaign):
            yield (
                f"campaign {campaign} stands at {heads.get(campaign)}, and the backup says "
                f"{backup.heads.get(campaign)}"
            )
