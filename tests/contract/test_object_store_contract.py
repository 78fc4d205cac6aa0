"""What every object store promises, run against each of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activesynth.domain.canonical import sha256
from activesynth.domain.effects import EffectKind
from activesynth.domain.ports import ObjectStore
from activesynth.errors import CorruptArtifactError, MissingArtifactError, TransientError
from activesynth.storage.directory import DirectoryObjectStore
from raw_stores import RawDirectory, s3_store
from s3_fixtures import S3Server

ABSENT = sha256(b"never stored")


@dataclass
class SeenEffects:
    """Notes what it is told; ``stop_before`` makes the effect fail before it happens."""

    seen: list[tuple[str, EffectKind, str]] = field(default_factory=list)
    stop_before: bool = False

    def before(self, kind: EffectKind, key: str) -> None:
        if self.stop_before:
            raise KeyboardInterrupt
        self.seen.append(("before", kind, key))

    def after(self, kind: EffectKind, key: str) -> None:
        self.seen.append(("after", kind, key))


@dataclass(frozen=True)
class Fresh:
    """An empty store, its effects, and a way to damage a blob behind its back.

    ``held`` gets every digest before it is put.
    """

    store: ObjectStore
    effects: SeenEffects
    damage: Callable[[str, bytes], None]
    held: list[str]


def make_directory(folder: Path) -> Fresh:
    effects = SeenEffects()
    root = folder / "objects with a space"
    held: list[str] = []
    store = DirectoryObjectStore(root, effects, held.append)
    return Fresh(store, effects, RawDirectory(root).write, held)


def make_s3(server: S3Server) -> Fresh:
    effects = SeenEffects()
    held: list[str] = []
    name = f"t-{uuid.uuid4().hex[:12]}"
    store, raw = s3_store(server, name, effects=effects, hold=held.append)
    return Fresh(store, effects, raw.write, held)


@pytest.fixture(params=["directory", "s3_server", "swift_server"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    if request.param == "directory":
        return make_directory(tmp_path)
    return make_s3(request.getfixturevalue(request.param))


def test_every_object_store_satisfies_the_port(fresh: Fresh) -> None:
    store: ObjectStore = fresh.store

    assert callable(store.put)
    assert callable(store.digests)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.binary(max_size=2000))
def test_what_was_put_comes_back_under_its_sha256(fresh: Fresh, data: bytes) -> None:
    digest = fresh.store.put(data)

    assert digest == sha256(data)
    assert fresh.store.get(digest) == data
    assert fresh.store.size(digest) == len(data)


def test_a_blob_is_there_only_after_it_was_put(fresh: Fresh) -> None:
    before = fresh.store.has(sha256(b"x"))
    fresh.store.put(b"x")

    assert not before
    assert fresh.store.has(sha256(b"x"))


def test_the_listing_names_every_blob_once(fresh: Fresh) -> None:
    empty = list(fresh.store.digests())
    digests = {fresh.store.put(bytes([number])) for number in range(20)}
    fresh.store.put(bytes([7]))

    assert empty == []
    assert sorted(fresh.store.digests()) == sorted(digests)


def test_the_listing_tells_sizes_and_times_that_stay_until_a_blob_is_written_again(
    fresh: Fresh,
) -> None:
    started = datetime.now(UTC)
    sizes = {fresh.store.put(bytes(size)): size for size in range(1, 12)}
    listed = list(fresh.store.listed())
    fresh.store.put(bytes(3))

    assert {blob.digest: blob.bytes for blob in listed} == sizes
    assert all(abs(blob.modified - started) < timedelta(minutes=5) for blob in listed)
    assert sorted(fresh.store.listed(), key=str) == sorted(listed, key=str)


def test_a_put_is_held_before_it_is_looked_for_also_where_nothing_is_written(fresh: Fresh) -> None:
    def refuse(digest: str) -> None:
        raise KeyboardInterrupt

    digest = fresh.store.put(b"held")
    fresh.store.put(b"held")
    fresh.store._hold = refuse  # type: ignore[attr-defined]

    assert fresh.held == [digest, digest]
    with pytest.raises(KeyboardInterrupt):
        fresh.store.put(b"never")
    assert list(fresh.store.digests()) == [digest]


def test_a_deleted_blob_is_gone_and_deleting_it_again_is_harmless(fresh: Fresh) -> None:
    gone, stays = fresh.store.put(b"gone"), fresh.store.put(b"stays")
    soon = datetime.now(UTC) + timedelta(minutes=1)
    for _ in range(2):
        fresh.store.delete(gone, before=soon)

    assert list(fresh.store.digests()) == [stays]
    with pytest.raises(MissingArtifactError, match=gone):
        fresh.store.get(gone)
    assert fresh.store.put(b"gone") == gone
    assert fresh.store.get(gone) == b"gone"
    assert ("after", "blob.delete", gone) in fresh.effects.seen


def test_a_removal_that_comes_too_late_removes_nothing(fresh: Fresh) -> None:
    digest = fresh.store.put(b"wanted again")

    with pytest.raises(TransientError, match="came too late"):
        fresh.store.delete(digest, before=datetime.now(UTC))

    assert fresh.store.has(digest)


def test_a_missing_blob_is_reported_as_missing(fresh: Fresh) -> None:
    fresh.store.put(b"something else")

    with pytest.raises(MissingArtifactError, match=ABSENT):
        fresh.store.get(ABSENT)
    with pytest.raises(MissingArtifactError, match=ABSENT):
        fresh.store.size(ABSENT)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_a_name_that_is_no_digest_never_reaches_the_store(fresh: Fresh, digest: str) -> None:
    assert not fresh.store.has(digest)
    with pytest.raises(MissingArtifactError, match="is not a SHA-256 digest"):
        fresh.store.get(digest)


def test_one_flipped_bit_is_found_before_the_bytes_are_handed_out(fresh: Fresh) -> None:
    data = b"some recorded bytes"
    digest = fresh.store.put(data)
    fresh.damage(digest, bytes([data[0] ^ 1]) + data[1:])

    with pytest.raises(CorruptArtifactError, match=digest):
        fresh.store.get(digest)


@pytest.mark.parametrize(
    "damaged", [b"some", b"", b"Some recorded bytes", b"quite other bytes!!!!!"]
)
def test_a_damaged_blob_is_found_and_healed_by_putting_it_again(
    fresh: Fresh, damaged: bytes
) -> None:
    data = b"some recorded bytes"
    digest = fresh.store.put(data)
    fresh.damage(digest, damaged)
    for read in (fresh.store.get, fresh.store.check):
        with pytest.raises(CorruptArtifactError, match=digest):
            read(digest)

    fresh.store.put(data)

    assert fresh.store.get(digest) == data
    assert fresh.store.check(digest) == len(data)


def test_a_store_that_nobody_wrote_to_holds_nothing_and_says_so(fresh: Fresh) -> None:
    assert list(fresh.store.digests()) == []
    assert not fresh.store.has(ABSENT)
    for read in (fresh.store.get, fresh.store.check, fresh.store.size):
        with pytest.raises(MissingArtifactError, match=f"{ABSENT}.*check that the objects setting"):
            read(ABSENT)


def test_many_writers_and_readers_at_once_see_whole_blobs_only(fresh: Fresh) -> None:
    blobs = [bytes([number]) * (1000 + number) for number in range(6)] * 4

    def write_and_read(data: bytes) -> bytes:
        return fresh.store.get(fresh.store.put(data))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(write_and_read, blobs)) == blobs

    assert sorted(fresh.store.digests()) == sorted({sha256(data) for data in blobs})


def test_a_put_is_bracketed_by_its_effect_and_a_repeated_one_writes_nothing(fresh: Fresh) -> None:
    digest = fresh.store.put(b"watched")
    fresh.store.put(b"watched")

    assert fresh.effects.seen == [("before", "blob.put", digest), ("after", "blob.put", digest)]


def test_a_put_stopped_before_its_effect_leaves_nothing(fresh: Fresh) -> None:
    fresh.effects.stop_before = True

    with pytest.raises(KeyboardInterrupt):
        fresh.store.put(b"never")
    assert not fresh.store.has(sha256(b"never"))
    assert list(fresh.store.digests()) == []


def test_a_blob_larger_than_two_parts_survives_the_round_trip(fresh: Fresh) -> None:
    data = bytes(range(256)) * (12 << 12)  # 12 MiB: three parts of 5 MiB for S3

    digest = fresh.store.put(data)
    fresh.store.put(data)

    assert fresh.store.size(digest) == len(data)
    assert fresh.store.check(digest) == len(data)
    assert fresh.store.get(digest) == data
    # What the server says about size and parts is what was sent: nothing goes up again.
    assert [moment for moment, _, _ in fresh.effects.seen] == ["before", "after"]
