"""The threshold bandit follows a best threshold that moves, and pays little where none does."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from activesynth.errors import InputError
from activesynth.targeting.threshold import NOISE, SPREAD, believe_tau, choose_tau

GRID = np.array([0.05, 0.1, 0.2, 0.4, 0.8])
ITERATIONS = 60
SEEDS = 200
PEAK = 0.1


def drifting(t: int) -> float:
    """Return the best place on the grid: it walks from one end to the other."""
    return (len(GRID) - 1) * t / (ITERATIONS - 1)


def still(_: int) -> float:
    return 3.0


def lifts(best: Callable[[int], float]) -> np.ndarray:
    """Return the true lift of every threshold in every iteration, ``(iterations, grid)``."""
    where = np.array([best(t) for t in range(ITERATIONS)])
    return np.asarray(PEAK * np.exp(-((np.arange(len(GRID)) - where[:, None]) ** 2) / 2))


@cache
def earned(best: Callable[[int], float], seed: int) -> float:
    """Return the mean true lift of the bandit, which sees noisy ones only."""
    rng = np.random.default_rng([seed, 7])
    true, total = lifts(best), 0.0
    history: list[tuple[int, float, float]] = []
    for t in range(ITERATIONS):
        tau = choose_tau(GRID, history, seed=1000 * seed + t)
        lift = float(true[t, np.flatnonzero(tau == GRID)[0]])
        history.append((t, tau, lift + float(rng.normal(0.0, NOISE))))
        total += lift
    return total / ITERATIONS


@pytest.mark.parametrize("place", range(len(GRID)))
def test_where_the_best_threshold_drifts_the_bandit_beats_every_fixed_one(place: int) -> None:
    gain = np.array([earned(drifting, seed) for seed in range(SEEDS)])
    gain -= lifts(drifting)[:, place].mean()

    assert gain.mean() - 1.96 * gain.std(ddof=1) / SEEDS**0.5 > 0.0


def test_where_it_stands_still_the_bandit_loses_to_the_best_and_beats_the_average() -> None:
    mean = np.mean([earned(still, seed) for seed in range(50)])
    fixed = lifts(still).mean(axis=0)

    assert fixed.mean() + 0.02 < mean < fixed.max()


def test_beliefs_are_the_discounted_conjugate_update() -> None:
    history = [(0, 0.1, 0.04), (2, 0.1, 0.02), (2, 0.4, -0.02), (2, 0.3, 9.0)]
    belief = believe_tau(GRID, history, discount=0.5)
    weight, total = 0.25 + 1.0, 0.25 * 0.04 + 0.02
    usual = (total - 0.02) / (weight + 1.0)
    precision = 1 / SPREAD**2 + weight / NOISE**2

    assert belief.mean[1] == pytest.approx((usual / SPREAD**2 + total / NOISE**2) / precision)
    assert belief.sd[1] == pytest.approx(precision**-0.5)
    assert belief.mean[0] == pytest.approx(usual)
    assert belief.sd[0] == pytest.approx(SPREAD)


def test_what_was_found_long_ago_is_forgotten() -> None:
    fresh = believe_tau(GRID, [(0, 0.1, 0.1)])
    stale = believe_tau(GRID, [(0, 0.1, 0.1), (30, 0.4, 0.0)])

    assert stale.sd[1] > 0.99 * SPREAD > fresh.sd[1]
    assert stale.mean[1] < 0.01 < fresh.mean[1]


def test_before_anything_was_measured_every_threshold_is_as_likely() -> None:
    chosen = [choose_tau(GRID, [], seed=seed) for seed in range(2000)]
    shares = np.array([np.mean(np.array(chosen) == tau) for tau in GRID])

    assert np.abs(shares - 0.2).max() < 0.04


def test_equal_seeds_choose_equal_thresholds() -> None:
    history = [(0, 0.1, 0.02), (1, 0.2, 0.03)]

    assert choose_tau(GRID, history, seed=5) == choose_tau(GRID, history, seed=5)


def test_impossible_grids_and_parameters_are_refused() -> None:
    with pytest.raises(InputError, match="at least one and each once"):
        choose_tau(np.array([0.1, 0.1]), [], seed=0)
    with pytest.raises(InputError, match=r"discount must lie in \(0, 1\]"):
        choose_tau(GRID, [], seed=0, discount=0.0)
