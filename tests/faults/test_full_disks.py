"""No room left at worker, database or bucket: the error says so, and what was there stays."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from activesynth.domain.effects import Unwatched
from activesynth.errors import PlatformStateError
from activesynth.lineage.lineage import Lineage, open_lineage
from activesynth.lineage.migrate import upgrade
from activesynth.operations.events import FileEventSink
from activesynth.operations.fsck import fsck
from activesynth.operations.ingest import ingest
from activesynth.steps.begin import begin
from activesynth.steps.loop import iterate
from activesynth.storage.directory import DirectoryObjectStore
from activesynth.storage.s3 import Bucket, S3ObjectStore
from lineage_cases import make_campaign, make_commit
from platform_fixtures import PostgresServer
from s3_fixtures import CephGateway
from toy_plane import plane_config, plane_platform

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


def test_a_full_disk_at_the_worker_is_named_and_the_run_goes_on_once_there_is_room(
    database_url: str, small_disk: SmallDisk, tmp_path: Path
) -> None:
    config = plane_config(audits={"run": []})
    with plane_platform(database_url, tmp_path) as platform:
        store = DirectoryObjectStore(small_disk.folder / "objects", Unwatched())
        platform = replace(
            platform, objects=store, sink=FileEventSink(small_disk.folder / "events")
        )
        ingest(config, platform)
        iteration = begin("run", {"campaign": "plane", "iterations": 1}, platform)
        filler = small_disk.folder / "filler"
        complaints = []
        # Room for a little more each time, so that another step meets the full disk.
        for room in (0, 64 << 10, 256 << 10):
            use_up(filler, room)
            before = platform.lineage.campaign("plane")
            with pytest.raises(PlatformStateError, match="No space left on device") as caught:
                iterate(iteration, platform)
            complaints.append(caught.value.reason)
            assert platform.lineage.campaign("plane") == before
            assert list((small_disk.folder / "objects" / "incoming").iterdir()) == []
        small_disk.enlarge()
        iterate(iteration, platform)

        assert complaints == ["store_folder"] * 3
        assert platform.lineage.campaign("plane").iterations == 1
        assert fsck(platform).is_clean


def use_up(filler: Path, room: int) -> None:
    """Leave ``room`` bytes on the disk of ``filler``."""
    filler.unlink(missing_ok=True)
    free = os.statvfs(filler.parent)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_bsize - room)


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
