"""The bias-amplification alarm: whether synthetic rows make what is rare rarer still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.records import MetricRow
from activesynth.errors import ShapeError
from activesynth.statistics.intervals import Interval, wilson
from activesynth.statistics.tests import ExcessError, excess_error

ALARM_ALPHA = 0.05
LOOKS = 2
"""Clusters and classes are both looked at; the alarm's error rate is split over the two."""


@dataclass(frozen=True, slots=True)
class Amplification:
    """The under-represented groups together: their share of real rows, and of all with synthetic.

    Attributes:
        groups: Which clusters or classes are under-represented among the real rows.
        real: Their share of the real rows.
        mixed: Their share of real and synthetic rows together.
        loss: Their share of real rows minus that of synthetic rows, with interval and one-sided
            p-value; above 0 the synthetic rows neglect them.
    """

    groups: tuple[int, ...]
    real: Interval
    mixed: Interval
    loss: ExcessError

    @property
    def is_alarming(self) -> bool:
        """Tell whether the synthetic rows neglect the rare groups beyond chance."""
        return self.loss.p_value < ALARM_ALPHA / LOOKS


def measure_amplification(
    real: Array, synthetic: Array, count: int, delta: float
) -> Amplification | None:
    """Compare how often under-represented groups occur in real and in synthetic rows.

    A group is under-represented when its share of the real rows is below ``delta`` or below half
    of an even share. Mixing in synthetic rows lowers the share of such groups exactly when they
    are rarer among the synthetic rows, so that is what is tested. Groups are pooled: a single
    rare group has too few rows to say anything about.

    Args:
        real: Cluster or class of each real row, ``(n,)``, in ``[0, count)``.
        synthetic: The same of each synthetic row, ``(m,)``.
        count: Number of clusters or classes.
        delta: Share below which a group counts as rare however many groups there are.

    Returns:
        None where there is nothing to compare: no rows on one side, or no group that is rare.

    Raises:
        ShapeError: If ``count`` is below 1.
    """
    if count < 1:
        raise ShapeError(f"measure_amplification needs at least 1 group, got {count}.")
    if not len(real) or not len(synthetic):
        return None
    shares = np.bincount(real, minlength=count) / len(real)
    rare = np.flatnonzero(shares < max(delta, 0.5 / count))
    if not len(rare):
        return None
    in_real, in_synthetic = (int(np.isin(rows, rare).sum()) for rows in (real, synthetic))
    return Amplification(
        groups=tuple(rare.tolist()),
        real=wilson(in_real, len(real)),
        mixed=wilson(in_real + in_synthetic, len(real) + len(synthetic)),
        loss=excess_error(in_real, len(real), in_synthetic, len(synthetic), 0.0),
    )


def amplification_rows(found: Amplification, name: str) -> list[MetricRow]:
    """Return the numbers of one comparison as metrics of slice ``name``."""
    loss, rows = found.loss, found.mixed.n - found.real.n
    shares = (("real", found.real), ("targeted", found.mixed))
    return [
        *(
            MetricRow(arm, "train", name, "share", one.value, one.low, one.high, one.n)
            for arm, one in shares
        ),
        MetricRow(
            "targeted", "train", name, "bias_amplification", loss.gap, loss.low, loss.high, rows
        ),
        MetricRow("targeted", "train", name, "bias_alarm", float(found.is_alarming), n=rows),
    ]
