"""Corrupted copies of real rows, spread evenly: the control for corruption that is aimed."""

from __future__ import annotations

import numpy as np

from activesynth.arms.synthetic import mix
from activesynth.domain.canonical import Array
from activesynth.domain.exchange import ArmContext, ArmRows
from activesynth.domain.samples import SampleSet
from activesynth.perturbations.rows import corrupt_rows

LEAST_SEVERITY = 0.05


class CorruptedArm:
    """Real rows, and as many corrupted copies as the targeted branch has rows.

    Classes and the campaign's `diagnosis.corruptions` come equally often, severities evenly from
    0.05 to 1: what somebody does who knows which corruptions there are and not which one hurts.
    """

    name = "corrupted"

    def build(self, context: ArmContext) -> ArmRows:
        """Return the real rows and the copies, which share the groups of what they copy."""
        count = 0 if context.targeted is None else len(context.targeted)
        if not count or not context.corruptions:
            return mix(context, None)
        rng = np.random.default_rng([context.seed, 1])
        anchors = context.real.take(_evenly(context.real.y, count, rng))
        kinds = rng.permutation(np.resize(np.array(context.corruptions), count))
        severities = rng.uniform(LEAST_SEVERITY, 1.0, count)
        seeds = rng.integers(2**63, size=count).astype(np.uint64)
        x = anchors.x.copy()
        for kind in np.unique(kinds).tolist():
            rows = np.flatnonzero(kinds == kind)
            x[rows] = corrupt_rows(kind, anchors.x[rows], severities[rows], seeds[rows])
        weight = _as_heavy(context.targeted, count)
        ids = np.array([f"corrupted:{n}" for n in range(count)])
        copies = SampleSet(ids, x, anchors.y, anchors.groups, {"weight": weight})
        names, counts = np.unique(kinds, return_counts=True)
        facts = dict(zip(names.tolist(), counts.tolist(), strict=True))
        built = mix(context, copies)
        return ArmRows(built.samples, built.weight, built.is_synthetic, {"corrupted": facts})


def _evenly(y: Array, count: int, rng: np.random.Generator) -> Array:
    """Return row numbers whose classes come equally often, ``(count,)``."""
    classes = np.unique(y)
    wanted = rng.permutation(np.resize(classes, count))
    rows = np.empty(count, np.int64)
    for label in classes.tolist():
        place = wanted == label
        rows[place] = rng.choice(np.flatnonzero(y == label), int(place.sum()))
    return rows


def _as_heavy(targeted: SampleSet | None, count: int) -> Array:
    """Return one weight for all copies: the mean of the targeted rows, before any damping."""
    if targeted is None:
        return np.ones(count)
    damping = targeted.columns.get("damping", np.ones(len(targeted)))
    return np.full(count, float((targeted.columns["weight"] / damping).mean()))
