"""Interpolated rows instead of generated ones: the oldest remedy for rare classes."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import ArmContext, ArmRows
from activesynth.domain.samples import SampleSet, concatenate
from activesynth.errors import InputError
from activesynth.targeting.apportionment import fill_up
from activesynth.targeting.weighting import class_balanced

NEIGHBOURS = 5


class SmoteArm:
    """Real rows, and rows between neighbours of one class in the space of the inputs (SMOTE).

    As many as the targeted branch has. The smallest classes are filled up first, and every class
    is drawn equally often. Nothing is stored: the rows follow from the real ones and the seed, and
    are no parents of anything. A row between two real ones belongs to no group of its own, so
    what the trainer leaves out for calibration is a little less unseen than in other arms.

    References:
        Chawla et al. 2002, arXiv:1106.1813.
    """

    name = "smote"

    def build(self, context: ArmContext) -> ArmRows:
        """Return the real rows and the interpolated ones.

        Raises:
            InputError: If the inputs are no numbers.
        """
        real = context.real
        count = 0 if context.targeted is None else len(context.targeted)
        if not count:
            weight = class_balanced(real.y, context.classes)
            return ArmRows(real, weight, np.zeros(len(real), bool))
        if real.x.dtype.kind not in "uif":
            raise InputError(
                f"the arm `smote` interpolates numbers, but the inputs are {real.x.dtype}; take "
                "`smote` out of `evaluation.arms`.",
                reason="bad_type",
            )
        x, y, copied = _oversample(real, count, context.seed)
        ids = np.array([f"smote:{n}" for n in range(count)])
        rows = concatenate([real, SampleSet(ids, x, y, ids)])
        facts = {"interpolated": int((~copied).sum()), "duplicated": int(copied.sum())}
        reason = {}
        if copied.any():
            alone = ", ".join(map(str, np.unique(y[copied]).tolist()))
            reason = {"reason": f"too few rows to interpolate between in classes {alone}"}
        is_synthetic = np.arange(len(rows)) >= len(real)
        weight = _every_class_equally(rows.y, is_synthetic, context.real_share)
        return ArmRows(rows, weight, is_synthetic, {"smote": {**facts, **reason}})


def _oversample(real: SampleSet, count: int, seed: int) -> tuple[Array, Array, Array]:
    """Return inputs, labels and whether each is a copy, ordered by label, ``count`` of each."""
    labels, have = np.unique(real.y, return_counts=True)
    added = fill_up(have, count)
    flat = real.x.reshape(len(real), -1)
    y = np.repeat(labels, added)
    x = np.empty((count, flat.shape[1]), real.x.dtype)
    near = np.minimum(NEIGHBOURS, have - 1)
    near[len(labels) < 2] = 0  # imbalanced-learn wants a class beside the one it fills up
    for neighbours in np.unique(near[added > 0]).tolist():
        chosen = (near == neighbours) & (added > 0)
        place = np.isin(y, labels[chosen])
        if neighbours == 0:
            x[place] = flat[_copies(real.y, y[place], seed)]
        else:
            wanted = dict(
                zip(labels[chosen].tolist(), (have + added)[chosen].tolist(), strict=True)
            )
            x[place] = _interpolate(flat, real.y, wanted, neighbours, seed)
    return x.reshape(count, *real.x.shape[1:]), y, np.isin(y, labels[near == 0])


def _interpolate(
    flat: Array, y: Array, wanted: dict[int, int], neighbours: int, seed: int
) -> Array:
    """Return what SMOTE adds until the classes have as many rows as wanted, ordered by label."""
    from imblearn.over_sampling import SMOTE

    sampler = SMOTE(sampling_strategy=wanted, k_neighbors=neighbours, random_state=seed % 2**32)
    points = flat if flat.dtype.kind == "f" else flat.astype(np.float32)
    grown, labels = sampler.fit_resample(points, y)
    added = grown[len(y) :][np.argsort(labels[len(y) :], kind="stable")]
    if flat.dtype.kind == "f":
        return np.asarray(added, flat.dtype)
    limits = np.iinfo(flat.dtype)
    whole: Array = np.clip(np.rint(added), limits.min, limits.max).astype(flat.dtype)
    return whole


def _copies(real: Array, wanted: Array, seed: int) -> Array:
    """Return a real row of each wanted label, drawn evenly."""
    rng = np.random.default_rng(seed)
    rows = np.empty(len(wanted), np.int64)
    for label in np.unique(wanted).tolist():
        place = wanted == label
        rows[place] = rng.choice(np.flatnonzero(real == label), int(place.sum()))
    return rows


def _every_class_equally(y: Array, is_synthetic: Array, real_share: float) -> Array:
    """Return weights under which classes are drawn equally often and real rows often enough.

    Within a class all rows weigh the same, unless that would leave real rows less than
    ``real_share`` of the draws; then synthetic rows of every class give up the same part.
    """
    classes, labels = np.unique(y, return_inverse=True)
    rows, made = np.bincount(labels), np.bincount(labels[is_synthetic], minlength=len(classes))
    synthetic = made / rows
    synthetic *= min(1.0, (1.0 - real_share) / synthetic.mean())
    per_row = np.where(
        is_synthetic,
        (synthetic / np.maximum(made, 1))[labels],
        ((1.0 - synthetic) / (rows - made))[labels],
    )
    weight: Array = per_row * (~is_synthetic).sum() / per_row[~is_synthetic].sum()
    return weight
