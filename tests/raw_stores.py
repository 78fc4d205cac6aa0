"""The bytes of a store behind its back: read, changed and removed as a disk or a stranger does."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from minio import Minio

from activesynth.domain.collection import held_by_nobody
from activesynth.domain.effects import Effects, Unwatched
from activesynth.storage.s3 import Bucket, S3ObjectStore
from s3_fixtures import S3Server


class RawStore(Protocol):
    """Blobs without any check."""

    def read(self, digest: str) -> bytes: ...

    def write(self, digest: str, data: bytes) -> None: ...

    def remove(self, digest: str) -> None: ...


@dataclass(frozen=True)
class RawDirectory:
    root: Path

    def path(self, digest: str) -> Path:
        return self.root / "blobs" / digest[:2] / digest

    def read(self, digest: str) -> bytes:
        return self.path(digest).read_bytes()

    def write(self, digest: str, data: bytes) -> None:
        self.path(digest).write_bytes(data)

    def remove(self, digest: str) -> None:
        self.path(digest).unlink()


@dataclass(frozen=True)
class RawBucket:
    client: Minio
    bucket: str
    prefix: str

    def key(self, digest: str) -> str:
        return f"{self.prefix}/blobs/{digest[:2]}/{digest}"

    def read(self, digest: str) -> bytes:
        response = self.client.get_object(self.bucket, self.key(digest))
        try:
            return bytes(response.read())
        finally:
            response.close()
            response.release_conn()

    def write(self, digest: str, data: bytes) -> None:
        self.client.put_object(self.bucket, self.key(digest), io.BytesIO(data), len(data))

    def remove(self, digest: str) -> None:
        self.client.remove_object(self.bucket, self.key(digest))


def s3_store(
    server: S3Server,
    bucket: str,
    *,
    effects: Effects | None = None,
    hold: Callable[[str], None] = held_by_nobody,
    part_bytes: int = 5 << 20,
) -> tuple[S3ObjectStore, RawBucket]:
    """Return a store in a bucket, which its first put makes, and the bytes behind it."""
    described = Bucket(
        endpoint=server.endpoint,
        name=bucket,
        prefix="some/prefix",
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=server.secure,
    )
    client = Minio(
        server.endpoint,
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=server.secure,
    )
    # Small pages, so that a few blobs already fill several.
    watch = effects or Unwatched()
    store = S3ObjectStore(described, watch, hold=hold, part_bytes=part_bytes, page_keys=7)
    return store, RawBucket(client, bucket, described.prefix)
