"""What the lineage database is told about the rows of a manifest, read shard by shard."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import IO, Any

import numpy as np

from activesynth.domain.dataset_access import load_rows
from activesynth.domain.documents import SPLITS, DatasetManifest, ShardRef
from activesynth.domain.ports import ObjectStore
from activesynth.domain.records import MemberRow, SampleRow, Streamed
from activesynth.domain.samples import UNLABELLED, SampleSet
from activesynth.domain.spool import room_for_spools, spool

RETRIEVED = "retrieved_distance"
"""The column of bought rows, and the score of samples, that holds the distance of retrieval."""


READ_AT_ONCE = 512
"""Rows of each shard that are held while shards are merged."""
OUT = ""
"""Stands for the split of rows that are in none."""


def real_rows(objects: ObjectStore, refs: Sequence[ShardRef]) -> Streamed[SampleRow]:
    """Tell one row per real sample in the shards, with shard and position.

    Rows that were retrieved from the pool tell for which weakness, and at which distance.
    """
    return Streamed(lambda: (row for ref in refs for row in _shard_rows(objects, ref)))


def _shard_rows(objects: ObjectStore, ref: ShardRef) -> Iterator[SampleRow]:
    rows = load_rows(objects, [ref])
    known = zip(rows.ids.tolist(), rows.y.tolist(), *_retrieved_for(rows), strict=True)
    for row, (name, label, weakness, distance) in enumerate(known):
        yield SampleRow(
            name,
            "real",
            ref.blob,
            row,
            None if label == UNLABELLED else label,
            weakness=weakness or None,
            scores={RETRIEVED: distance} if weakness else {},
        )


def _retrieved_for(rows: SampleSet) -> tuple[list[str], list[float]]:
    if RETRIEVED not in rows.columns:
        return [""] * len(rows), [0.0] * len(rows)
    return rows.columns["retrieved_for"].tolist(), rows.columns[RETRIEVED].tolist()


def member_rows(objects: ObjectStore, manifest: DatasetManifest) -> Streamed[MemberRow]:
    """Tell every sample's place in the manifest, each sample once, ordered by id.

    A pool row whose label was bought is a member of train only, and one that was taken out again
    of nothing. Synthetic rows are members of the split ``synthetic`` with their weight, real rows
    weigh 1.
    """
    # Of several places of a sample the first counts.
    real = [(split, manifest.splits.get(split, ())) for split in SPLITS]
    places = [("synthetic", manifest.synthetic), (OUT, manifest.quarantine), *real]
    return Streamed(lambda: _members(objects, manifest.digest, places))


def synthetic_members(objects: ObjectStore, manifest: DatasetManifest) -> Streamed[MemberRow]:
    """Tell the places of synthetic rows alone, as :func:`member_rows` does."""
    return Streamed(lambda: _members(objects, manifest.digest, [("synthetic", manifest.synthetic)]))


def _members(
    objects: ObjectStore, digest: str, places: Sequence[tuple[str, Sequence[ShardRef]]]
) -> Iterator[MemberRow]:
    """Merge shards by id: ids wait in a file, and of each shard a few are held at a time."""
    with room_for_spools(), closing(spool()) as file:
        runs = [
            _waiting(file, objects, ref, (rank, -number), weighs=split == "synthetic")
            for rank, (split, refs) in enumerate(places)
            for number, ref in enumerate(refs)
        ]
        before = None
        for name, (rank, _), weight in heapq.merge(*runs):
            split = places[rank][0]
            if name != before and split != OUT:
                yield MemberRow(digest, name.decode(), split, weight)
            before = name


def _waiting(
    file: IO[bytes], objects: ObjectStore, ref: ShardRef, rank: tuple[int, int], *, weighs: bool
) -> Iterator[tuple[bytes, tuple[int, int], float]]:
    """Write ids and weights of a shard, ordered by id, and return what reads them again."""
    rows = load_rows(objects, [ref])
    ids = np.strings.encode(rows.ids.astype(str), "utf-8")
    order = np.argsort(ids, kind="stable")
    table = np.zeros(len(ids), [("id", ids.dtype), ("weight", np.float64)])
    table["id"], table["weight"] = ids[order], 1.0
    if weighs:  # a column of a source that is called so says something else
        table["weight"] = rows.columns.get("weight", np.ones(len(ids)))[order]
    start = file.seek(0, os.SEEK_END)
    file.write(table.tobytes())
    return _read_again(file, start, table.dtype, len(ids), rank)


def _read_again(
    file: IO[bytes], start: int, kind: np.dtype[Any], count: int, rank: tuple[int, int]
) -> Iterator[tuple[bytes, tuple[int, int], float]]:
    for first in range(0, count, READ_AT_ONCE):
        file.seek(start + first * kind.itemsize)
        data = file.read(min(READ_AT_ONCE, count - first) * kind.itemsize)
        for name, weight in np.frombuffer(data, kind).tolist():
            yield name, rank, weight
