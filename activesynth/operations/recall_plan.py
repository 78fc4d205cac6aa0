"""The version without a batch: which shards are written anew, and what becomes of each row.

A synthetic sample leaves the version and every arm's branch. A real row whose label was bought
leaves train; its row in the pool's shards was there all along, so it can be asked about again, and
nothing is lost but the label. A corrected label becomes what it was before, and a row that was
taken out of train comes back to it. Transformed copies of a row that changes bear the label that is
taken back, so they leave as well.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import cast

import numpy as np

from activesynth.domain.canonical import Array, sha256
from activesynth.domain.dataset_access import find_rows, load_quarantine, load_rows, write_rows
from activesynth.domain.dataset_rows import member_rows, real_rows, synthetic_members
from activesynth.domain.documents import DatasetManifest, ShardRef
from activesynth.domain.erasure import standing
from activesynth.domain.platform import Platform
from activesynth.domain.ports import ObjectStore
from activesynth.domain.recalls import Answered
from activesynth.domain.records import CampaignRecord, MemberRow, SampleRow, Streamed
from activesynth.domain.samples import SampleSet
from activesynth.operations.recall_batch import Batch, synthetic_ids
from activesynth.steps.corrections import Corrections


@dataclass(frozen=True, slots=True)
class RecallPlan:
    """What a recall changes.

    Attributes:
        before: The head version.
        child: The version without the batch; of the same rows where only branches held it.
        branches: The new branches of arms, where there are any.
        dropped: Ids of synthetic samples that leave the head version, copies included.
        left_branches: How many leave the branch of each arm.
        gone: Ids of all synthetic samples that leave anything.
        copies: How many of them leave as copies of a changed row alone.
        to_pool: Real rows whose bought label is taken back.
        labels: The label that each corrected row gets back.
        restored: Rows that come back to train.
    """

    before: DatasetManifest
    child: DatasetManifest
    branches: Mapping[str, DatasetManifest]
    dropped: frozenset[str]
    left_branches: Mapping[str, int]
    gone: frozenset[str]
    copies: int
    to_pool: frozenset[str]
    labels: Mapping[str, int]
    restored: frozenset[str]

    @property
    def samples(self) -> int:
        """Return how many samples are taken back."""
        return len(self.gone) + len(self.to_pool) + len(self.labels) + len(self.restored)

    @property
    def changes_train(self) -> bool:
        """Tell whether real rows enter, leave or change their label."""
        return self.child.splits["train"] != self.before.splits["train"]


@dataclass(frozen=True, slots=True)
class _Real:
    """What becomes of real rows; ``unquarantined`` are named in quarantine no longer."""

    changed: Corrections
    restored: tuple[SampleSet, ...]
    unquarantined: frozenset[str]

    @property
    def restored_ids(self) -> frozenset[str]:
        return frozenset(chain.from_iterable(rows.ids.tolist() for rows in self.restored))


@dataclass(slots=True)
class _Sieve:
    """Takes synthetic rows out of shards and remembers which; shards without any stay as they are.

    Attributes:
        objects: Where shards lie.
        wanted: Ids of the batch, ``(n,)``.
        changed: Real rows whose copies leave as well.
        found: Ids that were in any shard.
        copies: Those of them that are no part of the batch.
    """

    objects: ObjectStore
    wanted: Array
    changed: Corrections
    found: set[str]
    copies: set[str]

    def without(self, refs: Sequence[ShardRef]) -> tuple[tuple[ShardRef, ...], set[str]]:
        """Return the shards without them, and the ids that left."""
        kept: list[ShardRef] = []
        left: set[str] = set()
        for ref in refs:
            rows = load_rows(self.objects, [ref])
            is_meant = np.isin(rows.ids, self.wanted)
            is_copy = self.changed.copies(rows.columns["parents"], rows.groups)
            is_gone = is_meant | is_copy
            left.update(rows.ids[is_gone].tolist())
            self.copies.update(rows.ids[is_copy & ~is_meant].tolist())
            if not is_gone.any():
                kept.append(ref)
            elif not is_gone.all():
                kept += write_rows(self.objects, rows.take(~is_gone))
        self.found |= left
        return tuple(kept), left


def plan_recall(
    batch: Batch, record: CampaignRecord, platform: Platform, *, is_writing: bool
) -> RecallPlan:
    """Build the version and the branches without the batch.

    Args:
        batch: What is taken back.
        record: The campaign as it stands.
        platform: The ports.
        is_writing: Otherwise nothing is put, and digests are those of what would be.
    """
    objects = platform.objects
    if not is_writing:
        objects = cast("ObjectStore", _Unwritten(platform.objects))
    head = str(record.head)
    before = DatasetManifest.decode(objects.get(head))
    real = _real(batch.real, before, platform)
    wanted = sorted(synthetic_ids(batch, platform))
    sieve = _Sieve(objects, np.array(wanted, np.str_), real.changed, set(), set())
    synthetic, dropped = sieve.without(before.synthetic)
    child = before.model_copy(
        update={
            "parent": head,
            "refreshed": None,
            "splits": {**before.splits, "train": _train(before, real, objects)},
            "synthetic": synthetic,
            "quarantine": _quarantine(before, real.unquarantined, objects),
        }
    )
    branches, left = {}, {}
    for arm, digest in sorted(record.branches.items()):
        branch = DatasetManifest.decode(objects.get(digest))
        kept, gone = sieve.without(branch.synthetic)
        if gone or child.splits != before.splits:
            real_part = {"splits": child.splits, "quarantine": child.quarantine}
            branches[arm] = branch.model_copy(update={"synthetic": kept, **real_part})
            left[arm] = len(gone)
    return RecallPlan(
        before,
        child,
        branches,
        frozenset(dropped),
        {arm: count for arm, count in left.items() if count},
        frozenset(sieve.found),
        len(sieve.copies),
        real.changed.removed,
        real.changed.labels,
        real.restored_ids,
    )


def changed_samples(made: RecallPlan, objects: ObjectStore) -> Streamed[SampleRow]:
    """Tell the new places and labels of real rows; those of other rows moved with their shard."""
    train = made.before.splits["train"]
    fresh = [ref for ref in made.child.splits["train"] if ref not in train]
    return Streamed(lambda: chain(real_rows(objects, fresh), _returned(made, objects)))


def members(made: RecallPlan, objects: ObjectStore) -> Streamed[MemberRow]:
    """Tell what the version holds, and the synthetic rows of the branches."""
    branches = {branch.digest: branch for branch in made.branches.values()}
    return Streamed(
        lambda: chain(
            member_rows(objects, made.child),
            *(synthetic_members(objects, branches[digest]) for digest in sorted(branches)),
        )
    )


def _returned(made: RecallPlan, objects: ObjectStore) -> Iterator[SampleRow]:
    """Yield the rows that stand in the pool again, and still why they were asked about."""
    if not made.to_pool:
        return
    asked = {
        row.id: row
        for row in real_rows(objects, made.before.splits["train"])
        if row.id in made.to_pool
    }
    for row in real_rows(objects, made.before.splits["pool"]):
        if row.id in asked:
            was = asked[row.id]
            yield replace(row, label=None, weakness=was.weakness, scores=was.scores)


def _real(
    answers: Mapping[str, Sequence[Answered]], before: DatasetManifest, platform: Platform
) -> _Real:
    """Tell what each real row was before the first answer that is taken back."""
    present: dict[str, int] = {}
    out: frozenset[str] = frozenset()
    if answers:
        rows = find_rows(platform.objects, before.splits["train"], answers)
        present = dict(zip(rows.ids.tolist(), rows.y.tolist(), strict=True))
        out = load_quarantine(platform.objects, before).intersection(answers)
    first = {sample: given[0] for sample, given in answers.items()}
    was_pool = {sample for sample, answer in first.items() if answer.kind == "label"}
    labels = {
        sample: int(answer.proposed)
        for sample, answer in first.items()
        if answer.proposed is not None
        and sample in present
        and sample not in was_pool
        and present[sample] != answer.proposed
    }
    removed = frozenset(was_pool & present.keys())
    back = {s: first[s] for s in sorted(out - present.keys() - was_pool)}
    restored = tuple(_restored(back, platform))
    return _Real(Corrections(labels, removed), restored, out - present.keys())


def _restored(back: Mapping[str, Answered], platform: Platform) -> Iterator[SampleSet]:
    """Yield rows that were taken out of train, as they were when somebody was asked."""
    erased = platform.lineage.erased_blobs() if back else {}
    for shard in sorted({answer.shard for answer in back.values()}):
        own = {s: a for s, a in back.items() if a.shard == shard}
        rows = SampleSet.decode(platform.objects.get(standing(shard, erased) or shard))
        rows = rows.take(np.isin(rows.ids, sorted(own)))
        labels = [_known(own[sample], int(y)) for sample, y in zip(rows.ids, rows.y, strict=True)]
        yield rows.with_labels(np.array(labels, np.int64))


def _known(answer: Answered, label: int) -> int:
    return label if answer.proposed is None else answer.proposed


def _train(before: DatasetManifest, real: _Real, objects: ObjectStore) -> tuple[ShardRef, ...]:
    refs = before.splits["train"]
    if real.changed.touched:
        refs = real.changed.train(objects, refs)
    refs = (*refs, *chain.from_iterable(write_rows(objects, rows) for rows in real.restored))
    full = tuple(ref for ref in refs if ref.rows)
    return full or refs[:1]  # an empty shard keeps the shape of a row


def _quarantine(
    before: DatasetManifest, unquarantined: Collection[str], objects: ObjectStore
) -> tuple[ShardRef, ...]:
    if not unquarantined:
        return before.quarantine
    kept: list[ShardRef] = []
    for ref in before.quarantine:
        rows = load_rows(objects, [ref])
        is_back = np.isin(rows.ids, sorted(unquarantined))
        if not is_back.any():
            kept.append(ref)
        elif not is_back.all():
            kept += write_rows(objects, rows.take(~is_back))
    return tuple(kept)


class _Unwritten:
    """Reads, and answers a put with the digest while it keeps nothing."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def get(self, digest: str) -> bytes:
        return self._objects.get(digest)

    def put(self, data: bytes) -> str:
        return sha256(data)
