"""Blobs as files in a folder that only its owner can read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from activesynth.domain.canonical import sha256
from activesynth.domain.collection import StoredBlob, held_by_nobody
from activesynth.domain.effects import Effects, watched
from activesynth.errors import PlatformStateError
from activesynth.storage.addresses import (
    PIECE_BYTES,
    blob_key,
    is_digest,
    missing,
    remaining,
    verified,
    verified_size,
)


class DirectoryObjectStore:
    """Keeps each blob in ``<root>/blobs/<aa>/<sha256>``.

    A blob appears by an atomic rename of a complete, flushed file, so a reader never sees half
    of one, whenever the writer dies. What a dead writer leaves lies in ``<root>/incoming``.
    """

    def __init__(
        self, root: Path, effects: Effects, hold: Callable[[str], None] = held_by_nobody
    ) -> None:
        """Use ``root``, which the first put creates; each put calls ``hold`` before it looks."""
        self._root = root.absolute()
        self._effects = effects
        self._hold = hold

    def put(self, data: bytes) -> str:
        """Store ``data`` and return its digest; a damaged blob of that digest is replaced.

        Raises:
            PlatformStateError: If the folder cannot be written.
        """
        digest = sha256(data)
        self._hold(digest)
        path = self._path(digest)
        with self._explained(path):
            if self._is_intact(path, digest, len(data)):
                _flush_folder(path.parent)  # its writer may have died before doing so
                return digest
            with watched(self._effects, "blob.put", digest):
                self._write(path, data)
        return digest

    def get(self, digest: str) -> bytes:
        """Return the verified bytes; see :class:`activesynth.domain.ports.ObjectStore`."""
        path = self._path(digest)
        with self._explained(path):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                raise missing(digest, str(self._root)) from None
        return verified(data, digest, str(self._root))

    def has(self, digest: str) -> bool:
        """Tell whether the blob is there."""
        return is_digest(digest) and self._path(digest).is_file()

    def digests(self) -> Iterator[str]:
        """List every blob in the folder; one of its 256 subfolders is held at a time."""
        for folder in sorted(self._root.glob("blobs/??")):
            with self._explained(folder):
                names = sorted(path.name for path in folder.iterdir() if is_digest(path.name))
            yield from names

    def listed(self) -> Iterator[StoredBlob]:
        """List every blob with its size and the time it was last written."""
        for digest in self.digests():
            with suppress(FileNotFoundError):  # another collector removed it since
                found = self._path(digest).stat()
                modified = datetime.fromtimestamp(found.st_mtime_ns // 1000 / 1e6, UTC)
                yield StoredBlob(digest, found.st_size, modified)

    def delete(self, digest: str, *, before: datetime) -> None:
        """Remove a blob, unless ``before`` has passed."""
        path = self._path(digest)
        with self._explained(path), watched(self._effects, "blob.delete", digest):
            remaining(before, digest)
            path.unlink(missing_ok=True)

    def size(self, digest: str) -> int:
        """Return the size in bytes."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            raise missing(digest, str(self._root)) from None

    def check(self, digest: str) -> int:
        """Return the size of a blob whose bytes have the digest, reading piece by piece."""
        path = self._path(digest)
        with self._explained(path):
            try:
                with path.open("rb") as file:
                    pieces = iter(lambda: file.read(PIECE_BYTES), b"")
                    return verified_size(pieces, digest, str(self._root))
            except FileNotFoundError:
                raise missing(digest, str(self._root)) from None

    def _path(self, digest: str) -> Path:
        return self._root / blob_key(digest)

    def _is_intact(self, path: Path, digest: str, size: int) -> bool:
        try:
            return path.stat().st_size == size and sha256(path.read_bytes()) == digest
        except FileNotFoundError:
            return False

    def _write(self, path: Path, data: bytes) -> None:
        incoming = self._root / "incoming"
        _make_private(incoming)
        _make_private(path.parent)
        temporary = incoming / f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)

    @contextmanager
    def _explained(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PlatformStateError(
                f"object store {self._root}: {error.strerror} at {path}; free space or correct "
                "the owner and mode of that folder, then run again.",
                reason="store_folder",
                field="ACTIVESYNTH_OBJECTS_URL",
            ) from error


def _make_private(folder: Path) -> None:
    """Create missing folders with mode 0700, leaving those that exist as they are."""
    if folder.is_dir():
        return
    _make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
