"""How much of synthetic data lies in the tails of the real classes."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.neighbours import check_features
from activesynth.statistics.intervals import Interval, wilson

TAIL = 0.2
"""The tail of a class: this share of its real rows, those farthest from its mean."""
MIN_ROWS = 10
"""Fewest real rows of a class for its tail to be told from its middle."""


def tail_mass(
    real: Array, y_real: Array, synthetic: Array, y_synthetic: Array, *, tail: float = TAIL
) -> Interval | NotEstimable:
    """Return the share of synthetic rows farther from their class's mean than most real rows are.

    New real rows would have about ``tail``. A generator that collapses makes ever more of the
    middle of its classes and ever less of this; one that drifts off the data makes more of it.

    Args:
        real: Features of real rows, ``(n, d)``.
        y_real: Their labels, ``(n,)``.
        synthetic: Features of synthetic rows, ``(m, d)``, by the same encoder.
        y_synthetic: Their labels, ``(m,)``.
        tail: Share of a class's real rows that is its tail, in ``(0, 1)``.

    Returns:
        The share with a Wilson interval that takes means and limits as known. Synthetic rows of
        classes with fewer than 10 real rows are left out; :class:`NotEstimable` where fewer than
        10 remain.

    Raises:
        InputError: If a feature is not finite, or ``tail`` lies outside ``(0, 1)``.
        ShapeError: If labels do not align, widths differ or a side has no rows.

    References:
        Shumailov et al. 2024, Nature 631:755-759 (collapse begins with the tails).
    """
    if not 0.0 < tail < 1.0:
        raise InputError(
            f"the share of the tail must lie in (0, 1), got {tail:g}; 0.2 is usual here.",
            reason="threshold",
            field="tail",
        )
    if len(real) != len(y_real) or len(synthetic) != len(y_synthetic):
        raise ShapeError(
            f"tail mass needs one label per row, got {len(y_real)} for {len(real)} real and "
            f"{len(y_synthetic)} for {len(synthetic)} synthetic rows."
        )
    check_features("tail mass", real, synthetic)
    beyond = rows = 0
    for label in np.unique(y_synthetic):
        ours, theirs = real[y_real == label], synthetic[y_synthetic == label]
        if len(ours) < MIN_ROWS:
            continue
        mean = ours.mean(axis=0)
        limit = np.quantile(np.linalg.norm(ours - mean, axis=1), 1.0 - tail)
        beyond += int((np.linalg.norm(theirs - mean, axis=1) > limit).sum())
        rows += len(theirs)
    if rows < MIN_ROWS:
        return NotEstimable("tail mass", rows, MIN_ROWS)
    return wilson(beyond, rows)
