"""The uncertain region at several thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from activesynth.diagnosis.sweep import sweep_tau, swept_thresholds
from evidence_cases import make_evidence, run


def test_shares_and_errors_are_those_of_the_rows_above_each_threshold() -> None:
    uncertainty = np.array([0.1, 0.2, 0.3, 0.4])
    is_error = np.array([False, True, False, True])

    low, middle, high = sweep_tau(uncertainty, is_error, [0.35, 0.15, 9.0])

    assert (low.tau, middle.tau, high.tau) == (0.15, 0.35, 9.0)
    assert (low.share, low.n_inside) == (0.75, 3)
    assert [low.error_inside, low.error_outside] == pytest.approx([2 / 3, 0.0])
    assert [middle.error_inside, middle.error_outside] == pytest.approx([1.0, 1 / 3])
    assert (high.share, high.error_inside_low, high.error_inside_high) == (0.0, 0.0, 1.0)


def test_the_intervals_are_wilsons() -> None:
    uncertainty = np.linspace(0, 1, 50)

    (point,) = sweep_tau(uncertainty, uncertainty > 0.8, [0.5])

    expected = binomtest(25, 50).proportion_ci(method="wilson")
    assert (point.low, point.high) == pytest.approx((expected.low, expected.high))


def test_thresholds_are_shares_of_the_largest_entropy() -> None:
    assert swept_thresholds([0.1, 1.0], 10) == pytest.approx((0.1 * math.log(10), math.log(10)))


def test_the_profile_holds_the_sweep_and_the_share_falls_with_tau() -> None:
    profile = run(make_evidence(uncertain_rate=0.6), sweep=(0.9, 0.1, 0.5))

    shares = [point.share for point in profile.sweep]
    assert [point.tau for point in profile.sweep] == [0.1, 0.5, 0.9]
    assert shares == sorted(shares, reverse=True)
    assert profile.sweep[-1].error_inside_low > profile.sweep[-1].error_outside_high
