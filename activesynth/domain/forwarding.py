"""A store in front of another one, to derive from: what is not overridden is passed on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from activesynth.domain.collection import StoredBlob
from activesynth.domain.ports import ObjectStore


class ForwardingStore:
    """Passes everything on; implements :class:`activesynth.domain.ports.ObjectStore`."""

    def __init__(self, objects: ObjectStore) -> None:
        """Stand in front of ``objects``."""
        self._objects = objects

    def put(self, data: bytes) -> str:
        """Store ``data`` and return its digest."""
        return self._objects.put(data)

    def get(self, digest: str) -> bytes:
        """Return the verified bytes."""
        return self._objects.get(digest)

    def has(self, digest: str) -> bool:
        """Tell whether the blob is there."""
        return self._objects.has(digest)

    def digests(self) -> Iterable[str]:
        """List every blob."""
        return self._objects.digests()

    def listed(self) -> Iterable[StoredBlob]:
        """List every blob with its size and the time it was last written."""
        return self._objects.listed()

    def delete(self, digest: str, *, before: datetime) -> None:
        """Remove a blob, unless ``before`` has passed."""
        self._objects.delete(digest, before=before)

    def size(self, digest: str) -> int:
        """Return the size in bytes."""
        return self._objects.size(digest)

    def check(self, digest: str) -> int:
        """Return the size of a blob whose bytes have the digest."""
        return self._objects.check(digest)
