"""The uncertain region at several thresholds: how large it is, and whether it holds the errors."""

from __future__ import annotations

import math
from collections.abc import Iterable

from activesynth.domain.canonical import Array
from activesynth.domain.documents import SweepPoint
from activesynth.statistics.intervals import wilson


def sweep_tau(
    uncertainty: Array, is_error: Array, thresholds: Iterable[float]
) -> tuple[SweepPoint, ...]:
    """Describe U_tau at each threshold, in ascending order.

    Where doubt tells right from wrong, the error inside is far above the error outside at every
    threshold; a model whose two errors are alike is unsure at random, and no tau helps.

    Args:
        uncertainty: What tau is compared with, ``(n,)``.
        is_error: Rows predicted wrongly, ``(n,)`` bool.
        thresholds: In the unit of ``uncertainty``.
    """
    points = []
    for tau in sorted(set(thresholds)):
        inside = uncertainty > tau
        share = wilson(int(inside.sum()), len(inside))
        within = wilson(int(is_error[inside].sum()), int(inside.sum()))
        without = wilson(int(is_error[~inside].sum()), int((~inside).sum()))
        points.append(
            SweepPoint(
                tau=float(tau),
                share=share.value,
                low=share.low,
                high=share.high,
                n_inside=within.n,
                error_inside=within.value,
                error_inside_low=within.low,
                error_inside_high=within.high,
                error_outside=without.value,
                error_outside_low=without.low,
                error_outside_high=without.high,
            )
        )
    return tuple(points)


def swept_thresholds(shares: Iterable[float], classes: int) -> tuple[float, ...]:
    """Return thresholds as shares of ln(classes), the entropy of knowing nothing."""
    return tuple(share * math.log(max(2, classes)) for share in shares)
