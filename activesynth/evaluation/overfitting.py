"""Whether training on synthetic rows taught a model the generator instead of the world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.metrics import SMALLEST_PROBABILITY
from activesynth.statistics.intervals import Interval
from activesynth.statistics.means import difference, grouped_mean

MIN_GROUPS = 10
"""Fewest groups on a side for a mean loss whose interval means anything."""


@dataclass(frozen=True, slots=True)
class Overfitting:
    """What a model gained over one that saw no synthetic row, in nats per row.

    Attributes:
        real: Loss without minus loss with synthetic training, on real rows; above 0 it helped.
        synthetic: The same on synthetic rows that neither model was trained on.
        gap: ``synthetic - real``: what was learnt of the generator and not of the world.
    """

    real: Interval
    synthetic: Interval
    gap: Interval

    def exceeds(self, limit: float) -> bool:
        """Tell whether the gap lies beyond ``limit`` nats with its whole interval, to no avail.

        A model that gained on real rows as well has learnt something; only one that did not has
        overfitted.
        """
        return self.gap.low > limit and self.real.value <= 0.0


def row_losses(y: Array, probs: Array) -> Array:
    """Return the cross entropy per row in nats, averaged over replicates, ``(n,)``.

    Probabilities count as at least 1e-12, as in the metric ``nll``.

    Args:
        y: Labels, ``(n,)``.
        probs: Class probabilities, ``(replicates, n, classes)``.

    Raises:
        ShapeError: If the two do not align.
    """
    if probs.ndim != 3 or probs.shape[1] != len(y):
        raise ShapeError(
            f"losses need probabilities of shape (replicates, {len(y)} rows, classes), got "
            f"{probs.shape}."
        )
    true = probs[:, np.arange(len(y)), y]
    losses: Array = -np.log(np.clip(true, SMALLEST_PROBABILITY, 1.0)).mean(axis=0)
    return losses


def measure_overfitting(
    real_gain: Array, real_groups: Array, synthetic_gain: Array, synthetic_groups: Array
) -> Overfitting | NotEstimable:
    """Compare what synthetic training gained on real and on synthetic rows.

    Args:
        real_gain: Loss of a model without minus loss of one with synthetic training, per real row
            that neither was trained on, ``(n,)``.
        real_groups: What must stay together, ``(n,)``.
        synthetic_gain: The same per synthetic row that neither was trained on, ``(m,)``.
        synthetic_groups: What must stay together, ``(m,)``.

    Returns:
        The gains with intervals over rows, for these models; or :class:`NotEstimable` with fewer
        than 10 groups on a side.

    Raises:
        ShapeError: If a gain is not finite, or groups do not align.
    """
    n = min(len(np.unique(groups)) for groups in (real_groups, synthetic_groups))
    if n < MIN_GROUPS:
        return NotEstimable("overfitting to synthetic rows", n, MIN_GROUPS)
    real = grouped_mean(real_gain, real_groups)
    synthetic = grouped_mean(synthetic_gain, synthetic_groups)
    return Overfitting(real, synthetic, difference(synthetic, real))
