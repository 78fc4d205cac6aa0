"""Drawing in proportion to a score instead of taking the top."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError


def draw_in_proportion(scores: Array, count: int, *, seed: int, mix: float = 0.5) -> Array:
    """Return distinct rows, drawn one after the other in proportion to their score.

    The highest scores belong to broken samples more often than to useful ones, so nothing is
    ever taken because it is at the top. An exponential race draws without replacement in one
    pass: the arrival times Exp(1) / p are sorted.

    Args:
        scores: Non-negative finite scores, ``(n,)``. If all are zero, every row is as likely.
        count: How many rows to draw; all rows if there are fewer.
        seed: Seed of the draw.
        mix: Share of a uniform distribution in the draw, ``[0, 1]``; with 0 a row of score 0 is
            drawn only when no other is left.

    Returns:
        Row indices, ``(min(count, n),)`` int64, in the order they were drawn.

    Raises:
        InputError: If a score is negative or not finite, or ``mix`` lies outside ``[0, 1]``.

    References:
        Efraimidis and Spirakis 2006, doi:10.1016/j.ipl.2005.11.003.
    """
    scores = np.asarray(scores, np.float64)
    if not (np.isfinite(scores) & (scores >= 0.0)).all():
        raise InputError(
            "scores to draw from must be finite and not negative; shift or clip them first.",
            reason="scores",
        )
    if not 0.0 <= mix <= 1.0:
        raise InputError(f"mix must lie in [0, 1], got {mix:g}.", reason="mix")
    rows = len(scores)
    total = scores.sum()
    uniform = np.full(rows, 1.0 / max(rows, 1))
    shares = mix * uniform + (1.0 - mix) * (scores / total if total > 0 else uniform)
    arrival = np.random.default_rng(seed).exponential(size=rows)
    with np.errstate(divide="ignore"):
        arrival = np.log(arrival) - np.log(shares)  # in logs, tiny shares do not overflow
    order: Array = np.argsort(arrival, kind="stable")[: max(count, 0)]
    return order.astype(np.int64)
