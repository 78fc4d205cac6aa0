"""The plane that embeddings are drawn in."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from activesynth.evaluation.plane import evenly, fit_plane


def test_the_plane_is_that_of_scikit_learn_with_its_mirroring_fixed() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 6)) * [5, 1, 3, 0.1, 0.2, 1]
    plane, reference = fit_plane(rows), PCA(2).fit(rows)

    ours, theirs = plane.project(rows), reference.transform(rows)

    assert np.allclose(np.abs(ours), np.abs(theirs), atol=1e-4)
    assert plane.share == pytest.approx(reference.explained_variance_ratio_.sum())
    assert (plane.axes[np.abs(plane.axes).argmax(axis=0), [0, 1]] > 0).all()


def test_rows_in_another_order_and_mirrored_starts_give_the_same_plane() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 4))

    assert np.allclose(fit_plane(rows).axes, fit_plane(rows[::-1]).axes, atol=1e-7)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (5, 1)])
def test_rows_that_span_no_plane_are_drawn_all_the_same(shape: tuple[int, int]) -> None:
    rows = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)

    flat = fit_plane(rows).project(rows)

    assert flat.shape == (shape[0], 2)
    assert np.isfinite(flat).all()


@pytest.mark.parametrize(("count", "limit", "expected"), [(0, 5, 0), (3, 5, 3), (100, 5, 5)])
def test_places_are_spread_over_all(count: int, limit: int, expected: int) -> None:
    places = evenly(count, limit)

    assert len(set(places.tolist())) == expected
    if expected:
        assert (places[0], places[-1]) == (0, count - 1)
