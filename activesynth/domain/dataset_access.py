"""Rows of a dataset manifest, read from and written to shards."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NoReturn

import numpy as np

from activesynth.domain.canonical import Array, sha256
from activesynth.domain.documents import DatasetManifest, ShardRef
from activesynth.domain.exchange import Refused
from activesynth.domain.ports import ObjectStore
from activesynth.domain.samples import UNLABELLED, SampleSet, concatenate
from activesynth.errors import ConfigurationError

MAX_SHARD_BYTES = 64 * 1024 * 1024


def write_rows(
    objects: ObjectStore,
    samples: SampleSet,
    *,
    rows: Array | None = None,
    rows_per_shard: int = 20_000,
) -> tuple[ShardRef, ...]:
    """Store rows, all or those of the given numbers, as shards of rows sorted by id.

    Equal content gives equal addresses. A shard holds at most ``rows_per_shard`` rows and about
    64 MB of inputs, and one at a time is put together. An empty set becomes one shard without rows:
    the shape of a row survives.
    """
    order = np.argsort(samples.ids if rows is None else samples.ids[rows], kind="stable")
    if rows is not None:
        order = rows[order]
    row_bytes = max(1, samples.x.nbytes // max(1, len(samples)))
    step = max(1, min(rows_per_shard, MAX_SHARD_BYTES // row_bytes))
    return tuple(
        _write_shard(objects, samples.take(order[start : start + step]))
        for start in range(0, max(1, len(order)), step)
    )


def load_rows(objects: ObjectStore, refs: Iterable[ShardRef]) -> SampleSet:
    """Read shards and join their rows, in order of the shards.

    Raises:
        ConfigurationError: If ``refs`` is empty, where not even the shape of a row is known.
    """
    parts = [SampleSet.decode(objects.get(ref.blob)) for ref in refs]
    return concatenate(parts) if parts else _no_shards()


def load_ids(objects: ObjectStore, refs: Iterable[ShardRef]) -> Array:
    """Read the ids of rows, shard by shard."""
    parts = [SampleSet.decode(objects.get(ref.blob)).ids for ref in refs]
    return np.concatenate(parts) if parts else np.zeros(0, "<U1")


def find_rows(objects: ObjectStore, refs: Iterable[ShardRef], wanted: Container[str]) -> SampleSet:
    """Read the rows of these ids, one shard at a time, in order of the shards.

    Raises:
        ConfigurationError: If ``refs`` is empty.
    """
    parts = []
    for ref in refs:
        rows = load_rows(objects, [ref])
        parts.append(rows.take([n for n, name in enumerate(rows.ids.tolist()) if name in wanted]))
    return concatenate(parts) if parts else _no_shards()


def load_split(objects: ObjectStore, manifest: DatasetManifest, split: str) -> SampleSet:
    """Read the real rows of one split at once; see :func:`split_shards`."""
    return concatenate(list(split_shards(objects, manifest, split)))


def split_shards(
    objects: ObjectStore, manifest: DatasetManifest, split: str
) -> Iterator[SampleSet]:
    """Read the real rows of one split shard by shard, ordered by id within each.

    The pool comes without the rows whose label was bought meanwhile, which stand in train, and
    without those that were bought and taken out again, which stand in quarantine.

    Raises:
        ConfigurationError: If the manifest has no such split, or no shard of it.
    """
    if split not in manifest.splits:
        raise ConfigurationError(
            f"the manifest has no split {split!r}; it has: {', '.join(sorted(manifest.splits))}."
        )
    gone = np.zeros(0, "<U1")
    if split == "pool" and manifest.splits.get("train"):
        labelled = load_ids(objects, manifest.splits["train"])
        gone = np.union1d(labelled, sorted(load_quarantine(objects, manifest)))
    for ref in manifest.splits[split] or _no_shards():
        rows = load_rows(objects, [ref])
        yield rows.take(~np.isin(rows.ids, gone)) if len(gone) else rows


def _no_shards() -> NoReturn:
    raise ConfigurationError("no shards to read: the manifest lists none; ingest data first.")


def load_synthetic(objects: ObjectStore, manifest: DatasetManifest) -> SampleSet | None:
    """Read the accepted synthetic rows, or return None where there are none."""
    if not sum(ref.rows for ref in manifest.synthetic):
        return None
    return load_rows(objects, manifest.synthetic)


def write_oracle(objects: ObjectStore, ids: Array, labels: Array) -> tuple[ShardRef, ...]:
    """Store the hidden labels of pool rows, ``ids`` ``(n,)`` and ``labels`` ``(n,)`` int64."""
    if not len(ids):
        return ()
    empty = np.zeros((len(ids), 0), np.uint8)
    groups = np.full(len(ids), "")
    return write_rows(objects, SampleSet(ids, empty, np.asarray(labels, np.int64), groups))


def load_oracle(objects: ObjectStore, manifest: DatasetManifest) -> dict[str, int]:
    """Read the hidden labels by sample id; for annotators only, never for training."""
    if not manifest.oracle:
        return {}
    rows = load_rows(objects, manifest.oracle)
    return dict(zip(rows.ids.tolist(), rows.y.tolist(), strict=True))


def write_quarantine(
    objects: ObjectStore, ids: Array, groups: Array, reasons: Array
) -> tuple[ShardRef, ...]:
    """Store the ids, groups and reasons ``(n,)`` of rows that were read and kept out."""
    if not len(ids):
        return ()
    empty = np.zeros((len(ids), 0), np.uint8)
    unlabelled = np.full(len(ids), UNLABELLED, np.int64)
    return write_rows(objects, SampleSet(ids, empty, unlabelled, groups, {"reason": reasons}))


def write_refused(objects: ObjectStore, items: Sequence[Refused]) -> tuple[ShardRef, ...]:
    """Store items of a source that were left out, as a part of the quarantine.

    They have no content to be named by; their id is made of name and reason.
    """
    if not items:
        return ()
    names, reasons, details = (
        np.array([getattr(item, part) for item in items], np.str_)
        for part in ("name", "reason", "detail")
    )
    ids = np.array([_refused_id(item) for item in items])
    empty = np.zeros((len(items), 0), np.uint8)
    columns = {"reason": reasons, "name": names, "detail": details}
    unlabelled = np.full(len(items), UNLABELLED, np.int64)
    return write_rows(objects, SampleSet(ids, empty, unlabelled, np.full(len(ids), ""), columns))


def load_refused(objects: ObjectStore, manifest: DatasetManifest) -> list[Refused]:
    """Read the items that were left out on the way to this version, ordered by name."""
    items = [
        Refused(*texts)
        for ref in manifest.quarantine
        for rows in [SampleSet.decode(objects.get(ref.blob))]
        if "detail" in rows.columns
        for texts in zip(
            *(rows.columns[part].tolist() for part in ("name", "reason", "detail")), strict=True
        )
    ]
    return sorted(items, key=lambda item: (item.name, item.reason))


def without_known(items: Sequence[Refused], known: Container[str]) -> list[Refused]:
    """Return the items whose refusal is not in a quarantine yet; ``known`` are its ids."""
    return [item for item in items if _refused_id(item) not in known]


def _refused_id(item: Refused) -> str:
    return f"refused:{sha256(f'{item.name}|{item.reason}'.encode())[:24]}"


def load_quarantine(objects: ObjectStore, manifest: DatasetManifest) -> frozenset[str]:
    """Read the ids of rows that were read and kept out."""
    if not manifest.quarantine:
        return frozenset()
    return frozenset(load_ids(objects, manifest.quarantine).tolist())


def _write_shard(objects: ObjectStore, samples: SampleSet) -> ShardRef:
    data = SampleSet(
        _narrowed(samples.ids),
        samples.x,
        np.asarray(samples.y, np.int64),
        _narrowed(samples.groups),
        {name: _narrowed(column) for name, column in samples.columns.items()},
    ).encode()
    return ShardRef(blob=objects.put(data), rows=len(samples), bytes=len(data))


def _narrowed(column: Array) -> Array:
    """Give texts the narrowest type that holds them: equal texts must give equal bytes."""
    if column.dtype.kind != "U":
        return column
    width = int(np.strings.str_len(column).max(initial=1))
    return column.astype(f"<U{max(1, width)}")
