"""Whether synthetic rows repeat rows that were trained on, and what a model gives away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.neighbours import nearest_distance
from activesynth.statistics.intervals import Interval, wilson
from activesynth.statistics.ranking import area_under_curve

MIN_GROUPS = 10
"""Fewest groups on a side for an interval that means anything."""
CLOSE_QUANTILE = 0.05


@dataclass(frozen=True, slots=True)
class Copying:
    """How near synthetic rows lie to train rows, held against real rows never trained on.

    Attributes:
        nearer: Probability that a synthetic row lies nearer to its nearest train row than a
            held-out row does, ties counting half. 0.5 is what new real rows would do; an
            interval above 0.5 means copying, one below 0.5 rows away from the data.
        close: Share of synthetic rows nearer to train than ``quantile`` of the held-out rows
            are; ``quantile`` is what new real rows would do. Sees few copies among many others.
        limit: That distance.
        quantile: In ``(0, 1)``.
        median_synthetic: Median distance of synthetic rows to train.
        median_held_out: The same of held-out rows.
    """

    nearer: Interval
    close: Interval
    limit: float
    quantile: float
    median_synthetic: float
    median_held_out: float


def measure_copying(
    synthetic: Array,
    train: Array,
    held_out: Array,
    *,
    held_out_groups: Array | None = None,
    quantile: float = CLOSE_QUANTILE,
) -> Copying | NotEstimable:
    """Compare the distance to the nearest train row of synthetic and of held-out real rows.

    The held-out rows must have the train rows' distribution and no near duplicates in it; then
    the comparison needs no threshold of its own.

    Args:
        synthetic: Features of synthetic rows, ``(m, d)``.
        train: Features of the rows that the generator was trained on, ``(n, d)``.
        held_out: Features of real rows that it never saw, ``(h, d)``.
        held_out_groups: What must stay together, ``(h,)``; every row alone when None.
        quantile: Which of the held-out distances counts as close, in ``(0, 1)``.

    Returns:
        Both comparisons, or :class:`NotEstimable` with fewer than 10 synthetic rows or 10
        held-out groups. The interval of ``close`` takes ``limit`` as known.

    Raises:
        InputError: If a feature is not finite, or ``quantile`` lies outside ``(0, 1)``.
        ShapeError: If widths differ or a side has no rows.

    References:
        Meehan, Chaudhuri and Dasgupta 2020, arXiv:2004.05675 (the comparison of distances).
    """
    if not 0.0 < quantile < 1.0:
        raise InputError(
            f"the quantile of close rows must lie in (0, 1), got {quantile:g}; 0.05 is usual.",
            reason="threshold",
            field="quantile",
        )
    groups = np.arange(len(held_out)) if held_out_groups is None else held_out_groups
    n = min(len(synthetic), len(np.unique(groups)))
    if n < MIN_GROUPS:
        return NotEstimable("copying", n, MIN_GROUPS)
    ours, theirs = nearest_distance(synthetic, train), nearest_distance(held_out, train)
    limit = float(np.quantile(theirs, quantile))
    return Copying(
        nearer=area_under_curve(-ours, -theirs, negative_groups=groups),
        close=wilson(int((ours < limit).sum()), len(ours)),
        limit=limit,
        quantile=quantile,
        median_synthetic=float(np.median(ours)),
        median_held_out=float(np.median(theirs)),
    )


def membership_by_loss(
    member_loss: Array,
    held_out_loss: Array,
    *,
    member_groups: Array | None = None,
    held_out_groups: Array | None = None,
) -> Interval | NotEstimable:
    """Return how well an attacker tells train rows by the loss of a model on them (AUC).

    Args:
        member_loss: Loss of rows that were trained on, ``(n,)``, finite; lower looks like a
            member.
        held_out_loss: Loss of rows that were not, ``(h,)``.
        member_groups: What must stay together, ``(n,)``; every row alone when None.
        held_out_groups: The same of the held-out rows, ``(h,)``.

    Returns:
        In ``[0, 1]``: 0.5 when the attacker guesses, 1 when every member is told; or
        :class:`NotEstimable` with fewer than 10 groups on a side. An average over rows: a few
        rows may be told far more surely than it says.

    Raises:
        ShapeError: If a loss is not finite, or groups do not align.

    References:
        Yeom et al. 2018, arXiv:1709.01604.
    """
    return _attack(-member_loss, -held_out_loss, member_groups, held_out_groups)


def membership_by_distance(
    train: Array,
    held_out: Array,
    synthetic: Array,
    *,
    train_groups: Array | None = None,
    held_out_groups: Array | None = None,
) -> Interval | NotEstimable:
    """Return how well an attacker who holds the synthetic rows tells the train rows (AUC).

    The attacker takes rows for members that have a synthetic row near by.

    Args:
        train: Features of the rows that the generator was trained on, ``(n, d)``.
        held_out: Features of real rows that it never saw, ``(h, d)``.
        synthetic: Features of synthetic rows, ``(m, d)``.
        train_groups: What must stay together, ``(n,)``; every row alone when None.
        held_out_groups: The same of the held-out rows, ``(h,)``.

    Returns:
        As in :func:`membership_by_loss`.

    Raises:
        InputError: If a feature is not finite.
        ShapeError: If widths differ, a side has no rows, or groups do not align.

    References:
        Chen et al. 2020, arXiv:1909.03935 (the black-box attack by distance).
    """
    return _attack(
        -nearest_distance(train, synthetic),
        -nearest_distance(held_out, synthetic),
        train_groups,
        held_out_groups,
    )


def _attack(
    members: Array, others: Array, member_groups: Array | None, other_groups: Array | None
) -> Interval | NotEstimable:
    for scores, groups in ((members, member_groups), (others, other_groups)):
        if groups is not None and len(groups) != len(scores):
            raise ShapeError(
                f"membership inference needs one group per row, got {len(groups)} groups for "
                f"{len(scores)} rows."
            )
    n = min(
        len(scores) if groups is None else len(np.unique(groups))
        for scores, groups in ((members, member_groups), (others, other_groups))
    )
    if n < MIN_GROUPS:
        return NotEstimable("membership inference", n, MIN_GROUPS)
    return area_under_curve(
        members, others, positive_groups=member_groups, negative_groups=other_groups
    )
