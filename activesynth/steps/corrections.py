"""What answers about doubted labels change: the train rows, and the copies made from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import (
    find_rows,
    load_rows,
    write_quarantine,
    write_rows,
)
from activesynth.domain.documents import ShardRef
from activesynth.domain.ports import ObjectStore
from activesynth.domain.samples import SampleSet

REASON = "label_rejected"
"""Why a train row that somebody took out stands in quarantine."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """Answers that change a train row.

    Attributes:
        labels: New label by sample id, where it differs from the present one.
        removed: Ids of rows that are taken out of train.
    """

    labels: Mapping[str, int]
    removed: frozenset[str]

    @property
    def touched(self) -> frozenset[str]:
        """Return the ids of all rows that change."""
        return frozenset(self.labels) | self.removed

    def train(self, objects: ObjectStore, refs: Sequence[ShardRef]) -> tuple[ShardRef, ...]:
        """Return the train shards; those without a changed row stay as they are."""
        return tuple(new for ref in refs for new in self._shard(objects, ref))

    def quarantine(self, objects: ObjectStore, refs: Sequence[ShardRef]) -> tuple[ShardRef, ...]:
        """Return one shard naming the rows that were taken out, with the reason; or none."""
        if not self.removed:
            return ()
        out = find_rows(objects, refs, self.removed)
        # The group of its source: near duplicates of other groups joined under one name.
        groups = out.columns.get("source_group", out.groups)
        return write_quarantine(objects, out.ids, groups, np.full(len(out), REASON))

    def without_copies(
        self, objects: ObjectStore, refs: Sequence[ShardRef]
    ) -> tuple[ShardRef, ...]:
        """Return synthetic shards without copies of changed rows: they bear the old label."""
        kept: list[ShardRef] = []
        for ref in refs:
            rows = load_rows(objects, [ref])
            is_copy = self.copies(rows.columns["parents"], rows.groups)
            kept += write_rows(objects, rows.take(~is_copy)) if is_copy.any() else (ref,)
        return tuple(kept)

    def copies(self, parents: Array, groups: Array) -> Array:
        """Tell which synthetic rows are transformed copies of a changed row, ``(n,)`` bool.

        An invented row has a group of its own; its parent is only what lies nearest.
        """
        is_invented = np.strings.startswith(groups.astype(str), "synthetic:")
        is_child: Array = np.isin(parents, sorted(self.touched)) & ~is_invented
        return is_child

    def _shard(self, objects: ObjectStore, ref: ShardRef) -> tuple[ShardRef, ...]:
        rows = load_rows(objects, [ref])
        if not self.touched.intersection(rows.ids.tolist()):
            return (ref,)
        y = [
            self.labels.get(sample, label)
            for sample, label in zip(rows.ids.tolist(), rows.y.tolist(), strict=True)
        ]
        corrected: SampleSet = rows.with_labels(np.array(y, np.int64))
        return write_rows(objects, corrected.take(~np.isin(rows.ids, sorted(self.removed))))


def corrections(
    objects: ObjectStore,
    train: Sequence[ShardRef],
    recheck: Sequence[str],
    answers: Sequence[Mapping[str, Any]],
) -> Corrections:
    """Read the answers to the doubted labels; accepted, skipped and missing ones change nothing."""
    asked = set(recheck)
    if not asked:
        return Corrections({}, frozenset())
    rows = find_rows(objects, train, asked)
    present = dict(zip(rows.ids.tolist(), rows.y.tolist(), strict=True))
    about = [answer for answer in answers if answer["sample"] in asked]
    return Corrections(
        {
            str(answer["sample"]): int(answer["label"])
            for answer in about
            if answer["action"] == "relabel" and answer["label"] != present[answer["sample"]]
        },
        frozenset(str(answer["sample"]) for answer in about if answer["action"] == "reject"),
    )
