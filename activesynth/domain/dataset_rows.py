"""What the lineage database is told about the rows of a manifest."""

from __future__ import annotations

from collections.abc import Sequence

from activesynth.domain.dataset_access import load_quarantine, load_rows
from activesynth.domain.documents import SPLITS, DatasetManifest, ShardRef
from activesynth.domain.ports import ObjectStore
from activesynth.domain.records import MemberRow, SampleRow
from activesynth.domain.samples import UNLABELLED, SampleSet

RETRIEVED = "retrieved_distance"
"""The column of bought rows, and the score of samples, that holds the distance of retrieval."""


def real_rows(objects: ObjectStore, refs: Sequence[ShardRef]) -> tuple[SampleRow, ...]:
    """Return one row per real sample in the shards, with shard and position.

    Rows that were retrieved from the pool tell for which weakness, and at which distance.
    """
    return tuple(
        SampleRow(
            name,
            "real",
            ref.blob,
            row,
            None if label == UNLABELLED else label,
            weakness=weakness or None,
            scores={RETRIEVED: distance} if weakness else {},
        )
        for ref in refs
        for rows in [load_rows(objects, [ref])]
        for row, (name, label, weakness, distance) in enumerate(
            zip(rows.ids.tolist(), rows.y.tolist(), *_retrieved_for(rows), strict=True)
        )
    )


def _retrieved_for(rows: SampleSet) -> tuple[list[str], list[float]]:
    if RETRIEVED not in rows.columns:
        return [""] * len(rows), [0.0] * len(rows)
    return rows.columns["retrieved_for"].tolist(), rows.columns[RETRIEVED].tolist()


def member_rows(objects: ObjectStore, manifest: DatasetManifest) -> tuple[MemberRow, ...]:
    """Return every sample's place in the manifest, each sample once.

    A pool row whose label was bought is a member of train only, and one that was taken out again
    of nothing. Synthetic rows are members of the split ``synthetic`` with their weight, real rows
    weigh 1.
    """
    digest = manifest.digest
    gone = load_quarantine(objects, manifest)
    places: dict[str, tuple[str, float]] = {}
    for split in reversed(SPLITS):  # train last, so that it takes bought rows from the pool
        for ref in manifest.splits.get(split, ()):
            for name in load_rows(objects, [ref]).ids.tolist():
                if name not in gone:
                    places[name] = (split, 1.0)
    for ref in manifest.synthetic:
        rows = load_rows(objects, [ref])
        weights = rows.columns["weight"].tolist() if "weight" in rows.columns else [1.0] * len(rows)
        for name, weight in zip(rows.ids.tolist(), weights, strict=True):
            places[name] = ("synthetic", float(weight))
    return tuple(
        MemberRow(digest, name, split, weight) for name, (split, weight) in sorted(places.items())
    )
