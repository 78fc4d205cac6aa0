"""Sorting what a source holds now against what a dataset version already holds."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import numpy as np

from activesynth.config.campaign import CampaignConfig
from activesynth.domain.canonical import Array
from activesynth.domain.samples import UNLABELLED, SampleSet, concatenate
from activesynth.evaluation.near_duplicates import has_near_duplicate, unit_scaled
from activesynth.evaluation.splits import GROWING, connected_groups


@dataclass(frozen=True, slots=True)
class Held:
    """Rows of the head version per split, hidden labels by id, and ids that were kept out."""

    splits: Mapping[str, SampleSet]
    oracle: Mapping[str, int]
    quarantine: Set[str]

    @property
    def growing(self) -> SampleSet:
        """Return the rows of train and pool, labels as far as the loop knows them."""
        return concatenate([self.splits[name] for name in GROWING if name in self.splits])

    @property
    def unbiased_labels(self) -> Array:
        """Return the labels of guide and judge, which no purchase and no tail has skewed."""
        return np.concatenate([self.splits[name].y for name in ("guide", "judge")])

    @property
    def guarded(self) -> SampleSet:
        """Return the rows that no later row may resemble."""
        return concatenate([rows for name, rows in self.splits.items() if name not in GROWING])


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Where rows of the source belong.

    Attributes:
        new: All rows never seen before, quarantined ones included.
        train: Rows to add to train, labelled.
        pool: Rows to add to the pool, with hidden labels where they have one.
        quarantined: New rows that resemble a guarded row or share its group.
        known: How many rows were known.
        relabelled: How many known train rows carry another label now.
    """

    new: SampleSet
    train: SampleSet
    pool: SampleSet
    quarantined: SampleSet
    known: int
    relabelled: int


def sort_arrivals(incoming: SampleSet, held: Held, config: CampaignConfig) -> Arrivals:
    """Divide the rows of the source; ``incoming.y`` is numbered as in the head version."""
    incoming = _with_source_group(incoming)
    known = np.concatenate([rows.ids for rows in held.splits.values()])
    is_known = np.isin(incoming.ids, known) | np.isin(incoming.ids, sorted(held.quarantine))
    new = incoming.take(~is_known)
    is_guarded, groups = _resembles_guarded(new, held, config.splits.near_duplicate)
    entering = SampleSet(new.ids, new.x, new.y, groups, new.columns).take(~is_guarded)
    labels_are_free = config.sampling.label_budget is None
    enters_train = (entering.y != UNLABELLED) & labels_are_free
    answered = _answered(incoming, held)
    train = entering.take(enters_train)
    return Arrivals(
        new=new,
        train=concatenate([train, answered]) if len(answered) else train,
        pool=entering.take(~enters_train),
        quarantined=new.take(is_guarded),
        known=int(is_known.sum()),
        relabelled=_relabelled(incoming, held.splits["train"]),
    )


def _with_source_group(rows: SampleSet) -> SampleSet:
    columns = {**rows.columns, "source_group": rows.groups}
    return SampleSet(rows.ids, rows.x, rows.y, rows.groups, columns)


def _resembles_guarded(new: SampleSet, held: Held, near_duplicate: float) -> tuple[Array, Array]:
    """Tell which new rows must stay out, and name the groups of all new rows.

    A row stays out with its whole group of arrivals; arrivals join the group that rows of the
    same source group already have.
    """
    if not len(new):
        return np.zeros(0, bool), new.groups
    growing, guarded = held.growing, held.guarded
    scaled = unit_scaled(new.x, growing.x)
    merged = connected_groups(new.groups, scaled, near_duplicate)
    is_near = has_near_duplicate(scaled, unit_scaled(guarded.x, growing.x), near_duplicate)
    is_near |= np.isin(new.groups, guarded.columns.get("source_group", guarded.groups))
    is_guarded = np.isin(merged, merged[is_near])
    given = growing.columns.get("source_group", growing.groups).tolist()
    named = dict(zip(given, growing.groups.tolist(), strict=True))
    return is_guarded, np.array([named.get(name, name) for name in merged.tolist()])


def _answered(incoming: SampleSet, held: Held) -> SampleSet:
    """Return pool rows without a hidden label for which the source has a label by now."""
    pool = held.splits["pool"]
    open_ids = np.setdiff1d(pool.ids, held.splits["train"].ids)
    has_answer = np.isin(incoming.ids, open_ids) & (incoming.y != UNLABELLED)
    has_answer &= ~np.isin(incoming.ids, sorted({*held.oracle, *held.quarantine}))
    answers = dict(zip(incoming.ids[has_answer].tolist(), incoming.y[has_answer], strict=True))
    rows = pool.take(np.isin(pool.ids, list(answers)))
    return rows.with_labels(np.array([answers[name] for name in rows.ids.tolist()], np.int64))


def _relabelled(incoming: SampleSet, train: SampleSet) -> int:
    now = dict(zip(incoming.ids.tolist(), incoming.y.tolist(), strict=True))
    return sum(
        now.get(name, label) not in (label, UNLABELLED)
        for name, label in zip(train.ids.tolist(), train.y.tolist(), strict=True)
    )
