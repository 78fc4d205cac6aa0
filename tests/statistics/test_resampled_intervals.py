"""Intervals: closed forms, coverage by simulation, groups, replicates, and the fast path."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Metric
from activesynth.errors import ShapeError
from activesynth.evaluation.metrics import (
    Accuracy,
    BalancedAccuracy,
    ExpectedCalibrationError,
    MacroF1,
    NegativeLogLikelihood,
)
from activesynth.statistics.intervals import (
    bootstrap,
    paired_bootstrap,
    percentile_interval,
    wilson,
)
from activesynth.statistics.resampling import Resampler, resampled_values

METRICS = [
    Accuracy(),
    BalancedAccuracy(),
    MacroF1(),
    ExpectedCalibrationError(),
    NegativeLogLikelihood(),
]


def make_probs(
    y: Array, *, classes: int, strength: float, replicates: int = 3, seed: int = 0
) -> Array:
    logits = np.random.default_rng(seed).normal(size=(replicates, len(y), classes))
    logits[:, np.arange(len(y)), y] += strength
    odds = np.exp(logits)
    probs: Array = odds / odds.sum(axis=2, keepdims=True)
    return probs


def as_probs(hit: Array) -> Array:
    """Return two-class probabilities that are right exactly where ``hit``, for labels 0."""
    return np.stack([hit, ~hit], axis=-1).astype(float)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(counts: tuple[int, int]) -> None:
    successes, n = counts
    found = wilson(successes, n, 0.9)

    expected = binomtest(successes, n).proportion_ci(0.9, "wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.low <= found.value <= found.high


def test_wilson_of_no_trials_is_the_whole_range() -> None:
    found = wilson(0, 0)

    assert (found.low, found.high, found.n) == (0.0, 1.0, 0)


def test_wilson_refuses_more_successes_than_trials() -> None:
    with pytest.raises(ShapeError, match="got 3 of 2"):
        wilson(3, 2)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_reweighted_sums_equal_the_metric_on_repeated_rows(metric: Metric) -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(4, size=60)
    probs = make_probs(y, classes=4, strength=1.0, replicates=1)[0]
    counts = rng.integers(0, 3, size=60)
    rows = np.repeat(np.arange(60), counts)

    terms = metric.row_terms(y, probs)  # type: ignore[attr-defined]
    from_weights = metric.from_sums(counts @ terms)  # type: ignore[attr-defined]

    assert from_weights == pytest.approx(metric(y[rows], probs[rows]), rel=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_fast_path_agrees_with_resampling_rows(metric: Metric) -> None:
    y = np.arange(300) % 3
    probs = make_probs(y, classes=3, strength=1.5, replicates=2)
    plain: Callable[[Array, Array], float] = lambda y, p: metric(y, p)  # noqa: E731
    groups = np.arange(300)

    fast = bootstrap(metric, y, probs, groups, resamples=2000, seed=0)
    slow = bootstrap(plain, y, probs, groups, resamples=2000, seed=0)

    assert fast.value == slow.value
    width = slow.high - slow.low
    assert fast.low == pytest.approx(slow.low, abs=0.12 * width)
    assert fast.high == pytest.approx(slow.high, abs=0.12 * width)


def test_the_interval_of_accuracy_covers_the_truth_as_often_as_promised() -> None:
    rng = np.random.default_rng(2)
    trials, n, rate = 400, 80, 0.8
    y, groups = np.zeros(n, dtype=np.int64), np.arange(n)

    covered = 0
    for _ in range(trials):
        probs = as_probs(rng.random(n) < rate)[None]
        found = bootstrap(Accuracy(), y, probs, groups, resamples=400, seed=0)
        covered += found.low <= rate <= found.high

    # 3 standard errors over 400 trials (0.033), and 0.01 for the percentile method at n = 80.
    assert 0.95 - 0.043 <= covered / trials <= 0.95 + 0.033


def test_rows_of_a_group_move_together() -> None:
    rng = np.random.default_rng(3)
    hit = np.repeat(rng.random(50) < 0.7, 8)
    y, probs = np.zeros(400, dtype=np.int64), as_probs(hit)[None]
    groups = np.repeat(np.arange(50), 8)

    grouped = bootstrap(Accuracy(), y, probs, groups, resamples=1000, seed=0)
    single = bootstrap(Accuracy(), y, probs, np.arange(400), resamples=1000, seed=0)

    # Eight copies of a row know no more than one: the interval is sqrt(8) times as wide.
    ratio = (grouped.high - grouped.low) / (single.high - single.low)
    assert ratio == pytest.approx(np.sqrt(8), rel=0.2)


def test_every_resample_keeps_the_class_proportions() -> None:
    y = np.repeat([0, 1, 2], [50, 8, 2])
    resampler = Resampler.over(y, np.arange(60), resamples=50, seed=0)

    weights = np.concatenate(list(resampler.group_weights()))

    for label, count in ((0, 50), (1, 8), (2, 2)):
        np.testing.assert_allclose(weights[:, y == label].sum(axis=1), count)


def test_a_rare_class_keeps_its_full_variance() -> None:
    y = np.zeros(4, dtype=np.int64)
    probs = as_probs(np.array([True, True, False, False]))[None]
    resampler = Resampler.over(y, np.arange(4), resamples=20_000, seed=0)

    values = resampled_values(Accuracy(), probs, resampler)

    # Unbiased variance of a mean of four: sample variance 1/3, divided by 4.
    assert values.var() == pytest.approx(1 / 12, rel=0.05)


def test_a_group_belongs_to_its_majority_class() -> None:
    y = np.array([0, 0, 1, 1, 1, 0])
    groups = np.array(["p", "p", "p", "q", "q", "q"])

    resampler = Resampler.over(y, groups, resamples=1, seed=0)

    assert [stratum.tolist() for stratum in resampler.strata] == [[0], [1]]


def test_chunks_do_not_change_how_much_is_drawn() -> None:
    y = np.zeros(300, dtype=np.int64)
    resampler = Resampler.over(y, np.arange(300), resamples=10, seed=0)

    weights = np.concatenate(list(resampler.group_weights(limit=1000)))

    assert weights.shape == (10, 300)
    assert len(np.unique(weights, axis=0)) == 10


def test_replicates_add_their_own_variance() -> None:
    y = np.zeros(40, dtype=np.int64)
    hits = np.zeros((4, 40), dtype=bool)
    for replicate, right in enumerate((10, 20, 30, 40)):
        hits[replicate, :right] = True
    resampler = Resampler.over(y, np.arange(40), resamples=20_000, seed=0)
    shares = resampler.replicate_weights(4)

    # Variance of a mean of four replicates with accuracies .25 .5 .75 1: s^2 / 4.
    spread = (shares @ np.array([0.25, 0.5, 0.75, 1.0])).var()

    assert spread == pytest.approx(np.var([0.25, 0.5, 0.75, 1.0], ddof=1) / 4, rel=0.05)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_deviations_by_groups_and_by_replicates_are_added() -> None:
    resampler = Resampler.over(np.zeros(9), np.arange(9), resamples=500, seed=0)
    by_groups = np.random.default_rng(0).normal(size=(500, 1))
    measured = np.array([0.1, 0.4, 0.7])

    joined = resampler.over_runs(by_groups + measured, measured)

    by_runs = resampler.replicate_weights(3) @ measured
    np.testing.assert_allclose(joined, by_groups[:, 0] + by_runs, atol=1e-12)


@pytest.mark.parametrize("run_deviation", [0.0, 0.02])
def test_the_interval_over_runs_covers_the_truth_at_least_as_often_as_promised(
    run_deviation: float,
) -> None:
    rng = np.random.default_rng(6)
    trials, n, rate = 300, 200, 0.8
    y = np.zeros(n, dtype=np.int64)

    covered = 0
    for _ in range(trials):
        rates = rate + run_deviation * rng.normal(size=(3, 1))
        probs = as_probs(rng.random((3, n)) < rates)
        found = bootstrap(Accuracy(), y, probs, np.arange(n), resamples=300, seed=0)
        covered += found.low <= rate <= found.high

    # 3 standard errors of a share of 0.95 over 300 trials are 0.038.
    assert covered / trials >= 0.95 - 0.038


def test_runs_that_differ_by_noise_alone_do_not_inflate_the_interval_threefold() -> None:
    rng = np.random.default_rng(7)
    n, rate = 400, 0.8
    y = np.zeros(n, dtype=np.int64)
    variances = []
    for _ in range(40):
        probs = as_probs(rng.random((3, n)) < rate)
        resampler = Resampler.over(y, np.arange(n), resamples=300, seed=0)
        variances.append(resampled_values(Accuracy(), probs, resampler).var())

    ratio = np.mean(variances) / (rate * (1 - rate) / (3 * n))

    # Twice the true variance; the product of both resamplings would give three times.
    assert ratio == pytest.approx(2.0, abs=0.4)


def test_equal_arms_differ_by_exactly_nothing() -> None:
    y = np.arange(90) % 3
    probs = make_probs(y, classes=3, strength=1.0)

    found = paired_bootstrap(MacroF1(), y, probs, probs, np.arange(90), resamples=200, seed=0)

    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_pairing_narrows_the_interval_of_similar_arms() -> None:
    y = np.zeros(300, dtype=np.int64)
    hit = np.random.default_rng(4).random(300) < 0.7
    better = hit.copy()
    better[np.flatnonzero(~hit)[:6]] = True
    first, second = as_probs(better)[None], as_probs(hit)[None]
    groups = np.arange(300)

    paired = paired_bootstrap(Accuracy(), y, first, second, groups, resamples=1000, seed=0)
    alone = bootstrap(Accuracy(), y, first, groups, resamples=1000, seed=0)

    assert paired.value == pytest.approx(0.02)
    assert paired.high - paired.low < 0.5 * (alone.high - alone.low)


def test_arms_with_different_numbers_of_replicates_can_be_compared() -> None:
    y = np.arange(90) % 3
    many = make_probs(y, classes=3, strength=2.0, replicates=3)
    one = make_probs(y, classes=3, strength=1.0, replicates=1, seed=9)

    found = paired_bootstrap(Accuracy(), y, many, one, np.arange(90), resamples=500, seed=0)

    expected = np.mean([Accuracy()(y, p) for p in many]) - Accuracy()(y, one[0])
    assert found.value == pytest.approx(float(expected))
    assert found.low < found.value < found.high


def test_a_one_sided_bound_is_nearer_than_a_two_sided_one() -> None:
    y = np.arange(200) % 2
    probs = make_probs(y, classes=2, strength=1.0)
    arguments = {"resamples": 1000, "seed": 0, "confidence": 0.95}

    two = bootstrap(Accuracy(), y, probs, np.arange(200), **arguments)  # type: ignore[arg-type]
    one = bootstrap(Accuracy(), y, probs, np.arange(200), one_sided=True, **arguments)  # type: ignore[arg-type]

    assert two.low < one.low < one.value < one.high < two.high


def test_equal_seeds_give_equal_intervals_and_others_do_not() -> None:
    y = np.arange(100) % 2
    probs = make_probs(y, classes=2, strength=1.0)

    first, again, other = (
        bootstrap(NegativeLogLikelihood(), y, probs, np.arange(100), resamples=200, seed=seed)
        for seed in (7, 7, 8)
    )

    assert first == again
    assert first != other


def test_a_bound_beyond_the_resamples_is_extrapolated() -> None:
    values = np.random.default_rng(0).normal(size=1000)

    found = percentile_interval(0.0, values, 50, confidence=0.9999, one_sided=True)

    assert found.low == pytest.approx(-3.72, abs=0.3)


def test_a_thousand_resamples_of_a_gate_take_well_under_two_seconds() -> None:
    y = np.arange(400) % 10
    probs = make_probs(y, classes=10, strength=2.0)

    started = time.perf_counter()
    bootstrap(MacroF1(), y, probs, np.arange(400), resamples=1000, seed=0)

    assert time.perf_counter() - started < 1.0


def test_arrays_that_do_not_align_are_refused() -> None:
    y = np.zeros(5, dtype=np.int64)

    with pytest.raises(ShapeError, match=r"probs\[None\]"):
        bootstrap(Accuracy(), y, np.ones((5, 2)), y, resamples=10, seed=0)
    with pytest.raises(ShapeError, match="one group per row"):
        bootstrap(Accuracy(), y, np.ones((1, 5, 2)), y[:3], resamples=10, seed=0)
