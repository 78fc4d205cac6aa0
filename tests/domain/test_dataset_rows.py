"""What the database is told of a manifest, against the plain rule and shard by shard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from activesynth.domain import dataset_rows
from activesynth.domain.dataset_access import (
    find_rows,
    load_ids,
    load_split,
    split_shards,
    write_quarantine,
    write_rows,
)
from activesynth.domain.dataset_rows import member_rows, real_rows, synthetic_members
from activesynth.domain.documents import SPLITS, DatasetManifest, ShardRef
from activesynth.domain.records import MemberRow
from activesynth.domain.samples import SampleSet
from activesynth.domain.spool import room_for_spools
from activesynth.errors import PlatformStateError
from fakes import MemoryObjects


def make_rows(names: list[str], weight: float | None = None) -> SampleSet:
    ids = np.array(names)
    columns = {} if weight is None else {"weight": weight + np.arange(len(ids)) / 100}
    x = np.zeros((len(ids), 2), np.float32)
    return SampleSet(ids, x, np.arange(len(ids)), ids, columns)


def make_manifest(objects: MemoryObjects) -> DatasetManifest:
    """Return a manifest of small shards: bought, taken out and repeated rows, odd names."""
    rng = np.random.default_rng(0)
    names = [f"{number:x}-ü{'é' * int(number % 3)}" for number in rng.permutation(200)]
    parts = np.array_split(np.array(names), len(SPLITS))

    def shards(texts: list[str], weight: float | None = None) -> tuple[ShardRef, ...]:
        return write_rows(objects, make_rows(texts, weight), rows_per_shard=7)

    splits = {split: shards(part.tolist()) for split, part in zip(SPLITS, parts, strict=True)}
    bought, gone = parts[1][:5].tolist(), parts[1][5:9].tolist()
    # A column of the source may be called so.
    splits["train"] = (*splits["train"], *shards(bought, 5.0))
    out = write_quarantine(objects, np.array(gone), np.array(gone), np.full(len(gone), "bad"))
    made = (*shards(["s-b", "s-a", "s-ö"], 0.5), *shards(["s-a", bought[0]], 2.0))
    return DatasetManifest(
        modality="image",
        classes=("a", "b"),
        parent=None,
        splits=splits,
        synthetic=made,
        quarantine=out,
    )


def by_the_plain_rule(objects: MemoryObjects, manifest: DatasetManifest) -> list[MemberRow]:
    def rows(refs: tuple[ShardRef, ...]) -> list[SampleSet]:
        return [SampleSet.decode(objects.get(ref.blob)) for ref in refs]

    gone = {name for part in rows(manifest.quarantine) for name in part.ids.tolist()}
    places = {}
    for split in reversed(SPLITS):
        for part in rows(manifest.splits[split]):
            places.update({name: (split, 1.0) for name in part.ids.tolist() if name not in gone})
    for part in rows(manifest.synthetic):
        for name, weight in zip(part.ids.tolist(), part.columns["weight"].tolist(), strict=True):
            places[name] = ("synthetic", weight)
    return [MemberRow(manifest.digest, name, *place) for name, place in sorted(places.items())]


@pytest.mark.parametrize("at_once", [1, 3, 512])
def test_members_are_those_of_the_plain_rule_in_order(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_rows, "READ_AT_ONCE", at_once)
    objects = MemoryObjects()
    manifest = make_manifest(objects)
    expected = by_the_plain_rule(objects, manifest)

    told = member_rows(objects, manifest)

    assert list(told) == expected
    assert list(told) == expected  # a second time as the first
    made = [row for row in expected if row.split == "synthetic"]
    assert list(synthetic_members(objects, manifest)) == made


def test_real_rows_are_read_shard_by_shard_when_they_are_asked_for() -> None:
    objects = CountingObjects()
    refs = write_rows(objects, make_rows([f"{n:03d}" for n in range(50)]), rows_per_shard=10)

    told = real_rows(objects, refs)
    before = objects.reads
    rows = iter(told)
    first = next(rows)

    assert before == 0
    assert objects.reads == 1
    assert (first.id, first.shard, first.row) == ("000", refs[0].blob, 0)
    assert [row.id for row in rows] == [f"{n:03d}" for n in range(1, 50)]
    assert objects.reads == 5


def test_a_disk_without_room_for_temporary_files_is_named() -> None:
    with (
        pytest.raises(PlatformStateError, match="set TMPDIR") as caught,
        room_for_spools(),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert caught.value.reason == "no_spool"


class CountingObjects(MemoryObjects):
    """Counts what is read."""

    reads = 0

    def get(self, digest: str) -> bytes:
        """Read and count."""
        self.reads += 1
        return super().get(digest)


def test_rows_are_found_by_id_in_order_of_the_shards() -> None:
    objects = MemoryObjects()
    names = [f"{number:03d}" for number in range(40)]
    refs = (
        *write_rows(objects, make_rows(names[20:]), rows_per_shard=7),
        *write_rows(objects, make_rows(names[:20]), rows_per_shard=7),
    )

    found = find_rows(objects, refs, {"003", "025", "011", "other"})

    assert found.ids.tolist() == ["025", "003", "011"]
    assert found.y.tolist() == [5, 3, 11]
    assert load_ids(objects, refs).tolist() == [*names[20:], *names[:20]]
    assert find_rows(objects, refs, set()).x.shape == (0, 2)


def test_a_split_is_read_shard_by_shard_and_the_pool_without_what_was_bought_or_taken_out() -> None:
    objects = CountingObjects()
    manifest = make_manifest(objects)
    places = {row.sample: row.split for row in member_rows(objects, manifest)}
    stored = load_ids(objects, manifest.splits["pool"]).tolist()
    objects.reads = 0

    shards = split_shards(objects, manifest, "guide")
    next(shards)
    read = objects.reads
    pool = list(split_shards(objects, manifest, "pool"))

    assert read == 1
    ids = [name for rows in pool for name in rows.ids.tolist()]
    bought = {name for name in stored if places.get(name) == "synthetic"}  # and made once more
    assert ids == [name for name in stored if places.get(name) == "pool" and name not in bought]
    assert load_split(objects, manifest, "pool").ids.tolist() == ids
    assert len(ids) < len(stored)
