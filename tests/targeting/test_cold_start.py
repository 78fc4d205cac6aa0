"""TypiClust, ProbCover and the core-set against scikit-activeml; draws against their chances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge as TheirBadge
from skactiveml.pool import CoreSet as TheirCoreSet
from skactiveml.pool import ProbCover as TheirProbCover
from skactiveml.pool import TypiClust as TheirTypiClust
from sklearn.linear_model import LogisticRegression

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import SelectionContext
from activesynth.errors import InputError
from activesynth.targeting.covering import greedy_cover, pure_radius
from activesynth.targeting.diversity import ROWS, gradient_kmeans_pp, greedy_k_center
from activesynth.targeting.parameters import MixedParameters, ProbCoverParameters
from activesynth.targeting.strategies import Mixed, ProbCover, Proportional
from activesynth.targeting.typicality import typical_rows, typicality
from activesynth.uncertainty.scores import predictive_entropy

SEEDS = range(5)


def make_groups(sizes: list[int], seed: int, spread: float = 0.3) -> Array:
    """Return points in groups so far apart that every clustering agrees on them."""
    rng = np.random.default_rng(seed)
    centres = 20.0 * np.arange(len(sizes))
    return np.concatenate(
        [rng.normal(centre, spread, (n, 2)) for centre, n in zip(centres, sizes, strict=True)]
    )


def answered(points: Array, labelled: list[int]) -> Array:
    y = np.full(len(points), np.nan)
    y[labelled] = 0
    return y


@pytest.mark.parametrize("seed", SEEDS)
def test_typiclust_chooses_what_scikit_activeml_chooses(seed: int) -> None:
    sizes = [30, 24, 18, 12, 9]
    points = make_groups(sizes, seed)
    labelled = [0, 60]  # one row of the first and one of the third group
    theirs = TheirTypiClust(k=5, random_state=seed).query(
        points, answered(points, labelled), batch_size=3
    )
    rest = np.delete(np.arange(len(points)), labelled)
    ours = rest[typical_rows(points[rest], points[labelled], 3, seed=seed, neighbours=5)]

    assert ours.tolist() == theirs.tolist()
    assert np.searchsorted(np.cumsum(sizes), ours, side="right").tolist() == [1, 3, 4]


@pytest.mark.parametrize("neighbours", [3, 20, 500])
def test_typicality_is_one_over_the_mean_distance_to_the_nearest(neighbours: int) -> None:
    points = np.random.default_rng(0).normal(size=(40, 3))
    near = np.sort(cdist(points, points), axis=1)[:, 1 : neighbours + 1]

    np.testing.assert_allclose(typicality(points, neighbours), 1 / near.mean(axis=1), rtol=1e-5)


def test_identical_rows_are_typical_and_no_division_fails() -> None:
    dense = typicality(np.zeros((4, 2)), 3)

    assert np.isfinite(dense).all()
    assert (dense > 1e6).all()
    with pytest.raises(InputError, match="at least 1 neighbour"):
        typicality(np.zeros((4, 2)), 0)


def test_small_clusters_are_asked_about_only_when_the_others_are_used_up() -> None:
    points = make_groups([12, 10, 4], 0)
    chosen = typical_rows(points, points[:0], 3, seed=0, neighbours=5)
    everything = typical_rows(points, points[:0], 26, seed=0, neighbours=5)

    assert (chosen < 22).all()
    assert sorted(everything.tolist()) == list(range(26))


def probcover_utilities(points: Array, labelled: list[int], radius: float) -> Array:
    strategy = TheirProbCover(n_classes=2, deltas=[radius], random_state=0)
    y = answered(points, labelled)
    utilities: Any = strategy.query(points, y, batch_size=1, return_utilities=True)[1]
    return np.asarray(utilities[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_every_row_of_probcover_has_the_highest_utility_of_scikit_activeml(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(60, 2))
    rest, labelled = points[4:], points[:4]
    chosen = greedy_cover(rest, labelled, 20, radius=0.5, seed=seed)

    known = list(range(4))
    for row in (chosen + 4).tolist():
        utilities = probcover_utilities(points, known, 0.5)
        assert utilities[row] == np.nanmax(utilities)
        known.append(row)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_pure_radius_is_the_last_step_of_a_grid_at_which_enough_balls_are_pure(
    seed: int,
) -> None:
    points = np.random.default_rng(seed).normal(size=(80, 2))
    radius = pure_radius(points, 3, seed=seed)
    grid = np.arange(0.005, 3.0, 0.005)
    theirs = TheirProbCover(
        n_classes=3, deltas=grid, random_state=seed, cluster_algo_dict={"n_init": 1}
    )
    theirs.query(points, answered(points, []), batch_size=1)

    assert theirs.delta_max_ <= radius < theirs.delta_max_ + 0.005


def test_one_cluster_is_pure_at_any_radius_and_one_ball_then_covers_all() -> None:
    points = np.random.default_rng(0).normal(size=(10, 2))

    assert pure_radius(points, 1, seed=0) == np.inf
    assert pure_radius(np.zeros((5, 2)), 3, seed=0) == np.inf
    assert len(set(greedy_cover(points, points[:0], 10, radius=np.inf, seed=0).tolist())) == 10


def test_probcover_takes_the_densest_group_first_and_every_group_once() -> None:
    sizes = [20, 12, 8]
    points = make_groups(sizes, 0)
    probs = np.full((40, 3), 1 / 3)
    context = SelectionContext(probs, probs[None], points, points[:1], np.zeros((0, 2)))

    chosen = ProbCover(ProbCoverParameters()).select(context, 3, seed=0)

    assert np.searchsorted(np.cumsum(sizes), chosen, side="right").tolist() == [0, 1, 2]


@pytest.mark.parametrize("seed", SEEDS)
def test_core_set_chooses_exactly_what_scikit_activeml_chooses(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(80, 4))
    theirs = TheirCoreSet(random_state=seed).query(
        points, answered(points, list(range(6))), batch_size=25
    )
    ours = greedy_k_center(points[6:], points[:6], 25, seed=seed)

    assert (ours + 6).tolist() == theirs.tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_badge_starts_where_scikit_activeml_starts(seed: int) -> None:
    """Only there: for the second row theirs also counts the distance to the origin."""
    points = np.random.default_rng(seed).normal(size=(60, 4))
    y = answered(points, list(range(10)))
    y[:10] = np.arange(10) % 3
    model = SklearnClassifier(LogisticRegression(), classes=[0, 1, 2], random_state=seed)
    theirs = TheirBadge(random_state=seed).query(points, y, model.fit(points, y), fit_clf=False)
    probs = np.asarray(model.predict_proba(points[10:]))

    assert gradient_kmeans_pp(probs, points[10:], 1, seed=seed)[0] + 10 == theirs[0]


def make_candidates() -> SelectionContext:
    probs = np.array([[0.5, 0.5], [0.9, 0.1], [0.99, 0.01], [1.0, 0.0]])
    return SelectionContext(probs, probs[None], np.eye(4), np.eye(4), np.zeros((0, 4)))


def test_proportional_draws_in_proportion_to_entropy() -> None:
    context = make_candidates()
    first = [int(Proportional().select(context, 1, seed=seed)[0]) for seed in range(1500)]
    shares = predictive_entropy(context.probs[None])
    shares = shares / shares.sum()
    found = np.bincount(first, minlength=4) / 1500

    assert (np.abs(found - shares) <= 4.5 * np.sqrt(shares * (1 - shares) / 1500)).all()


def test_mixed_draws_its_share_by_entropy_and_the_rest_evenly() -> None:
    context = make_candidates()
    halves = np.array(
        [Mixed(MixedParameters()).select(context, 2, seed=seed) for seed in range(1500)]
    )
    second = np.bincount(halves[:, 1], minlength=4) / 1500
    first = predictive_entropy(context.probs[None])
    first = first / first.sum()
    expected = (1 - first) / 3  # evenly over the three that the first draw left

    assert np.abs(np.bincount(halves[:, 0], minlength=4) / 1500 - first).max() < 0.055
    assert np.abs(second - expected).max() < 0.055


@pytest.mark.parametrize(("share", "sure"), [(0.0, 1 / 4), (1.0, 0.0)])
def test_the_share_of_mixed_reaches_from_random_to_proportional(share: float, sure: float) -> None:
    context = make_candidates()
    strategy = Mixed(MixedParameters(share=share))
    last = [int(strategy.select(context, 1, seed=seed)[0]) == 3 for seed in range(1500)]

    assert np.mean(last) == pytest.approx(sure, abs=0.05)


def test_core_set_in_blocks_chooses_what_one_table_of_all_differences_chooses() -> None:
    rng = np.random.default_rng(0)
    points = rng.integers(0, 4, (ROWS + 300, 48)).astype(np.float32)  # with copies and many ties
    points[ROWS:] = points[:300]
    covered = points[5:40] + np.float32(0.5)

    chosen = greedy_k_center(points, covered, 30, seed=0)

    distance = cdist(points, covered).min(axis=1)
    for row in chosen.tolist():
        assert distance[row] == pytest.approx(distance.max(), rel=1e-12)
        step = np.sqrt(((points.astype(np.float64) - points[row]) ** 2).sum(axis=1))
        distance = np.minimum(distance, step)
        distance[row] = -1.0
