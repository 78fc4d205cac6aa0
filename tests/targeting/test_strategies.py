"""Query strategies against closed forms and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import entropy as scipy_entropy

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import SelectionContext
from activesynth.domain.registry import Catalog
from activesynth.errors import ConfigurationError
from activesynth.targeting.diversity import gradient_kmeans_pp, greedy_k_center
from activesynth.targeting.parameters import ScoreParameters
from activesynth.targeting.registry import STRATEGIES
from activesynth.targeting.strategies import (
    Badge,
    Bald,
    CoreSet,
    Entropy,
    Margin,
    Random,
    Score,
)

CATALOG = Catalog({"strategy": STRATEGIES})


def make_context(
    rows: int = 40, classes: int = 4, labelled: int = 5, seed: int = 0
) -> SelectionContext:
    rng = np.random.default_rng(seed)
    draws = rng.dirichlet(np.full(classes, 0.5), size=(6, rows))
    embeddings = rng.normal(size=(rows, 3))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return SelectionContext(
        probs=draws.mean(axis=0),
        draws=draws,
        embeddings=embeddings.astype(np.float32),
        centroids=rng.normal(size=(4, 3)),
        labelled=rng.normal(size=(labelled, 3)),
    )


def test_entropy_orders_by_scipys_entropy() -> None:
    context = make_context()

    expected = np.argsort(-scipy_entropy(context.probs, axis=1))
    assert np.array_equal(Entropy().select(context, 40, seed=0), expected)


def test_margin_orders_by_the_gap_between_the_two_best_classes() -> None:
    context = make_context()
    gap = [sorted(row)[-1] - sorted(row)[-2] for row in context.probs.tolist()]

    assert np.array_equal(Margin().select(context, 40, seed=0), np.argsort(gap))


def test_bald_prefers_disagreement_over_shared_hesitation() -> None:
    agree = np.full((4, 2), 0.5)
    disagree = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    draws = np.stack([agree, disagree], axis=1)
    context = make_context(2, 2)
    context = SelectionContext(draws.mean(axis=0), draws, context.embeddings, *_rest(context))

    assert Bald().select(context, 2, seed=0).tolist() == [1, 0]


def _rest(context: SelectionContext) -> tuple[Array, Array]:
    return context.centroids, context.labelled


def test_random_chooses_every_row_equally_often() -> None:
    context = make_context(10)
    hits = np.zeros(10)
    for seed in range(2000):
        hits[Random().select(context, 3, seed=seed)] += 1

    assert (np.abs(hits / 2000 - 0.3) < 4.5 * np.sqrt(0.21 / 2000)).all()


def brute_force_k_center(points: Array, covered: Array, count: int) -> list[int]:
    chosen: list[int] = []
    for _ in range(count):
        anchors = np.concatenate([covered, points[chosen]])
        distance = cdist(points, anchors).min(axis=1)
        distance[chosen] = -1
        chosen.append(int(distance.argmax()))
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_core_set_equals_the_greedy_brute_force(seed: int) -> None:
    context = make_context(60, seed=seed)
    expected = brute_force_k_center(
        context.embeddings.astype(np.float64), context.labelled.astype(np.float64), 20
    )

    assert CoreSet().select(context, 20, seed=0).tolist() == expected


def test_core_set_covers_within_twice_the_best_radius() -> None:
    points = np.random.default_rng(0).normal(size=(14, 2))
    chosen = greedy_k_center(points, np.zeros((0, 2)), 3, seed=0)
    distances = cdist(points, points)
    best = min(
        distances[:, c].min(axis=1).max() for c in map(list, itertools.combinations(range(14), 3))
    )

    assert distances[:, chosen].min(axis=1).max() <= 2 * best + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_badge_equals_kmeans_pp_on_the_explicit_gradients(seed: int) -> None:
    context = make_context(30, seed=seed)
    errors = context.probs - np.eye(4)[context.probs.argmax(axis=1)]
    gradients = np.einsum("nc,nd->ncd", errors, context.embeddings).reshape(30, -1)
    rng = np.random.default_rng(seed)
    expected = [int((gradients**2).sum(axis=1).argmax())]
    while len(expected) < 12:
        nearest = (cdist(gradients, gradients[expected]) ** 2).min(axis=1)
        cumulated = np.cumsum(nearest)
        expected.append(int(np.searchsorted(cumulated, rng.random() * cumulated[-1], "right")))

    assert Badge().select(context, 12, seed=seed).tolist() == expected


def test_badge_takes_one_row_from_each_uncertain_group_and_at_most_one_certain_row() -> None:
    directions = np.repeat(np.eye(3), 30, axis=0)
    embeddings = np.concatenate([directions, directions])
    probs = np.array([[0.5, 0.5]] * 90 + [[1.0, 0.0]] * 90)  # certain rows: gradient zero
    for seed in range(30):
        chosen = gradient_kmeans_pp(probs, embeddings, 4, seed=seed)

        assert sorted(np.minimum(chosen // 30, 3).tolist()) == [0, 1, 2, 3]


def test_badge_asks_about_more_uncertain_rows_than_chance() -> None:
    rng = np.random.default_rng(0)
    probs = np.concatenate([np.tile([0.98, 0.01, 0.01], (180, 1)), rng.dirichlet([5, 5, 5], 20)])
    embeddings = rng.normal(size=(200, 6))
    shares = [
        (gradient_kmeans_pp(probs, embeddings, 10, seed=seed) >= 180).mean() for seed in range(20)
    ]

    assert np.mean(shares) > 0.7  # a tenth of the rows


def test_score_with_alpha_one_orders_like_entropy_and_with_zero_like_distance() -> None:
    context = make_context()
    distance = cdist(context.embeddings, context.centroids).min(axis=1)
    uncertain = Score(ScoreParameters(alpha=1.0)).select(context, 40, seed=0)
    distant = Score(ScoreParameters(alpha=0.0)).select(context, 40, seed=0)

    assert np.array_equal(uncertain, Entropy().select(context, 40, seed=0))
    assert np.array_equal(distant, np.argsort(-distance))


def test_score_is_a_mean_of_ranks_between_zero_and_one() -> None:
    context = make_context()
    alone = [Score(ScoreParameters(alpha=a)).scores(context) for a in (0.0, 1.0)]
    mixed = Score(ScoreParameters(alpha=0.3)).scores(context)

    assert np.allclose(mixed, 0.7 * alone[0] + 0.3 * alone[1])
    assert mixed.min() >= 0
    assert mixed.max() <= 1


def test_a_sampled_score_does_not_simply_take_the_top() -> None:
    context = make_context()
    top = set(Score(ScoreParameters()).select(context, 10, seed=0).tolist())
    overlaps = [
        len(top & set(Score(ScoreParameters(is_sampled=True)).select(context, 10, seed=s).tolist()))
        for s in range(20)
    ]

    assert 2.5 < np.mean(overlaps) < 8


def test_alpha_outside_the_unit_interval_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"strategy\.parameters\.alpha"):
        CATALOG.check("strategy", "score", {"alpha": 1.5})
    with pytest.raises(ConfigurationError, match="takes no parameters"):
        CATALOG.check("strategy", "badge", {"alpha": 0.5})
