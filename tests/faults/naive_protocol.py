"""The protocol one writes first: head moves, then rows follow, and events have no key.

The negative control of the kill suite, which must catch it.
"""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from minio import Minio
from sqlalchemy import insert, select, text, update
from urllib3 import PoolManager

from activesynth.domain.canonical import sha256
from activesynth.domain.collection import StoredBlob
from activesynth.domain.effects import Effects, Unwatched
from activesynth.domain.platform import Platform
from activesynth.domain.records import (
    Bundle,
    Event,
    IterationCommit,
    IterationRecord,
    IterationRef,
    StepRecord,
)
from activesynth.errors import ConflictError
from activesynth.lineage.bundles import merge_bundle, spooled_bundle, stage_bundle
from activesynth.lineage.engine import Database, make_engine
from activesynth.lineage.schema import campaigns, dataset_versions, iterations
from activesynth.lineage.store import PostgresLineageStore
from activesynth.storage.s3 import Bucket
from toy_plane import plane_platform


class NaiveLineageStore(PostgresLineageStore):
    """Moves the head first and lets rows follow; knows no fence, no lock and no holder."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._connections = database

    def open_iteration(
        self, campaign: str, run_key: str, overrides: Mapping[str, Any]
    ) -> IterationRecord:
        """Join the iteration that is open, whoever opened it."""
        query = select(iterations.c.number, iterations.c.fence).where(
            iterations.c.campaign == campaign, iterations.c.state.in_(("open", "waiting"))
        )
        with self._connections.reading() as connection:
            active = connection.execute(query).one_or_none()
        if active is None:
            return super().open_iteration(campaign, run_key, overrides)
        return super().iteration(IterationRef(campaign, active.number, active.fence))

    def iteration(self, ref: IterationRef) -> IterationRecord:
        """Return the iteration, whoever holds it now."""
        return super().iteration(self._whoever(ref))

    def step(self, ref: IterationRef, name: str, shard: int = 0) -> StepRecord:
        """Return the result of a step, whoever holds the iteration now."""
        return super().step(self._whoever(ref), name, shard)

    def record_step(self, ref: IterationRef, record: StepRecord) -> StepRecord:
        """Stage a result, whoever holds the iteration now."""
        return super().record_step(self._whoever(ref), record)

    def _whoever(self, ref: IterationRef) -> IterationRef:
        query = select(iterations.c.fence).where(
            iterations.c.campaign == ref.campaign, iterations.c.number == ref.number
        )
        with self._connections.reading() as connection:
            fence = connection.execute(query).scalar_one_or_none()
        return ref if fence is None else replace(ref, fence=fence)

    def count_split_read(
        self, campaign: str, split: str, purpose: str, iteration: int | None
    ) -> int:
        """Count every read, also one that was counted."""
        known = sum(read.purpose.startswith(purpose) for read in self.split_reads(campaign))
        return super().count_split_read(campaign, split, f"{purpose} #{known}", iteration)

    def mark_sent(self, key: str) -> None:
        """Remember nothing of what was sent."""

    def commit_version(self, campaign: str, bundle: Bundle, *, expected_head: str | None) -> bool:
        """Look, then write, then move the head: what came in between is overwritten."""
        version = bundle.version
        head = self.campaign(campaign).head
        if version is None or head not in (expected_head, version.digest):
            raise ConflictError(f"somebody else moved the head of {campaign!r} to {head}.")
        if head == version.digest:
            return False
        with self._connections.writing("naive head") as connection:
            connection.execute(text("drop index if exists activesynth.dataset_versions_linear_idx"))
        with self._connections.writing("naive version") as connection:
            row = {"campaign": campaign, "digest": version.digest, "parent": version.parent}
            more = {"epoch": 1, "origin": version.origin, "rows": dict(version.rows)}
            connection.execute(insert(dataset_versions).values(**row, **more))
        with self._connections.writing("naive head") as connection:
            here = campaigns.c.name == campaign
            connection.execute(update(campaigns).where(here).values(head=version.digest))
        self._write(campaign, None, replace(bundle, version=None))
        return True

    def commit_iteration(self, commit: IterationCommit) -> bool:
        """Commit the head, then the rows."""
        commit = replace(commit, ref=self._whoever(commit.ref))
        head_only = replace(commit, bundle=Bundle(version=commit.bundle.version))
        if not super().commit_iteration(head_only):
            return False
        time.sleep(0.02)  # as long as larger bundles take
        ref = commit.ref
        self._write(ref.campaign, ref.number, replace(commit.bundle, version=None))
        return True

    def _write(self, campaign: str, iteration: int | None, bundle: Bundle) -> None:
        with (
            spooled_bundle(campaign, iteration, bundle) as rows,
            self._connections.writing("naive rows") as connection,
        ):
            merge_bundle(connection, campaign, stage_bundle(connection, rows))


class NaiveBucket:
    """Trusts the network and the server: asks once, and compares nothing."""

    def __init__(self, bucket: Bucket) -> None:
        self._name, self._prefix = bucket.name, bucket.prefix
        self._client = Minio(
            bucket.endpoint,
            access_key=bucket.access_key,
            secret_key=bucket.secret_key,
            secure=bucket.secure,
            region=bucket.region,
            http_client=PoolManager(timeout=bucket.timeout, retries=False),
        )

    def put(self, data: bytes) -> str:
        digest = sha256(data)
        if not self._client.bucket_exists(self._name):
            self._client.make_bucket(self._name)
        self._client.put_object(self._name, self._key(digest), io.BytesIO(data), len(data))
        return digest

    def get(self, digest: str) -> bytes:
        response = self._client.get_object(self._name, self._key(digest))
        try:
            return bytes(response.read())
        finally:
            response.close()
            response.release_conn()

    def has(self, digest: str) -> bool:
        return digest in set(self.digests())

    def digests(self) -> Iterator[str]:
        return (blob.digest for blob in self.listed())

    def listed(self) -> Iterator[StoredBlob]:
        for found in self._client.list_objects(self._name, f"{self._prefix}/", recursive=True):
            digest = str(found.object_name).rpartition("/")[2]
            yield StoredBlob(digest, found.size or 0, found.last_modified or datetime.now(UTC))

    def delete(self, digest: str, *, before: datetime) -> None:
        self._client.remove_object(self._name, self._key(digest))

    def size(self, digest: str) -> int:
        return int(self._client.stat_object(self._name, self._key(digest)).size or 0)

    def check(self, digest: str) -> int:
        return self.size(digest)

    def _key(self, digest: str) -> str:
        return f"{self._prefix}/{digest}"


class NaiveDirectory:
    """Writes under the final name, and takes what has the name for whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes) -> str:
        digest = sha256(data)
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self.has(digest):
            (self._folder / digest).write_bytes(data)
        return digest

    def get(self, digest: str) -> bytes:
        return (self._folder / digest).read_bytes()

    def has(self, digest: str) -> bool:
        return (self._folder / digest).exists()

    def digests(self) -> Iterator[str]:
        return (path.name for path in self._folder.iterdir())

    def listed(self) -> Iterator[StoredBlob]:
        for path in self._folder.iterdir():
            found = path.stat()
            modified = datetime.fromtimestamp(found.st_mtime, UTC)
            yield StoredBlob(path.name, found.st_size, modified)

    def delete(self, digest: str, *, before: datetime) -> None:
        (self._folder / digest).unlink(missing_ok=True)

    def size(self, digest: str) -> int:
        return (self._folder / digest).stat().st_size

    def check(self, digest: str) -> int:
        return self.size(digest)


class NaiveSink:
    """Writes each delivery under a new name, so a repeated one is doubled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, event: Event) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / uuid.uuid4().hex).write_text(event.key)


@contextmanager
def naive_platform(
    database_url: str, folder: Path, effects: Effects | None = None
) -> Iterator[Platform]:
    """Open the toy platform with the naive commit and the naive sink."""
    with (
        plane_platform(database_url, folder, effects) as platform,
        closing(_Disposed(database_url, effects or Unwatched())) as own,
    ):
        yield replace(
            platform,
            objects=NaiveDirectory(folder / "objects"),
            lineage=NaiveLineageStore(own.database),
            sink=NaiveSink(folder / "events"),
        )


class _Disposed:
    def __init__(self, url: str, effects: Effects) -> None:
        self._engine = make_engine(url)
        self.database = Database(self._engine, effects)

    def close(self) -> None:
        self._engine.dispose()
