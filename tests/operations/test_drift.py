"""The distances against SciPy, and their silence under chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from activesynth.operations.drift import (
    ALPHA,
    class_drift,
    feature_drift,
    summary_features,
)
from fakes import make_pictures


def test_feature_drift_is_the_largest_ks_distance_beyond_its_critical_value() -> None:
    rng = np.random.default_rng(0)
    old, new = rng.normal(0, 1, (400, 3)), rng.normal(0.7, 1, (300, 3))
    columns = zip(summary_features(old).T, summary_features(new).T, strict=True)
    largest = max(ks_2samp(a, b).statistic for a, b in columns)
    critical = np.sqrt(-np.log(ALPHA / 2 / 5) / 2) * np.sqrt(700 / (400 * 300))

    drift = feature_drift(old, new)

    assert drift == pytest.approx(largest - critical)
    assert drift > 0.1


def test_draws_from_one_distribution_rarely_drift() -> None:
    alarms = [
        feature_drift(make_pictures(200, seed=seed), make_pictures(60, seed=seed + 500)) > 0.02
        for seed in range(60)
    ]

    assert np.mean(alarms) <= 0.05


def test_class_drift_tends_to_the_total_variation_distance() -> None:
    old, new = np.repeat([0, 1], [80_000, 20_000]), np.repeat([0, 1], [30_000, 70_000])

    assert class_drift(old, new, 2) == pytest.approx(0.5, abs=0.01)


def test_class_shares_of_few_rows_prove_nothing() -> None:
    old = np.arange(300) % 3

    assert class_drift(old, np.array([0, 0]), 3) == 0.0
    assert class_drift(old, np.array([-1, -1]), 3) == 0.0


def test_summaries_of_pictures_hold_the_means_of_a_coarse_grid() -> None:
    x = make_pictures(5)

    features = summary_features(x)

    assert features.shape == (5, 18)
    assert features[:, 0] == pytest.approx(x.mean(axis=(1, 2, 3)))
    assert features[:, 2] == pytest.approx(x[:, :2, :2, 0].mean(axis=(1, 2)))


def test_no_arrivals_are_no_drift() -> None:
    assert feature_drift(make_pictures(5), make_pictures(0)) == 0.0
