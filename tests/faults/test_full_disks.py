"""No room left at the database or in the bucket: the error says so, and what was there stays."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from activesynth.domain.effects import Unwatched
from activesynth.errors import PlatformStateError
from activesynth.lineage.lineage import Lineage, open_lineage
from activesynth.lineage.migrate import upgrade
from activesynth.storage.s3 import Bucket, S3ObjectStore
from lineage_cases import make_campaign, make_commit
from platform_fixtures import PostgresServer
from s3_fixtures import CephGateway

DISK_MIB = 40


class SmallDisk:
    """A disk in memory that can be filled and made larger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount(f"size={DISK_MIB}m")

    def enlarge(self) -> None:
        self._mount(f"remount,size={2 * DISK_MIB}m")

    def close(self) -> None:
        subprocess.run(["umount", str(self.folder)], check=True)

    def _mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"this user cannot mount a small disk: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "small disk")
    yield disk
    disk.close()


@pytest.fixture
def small_database(small_disk: SmallDisk, tmp_path: Path) -> Iterator[str]:
    """Return a migrated database on a small disk.

    Its server is its own: a server whose checkpoint meets a full disk fails every database it has.
    """
    space = small_disk.folder / "space"
    space.mkdir(mode=0o700)
    server = PostgresServer(tmp_path / "server")
    server.start()
    try:
        server.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        server.execute("CREATE DATABASE small TABLESPACE small")
        upgrade(server.url("small"))
        yield server.url("small")
    finally:
        server.close()


def fill(url: str) -> None:
    """Write until nothing more fits."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE filler (x text)"))
        for size in (4000, 200, 1):
            rows = text("INSERT INTO filler SELECT repeat('x', :n) FROM generate_series(1, 2000)")
            try:
                while True:
                    connection.execute(rows, {"n": size})
            except Exception as error:
                if "No space left" not in str(error):
                    raise
    engine.dispose()


def edit_often(lineage: Lineage) -> None:
    for n in range(2000):
        lineage.store.register_campaign("digits", {"name": "digits", "n": n, "x": "y" * 900})


def put_many(store: S3ObjectStore) -> None:
    for n in range(200):
        store.put(bytes([n]) * (16 << 10))


def test_a_full_disk_at_the_database_is_named_and_nothing_acknowledged_is_lost(
    small_database: str, small_disk: SmallDisk
) -> None:
    lineage = open_lineage(small_database, Unwatched())
    try:
        make_campaign(lineage.store)
        opened = lineage.store.open_iteration("digits", "run", {})
        fill(small_database)

        with pytest.raises(PlatformStateError, match=r"disk of the database \S+ is full") as caught:
            edit_often(lineage)
        kept = lineage.store.campaign("digits")
        small_disk.enlarge()
        committed = lineage.store.commit_iteration(make_commit(opened))

        assert caught.value.reason == "database_full"
        assert kept.head is not None
        assert committed
        assert lineage.store.iteration(opened.ref).state == "committed"
    finally:
        lineage.close()


def test_a_full_bucket_is_named_and_its_blobs_stay(ceph_gateway: CephGateway) -> None:
    user = f"small-{uuid.uuid4().hex[:6]}"
    signed = ceph_gateway.add_user(user)
    bucket = Bucket(
        endpoint=signed.endpoint,
        name=f"small-{uuid.uuid4().hex[:8]}",
        prefix="",
        access_key=signed.access_key,
        secret_key=signed.secret_key,
        secure=signed.secure,
    )
    store = S3ObjectStore(bucket, Unwatched())
    first = store.put(b"fits")
    ceph_gateway.limit(user, 64 << 10)

    with pytest.raises(PlatformStateError, match="is full") as caught:
        put_many(store)
    ceph_gateway.limit(user, 64 << 20)
    later = store.put(b"y" * (256 << 10))

    assert caught.value.reason == "store_full"
    assert store.get(first) == b"fits"
    assert store.get(later) == b"y" * (256 << 10)
