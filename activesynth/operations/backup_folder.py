"""How a backup lies in its folder.

::

    <folder>/snapshots/<UTC time>/backup.json        what it holds, with the digest of each file
                                  blobs.tsv          digest and bytes of every blob reached
                                  tables/<table>.copy
    <folder>/blobs/<aa>/<sha256>                     shared by all snapshots

A snapshot is written under a name with a dot and renamed at the end: what has its right name is
whole. Files are closed to everybody but their owner.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from activesynth.domain.backups import Backup, SavedFile
from activesynth.errors import (
    ConfigurationError,
    ConflictError,
    CorruptArtifactError,
    PlatformStateError,
)

DOCUMENT = "backup.json"
LIST = "blobs.tsv"
TABLES = "tables"
_PIECE_BYTES = 1 << 20


def snapshots(folder: Path) -> list[str]:
    """Return the names of the whole snapshots in a folder, oldest first."""
    found = folder.glob(f"snapshots/*/{DOCUMENT}")
    return sorted(path.parent.name for path in found if not path.parent.name.startswith("."))


def find_snapshot(folder: Path, name: str | None) -> Path:
    """Return the folder of a snapshot, of the newest unless ``name`` is given.

    Raises:
        ConfigurationError: ``no_backup``; the message tells a half backup from none.
    """
    there = snapshots(folder)
    if there and (name is None or name in there):
        return folder / "snapshots" / (name or there[-1])
    if there:
        problem = f"has no snapshot {name!r}; it has {', '.join(there)}."
    elif any(folder.glob("snapshots/.*")):
        problem = "holds a backup that was not finished; run `activesynth backup create` again."
    else:
        problem = "holds no backup; name the folder that `activesynth backup create` wrote."
    raise ConfigurationError(f"{folder} {problem}", reason="no_backup", field="folder")


def read_backup(snapshot: Path) -> Backup:
    """Return what a snapshot says of itself, with every file compared with its digest.

    Raises:
        CorruptArtifactError: If a file is missing or holds other bytes.
    """
    path = snapshot / DOCUMENT
    try:
        backup = Backup.unsealed(path.read_bytes())
    except (OSError, CorruptArtifactError) as error:
        raise _damaged(path, str(error)) from error
    _compare(snapshot / LIST, backup.blobs)
    for name, table in backup.tables.items():
        _compare(snapshot / TABLES / f"{name}.copy", table)
    return backup


def listed(snapshot: Path) -> Iterator[tuple[str, int]]:
    """Yield digest and bytes of every blob that a snapshot lists."""
    with (snapshot / LIST).open(encoding="ascii") as lines:
        for line in lines:
            digest, size = line.split("\t")
            yield digest, int(size)


def write_list(path: Path, sizes: Iterable[tuple[str, int]]) -> SavedFile:
    """Write the list of blobs."""
    return write(path, "".join(f"{digest}\t{size}\n" for digest, size in sizes).encode("ascii"))


def write(path: Path, data: bytes) -> SavedFile:
    """Write a file so that it survives a power cut."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return SavedFile(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder where it is missing, and let nobody else write a backup into it.

    Raises:
        ConflictError: ``backup_running`` if somebody does.
        PlatformStateError: ``backup_folder`` if it cannot be written, then or in the block.
    """
    try:
        _private(folder / "snapshots")
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(descriptor)
    except BlockingIOError as error:
        raise ConflictError(
            f"another command is writing a backup into {folder}; wait until it ends.",
            reason="backup_running",
            field="folder",
        ) from error
    except OSError as error:
        raise PlatformStateError(
            f"backup folder {folder}: {error.strerror} at {error.filename or folder}; free space "
            "or correct owner and mode, then run again: what was copied is kept.",
            reason="backup_folder",
            field="folder",
        ) from error


@contextmanager
def appearing_snapshot(folder: Path, name: str) -> Iterator[Path]:
    """Yield a folder that becomes the snapshot ``name`` when the block ends well.

    What an earlier command left half is removed. Call it while the folder is held.
    """
    place = folder / "snapshots"
    sweep(folder)
    partial = place / f".{name}.partial"
    try:
        _private(partial / TABLES)
        yield partial
        _flush(partial / TABLES)
        _flush(partial)
        partial.rename(place / name)
        _flush(place)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what killed commands left half written or half removed. Call it while it is held."""
    for half in sorted(folder.glob("snapshots/.*")):
        if half.is_dir():
            shutil.rmtree(half)


def drop_snapshot(folder: Path, name: str) -> None:
    """Remove a snapshot, whose name goes first; blobs stay. Call it while the folder is held."""
    place = folder / "snapshots"
    gone = place / f".{name}.gone"
    (place / name).rename(gone)
    _flush(place)
    shutil.rmtree(gone)


def _private(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _compare(path: Path, saved: SavedFile) -> None:
    seen, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            for piece in iter(lambda: file.read(_PIECE_BYTES), b""):
                seen.update(piece)
                size += len(piece)
    except OSError as error:
        raise _damaged(path, str(error)) from error
    if (seen.hexdigest(), size) != (saved.sha256, saved.bytes):
        raise _damaged(path, f"it holds {size} bytes with the digest {seen.hexdigest()}")


def _damaged(path: Path, found: str) -> CorruptArtifactError:
    return CorruptArtifactError(
        f"{path} is not as it was written ({found}); nothing was restored. Use another snapshot "
        "(--snapshot), or another copy of this one.",
        reason="damaged_backup",
        field="folder",
    )
