"""A store that tells what was erased on purpose from what is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from activesynth.domain.erasure import ErasedBlob
from activesynth.domain.forwarding import ForwardingStore
from activesynth.domain.ports import ObjectStore
from activesynth.errors import MissingArtifactError


class ErasureAwareStore(ForwardingStore):
    """Passes everything on, and says of a missing blob whether it was erased.

    Records are asked only when a blob is missing, so nothing costs more.
    """

    def __init__(
        self, objects: ObjectStore, erased_blob: Callable[[str], ErasedBlob | None]
    ) -> None:
        """Ask ``erased_blob`` about what ``objects`` does not hold."""
        super().__init__(objects)
        self._erased_blob = erased_blob

    def get(self, digest: str) -> bytes:
        """Return the verified bytes; see :class:`activesynth.domain.ports.ObjectStore`."""
        with self._told(digest):
            return super().get(digest)

    def size(self, digest: str) -> int:
        """Return the size in bytes."""
        with self._told(digest):
            return super().size(digest)

    def check(self, digest: str) -> int:
        """Return the size of a blob whose bytes have the digest."""
        with self._told(digest):
            return super().check(digest)

    @contextmanager
    def _told(self, digest: str) -> Iterator[None]:
        try:
            yield
        except MissingArtifactError as error:
            erased = self._erased_blob(digest)
            if erased is None:
                raise
            instead = (
                f"its other rows lie in blob {erased.replacement}, and the campaign's head holds "
                "them"
                if erased.replacement
                else "there is nothing in its place; work on the campaign's head instead"
            )
            raise MissingArtifactError(
                f"blob {digest} ({erased.kind}) was erased on {erased.recorded_at:%Y-%m-%d} by "
                f"erasure {erased.erasure}, because rows of a withdrawn person were in it; "
                f"{instead}.",
                reason="erased",
            ) from error
