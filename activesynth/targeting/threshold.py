"""A threshold of uncertainty that learns from what it bought: a bandit over a small grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError

DISCOUNT = 0.8  # per iteration: which tau is best moves with the model
SPREAD = 0.02  # by how much lifts of two thresholds are expected to differ: two points
NOISE = 0.02  # standard error of a measured lift

Rewards = Sequence[tuple[int, float, float]]


@dataclass(frozen=True, slots=True)
class TauBelief:
    """What is believed of the lift at every threshold of a grid.

    Attributes:
        mean: Posterior means, ``(k,)``, in units of the lift.
        sd: Posterior standard deviations, ``(k,)``, positive and at most the prior's.
    """

    mean: Array
    sd: Array


def believe_tau(
    grid: Array,
    history: Rewards,
    *,
    discount: float = DISCOUNT,
    spread: float = SPREAD,
    noise: float = NOISE,
) -> TauBelief:
    """Update a normal prior of each threshold's lift with discounted measurements.

    The prior mean is the discounted mean of all measured lifts, so a threshold that was not tried
    lately is again expected to be as good as any, and is tried again sooner or later.

    Args:
        grid: Distinct thresholds, ``(k,)``, at least one.
        history: (iteration, threshold, measured lift), any order; other thresholds are ignored.
        discount: Weight of a measurement per iteration of age, in ``(0, 1]``.
        spread: Standard deviation of the prior, positive, in units of the lift.
        noise: Standard error of one measurement, positive.

    Raises:
        InputError: If the grid is empty or holds a threshold twice, or a parameter is out of range.

    References:
        Raj and Kalyani 2017, arXiv:1707.09727 (discounted Thompson sampling); Garivier and
        Moulines 2008, arXiv:0805.3415 (discounting in drifting bandits).
    """
    grid = np.asarray(grid, np.float64)
    if grid.ndim != 1 or not len(grid) or len(np.unique(grid)) < len(grid):
        raise InputError(
            f"a grid of thresholds needs at least one and each once, got {grid.tolist()}.",
            reason="tau",
        )
    if not (0.0 < discount <= 1.0 and spread > 0.0 and noise > 0.0):
        raise InputError(
            f"discount must lie in (0, 1], spread and noise above 0, got {discount:g}, {spread:g} "
            f"and {noise:g}.",
            reason="tau",
        )
    newest = max((iteration for iteration, _, _ in history), default=0)
    weight, total = np.zeros(len(grid)), np.zeros(len(grid))
    for iteration, tau, lift in history:
        place = np.flatnonzero(grid == tau)
        weight[place] += discount ** (newest - iteration)
        total[place] += discount ** (newest - iteration) * lift
    usual = total.sum() / weight.sum() if weight.any() else 0.0
    precision = 1.0 / spread**2 + weight / noise**2
    return TauBelief((usual / spread**2 + total / noise**2) / precision, precision**-0.5)


def choose_tau(
    grid: Array,
    history: Rewards,
    *,
    seed: int,
    discount: float = DISCOUNT,
    spread: float = SPREAD,
    noise: float = NOISE,
) -> float:
    """Return the threshold to diagnose with next, by one Thompson draw.

    The size of the uncertain region at a threshold that moves says nothing about convergence:
    follow it at a fixed one besides.

    Args:
        grid: As in :func:`believe_tau`.
        history: As there.
        seed: Seed of the draw; another one for every iteration.
        discount: As there.
        spread: As there.
        noise: As there.
    """
    belief = believe_tau(grid, history, discount=discount, spread=spread, noise=noise)
    draw = np.random.default_rng(seed).normal(belief.mean, belief.sd)
    return float(np.asarray(grid, np.float64)[int(draw.argmax())])
