"""Where a blob lies by its digest, and the check that its bytes are the recorded ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from activesynth.domain.canonical import sha256
from activesynth.errors import CorruptArtifactError, MissingArtifactError, TransientError

PIECE_BYTES = 1 << 20
"""How much of a blob is held at once where it is only compared with its digest."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Tell whether ``text`` is 64 lower-case hexadecimal digits."""
    return _DIGEST.fullmatch(text) is not None


def blob_key(digest: str) -> str:
    """Return ``blobs/<aa>/<digest>``.

    Raises:
        MissingArtifactError: If ``digest`` is no SHA-256, so that it can never leave the store.
    """
    if not is_digest(digest):
        raise MissingArtifactError(
            f"{digest[:80]!r} is not a SHA-256 digest (64 lower-case hexadecimal digits), "
            "so no blob has it; take digests from the lineage database."
        )
    return f"blobs/{digest[:2]}/{digest}"


def verified(data: bytes, digest: str, place: str) -> bytes:
    """Return ``data`` if it has the ``digest``; ``place`` names the store in the message.

    Raises:
        CorruptArtifactError: If the bytes are others than those that were recorded.
    """
    found = sha256(data)
    if found != digest:
        raise corrupt(digest, len(data), found, place)
    return data


def verified_size(pieces: Iterable[bytes], digest: str, place: str) -> int:
    """Return the number of bytes in ``pieces`` if together they have the ``digest``.

    Raises:
        CorruptArtifactError: If the bytes are others than those that were recorded.
    """
    seen, size = hashlib.sha256(), 0
    for piece in pieces:
        seen.update(piece)
        size += len(piece)
    if seen.hexdigest() != digest:
        raise corrupt(digest, size, seen.hexdigest(), place)
    return size


def corrupt(digest: str, size: int, found: str, place: str) -> CorruptArtifactError:
    """Return the error for a blob whose bytes are others than those that were recorded."""
    return CorruptArtifactError(
        f"blob {digest} in {place} holds {size} bytes with the digest {found}; restore it from a "
        "backup, or delete it and run the step that made it again. `activesynth fsck` says which.",
        field="blob",
    )


def missing(digest: str, place: str) -> MissingArtifactError:
    """Return the error for a blob that is not there."""
    return MissingArtifactError(
        f"no blob {digest} in {place}; check that the objects setting names the store that "
        "the lineage database belongs to, or restore the blob from a backup. `activesynth fsck` "
        "says what it was."
    )


def remaining(before: datetime, digest: str) -> tuple[datetime, timedelta]:
    """Return the present moment, and how long from it a removal of ``digest`` is still allowed.

    Raises:
        TransientError: If it is less than a second.
    """
    now = datetime.now(UTC)
    if before - now < timedelta(seconds=1):
        raise TransientError(
            f"the removal of blob {digest} came too late, and somebody may need it again; run "
            "`activesynth gc --delete` once more.",
            reason="late_removal",
        )
    return now, before - now
