"""Holm's correction, alpha spending, and the smallest lift a sample size can show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, norm

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.statistics.corrections import (
    alpha_at,
    effective_rows,
    holm,
    smallest_detectable_lift,
)

P_VALUES = arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 1))


def rejected_step_by_step(p_values: Array, alpha: float) -> set[int]:
    """Holm as he wrote it: reject while the smallest remaining one is small enough."""
    rejected: set[int] = set()
    for step, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] > alpha / (len(p_values) - step):
            break
        rejected.add(int(index))
    return rejected


@given(P_VALUES, st.sampled_from([0.01, 0.05, 0.2]))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values: Array, alpha: float) -> None:
    adjusted = holm(p_values)

    close = np.abs(adjusted - alpha) < 1e-9
    expected = rejected_step_by_step(p_values, alpha)
    assert {i for i in range(len(p_values)) if adjusted[i] <= alpha and not close[i]} <= expected
    assert expected <= {i for i in range(len(p_values)) if adjusted[i] <= alpha or close[i]}


@given(P_VALUES)
def test_holm_lies_between_the_p_value_and_bonferroni(p_values: Array) -> None:
    adjusted = holm(p_values)

    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(1, p_values * len(p_values))).all()


def test_holm_matches_a_worked_example() -> None:
    adjusted = holm(np.array([0.01, 0.04, 0.03, 0.005]))

    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])


def test_holm_of_nothing_is_nothing() -> None:
    assert holm(np.zeros(0)).shape == (0,)


def test_spending_over_many_looks_sums_to_alpha_and_never_beyond() -> None:
    spent = math.fsum(alpha_at(t, 0.05) for t in range(1, 20_001))

    assert 0.04999 < spent < 0.05


def test_looks_are_counted_from_one() -> None:
    with pytest.raises(ShapeError, match="counts looks from 1, got t=0"):
        alpha_at(0)


@pytest.mark.parametrize(("n", "psi"), [(100, 0.3), (270, 0.1), (2000, 0.08), (60, 0.5)])
def test_the_smallest_lift_solves_the_power_equation(n: int, psi: float) -> None:
    lift = smallest_detectable_lift(n, psi, alpha=0.05, power=0.8)

    needed = norm.ppf(0.95) * math.sqrt(psi) + norm.ppf(0.8) * math.sqrt(psi - lift**2)
    assert math.sqrt(n) * lift == pytest.approx(needed, rel=1e-9)


def test_the_smallest_lift_is_shown_as_often_as_promised() -> None:
    n, psi, trials = 400, 0.2, 4000
    lift = smallest_detectable_lift(n, psi, alpha=0.05, power=0.8)
    rng = np.random.default_rng(5)

    changed = rng.binomial(n, psi, trials)
    gained = rng.binomial(changed, (1 + lift / psi) / 2)
    shown = (2 * gained - changed) / np.sqrt(changed) > norm.ppf(0.95)

    # 4 standard errors of a share over 4000 trials are 0.025; the rest is the approximation.
    assert abs(shown.mean() - 0.8) < 0.04


@pytest.mark.parametrize("psi", [0.0, 0.02])
def test_a_lift_never_exceeds_what_one_sided_disagreement_allows(psi: float) -> None:
    lift = smallest_detectable_lift(80, psi)

    assert psi < lift < 0.2
    assert math.sqrt(80 * lift) == pytest.approx(
        norm.ppf(0.95) + norm.ppf(0.8) * math.sqrt(1 - lift), rel=1e-9
    )


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_the_smallest_lift_is_a_share_and_shrinks_with_more_rows(n: int, psi: float) -> None:
    lift = smallest_detectable_lift(n, psi)

    assert 0 < lift <= 1
    assert smallest_detectable_lift(4 * n, psi) <= lift + 1e-9


def test_no_rows_can_show_no_lift() -> None:
    with pytest.raises(ShapeError, match="at least 1 row"):
        smallest_detectable_lift(0, 0.1)


def test_balanced_classes_are_worth_their_rows_and_a_tiny_class_costs_most() -> None:
    assert effective_rows(np.repeat(np.arange(4), 25)) == pytest.approx(100)
    assert effective_rows(np.repeat([0, 1], [990, 10])) == pytest.approx(4 / (1 / 990 + 1 / 10))
    assert effective_rows(np.zeros(0)) == 0.0


def test_effective_rows_give_the_variance_of_balanced_accuracy() -> None:
    counts, recall = np.array([200, 20]), 0.7
    variance = sum(binom.var(n, recall) / n**2 for n in counts) / 4

    assert recall * (1 - recall) / effective_rows(np.repeat([0, 1], counts)) == pytest.approx(
        float(variance)
    )
