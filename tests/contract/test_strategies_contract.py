"""What every registered query strategy promises, whatever it looks at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from activesynth.domain.exchange import SelectionContext
from activesynth.domain.ports import QueryStrategy
from activesynth.errors import InputError, ShapeError
from contract_cases import CATALOG

NAMES = CATALOG.names("strategy")


@pytest.fixture(params=NAMES)
def strategy(request: pytest.FixtureRequest) -> QueryStrategy:
    part: QueryStrategy = CATALOG.create("strategy", request.param)
    return part


def make_context(rows: int = 40, labelled: int = 5, classes: int = 4) -> SelectionContext:
    rng = np.random.default_rng(rows + labelled)
    draws = rng.dirichlet(np.full(classes, 0.5), size=(6, rows))
    return SelectionContext(
        probs=draws.mean(axis=0),
        draws=draws,
        embeddings=rng.normal(size=(rows, 3)).astype(np.float32),
        centroids=rng.normal(size=(4, 3)),
        labelled=rng.normal(size=(labelled, 3)),
    )


def repeated(rows: int) -> SelectionContext:
    one = make_context(1)
    return SelectionContext(
        np.repeat(one.probs, rows, axis=0),
        np.repeat(one.draws, rows, axis=1),
        np.repeat(one.embeddings, rows, axis=0),
        one.centroids,
        one.labelled,
    )


def test_it_satisfies_the_port(strategy: QueryStrategy) -> None:
    assert isinstance(strategy, QueryStrategy)


@pytest.mark.parametrize(
    ("rows", "count", "labelled"), [(40, 7, 5), (40, 40, 5), (5, 9, 0), (1, 1, 1), (3, 3, 90)]
)
def test_it_returns_as_many_distinct_rows_as_asked_for_or_there_are(
    strategy: QueryStrategy, rows: int, count: int, labelled: int
) -> None:
    chosen = strategy.select(make_context(rows, labelled), count, seed=3)

    assert chosen.dtype == np.int64
    assert len(chosen) == min(rows, count) == len(set(chosen.tolist()))
    assert set(chosen.tolist()) <= set(range(rows))


def test_equal_seeds_give_equal_choices_and_the_context_is_left_alone(
    strategy: QueryStrategy,
) -> None:
    context, untouched = make_context(), make_context()

    first, second = (strategy.select(context, 9, seed=2**31 - 1) for _ in range(2))

    np.testing.assert_array_equal(first, second)
    for name in ("probs", "draws", "embeddings", "centroids", "labelled"):
        np.testing.assert_array_equal(getattr(context, name), getattr(untouched, name))


def test_no_candidates_and_no_budget_give_no_rows(strategy: QueryStrategy) -> None:
    assert strategy.select(make_context(0), 3, seed=0).tolist() == []
    assert strategy.select(make_context(), 0, seed=0).tolist() == []


def test_identical_candidates_can_all_be_chosen(strategy: QueryStrategy) -> None:
    chosen = strategy.select(repeated(8), 8, seed=1)

    assert sorted(chosen.tolist()) == list(range(8))


@pytest.mark.parametrize("field", ["probs", "draws", "embeddings"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(
    strategy: QueryStrategy, field: str, value: float
) -> None:
    context = make_context()
    broken = getattr(context, field).copy()
    broken.flat[7] = value

    with pytest.raises(InputError, match=f"`{field}` .* holds 1 values that are NaN or infinite"):
        strategy.select(replace(context, **{field: broken}), 3, seed=0)


def test_candidates_that_do_not_align_are_refused(strategy: QueryStrategy) -> None:
    context = make_context()

    with pytest.raises(ShapeError, match="candidates must align"):
        strategy.select(replace(context, probs=context.probs[:-1]), 3, seed=0)
