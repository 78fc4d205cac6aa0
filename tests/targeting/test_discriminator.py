"""The discriminator against a loop over folds written out, and against worlds where it is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.targeting.discriminator import discriminator_quality


def make_rows(count: int, shift: float, seed: int) -> Array:
    return np.random.default_rng(seed).normal(shift, 1.0, (count, 4)).astype(np.float32)


def test_it_equals_cross_fitting_written_out_and_the_rank_statistic() -> None:
    real, made = make_rows(80, 0.0, 0), make_rows(40, 0.5, 1)
    found = discriminator_quality(real, made, seed=3)
    x, y = np.concatenate([real, made]).astype(float), np.repeat([1, 0], [80, 40])
    likely = np.zeros(120)
    for fitted, held in StratifiedKFold(5, shuffle=True, random_state=3).split(x, y):
        mean, sd = x[fitted].mean(axis=0), x[fitted].std(axis=0)
        weight = np.where(y == 1, 0.5 / (y[fitted] == 1).mean(), 0.5 / (y[fitted] == 0).mean())
        model = LogisticRegression(max_iter=1000)
        model.fit((x[fitted] - mean) / sd, y[fitted], sample_weight=weight[fitted])
        likely[held] = model.predict_proba((x[held] - mean) / sd)[:, 1]

    np.testing.assert_allclose(found.realism, likely[80:], atol=1e-4)
    rank = mannwhitneyu(likely[:80], likely[80:]).statistic / (80 * 40)
    assert found.auc == pytest.approx(rank, abs=1e-3)


@pytest.mark.parametrize("sizes", [(400, 400), (800, 80)])
def test_rows_of_one_distribution_cannot_be_told_apart_however_many_there_are(
    sizes: tuple[int, int],
) -> None:
    found = discriminator_quality(make_rows(sizes[0], 0.0, 0), make_rows(sizes[1], 0.0, 1), seed=0)

    assert found.auc == pytest.approx(0.5, abs=0.08)
    assert found.realism.mean() == pytest.approx(0.5, abs=0.05)


def test_rows_far_from_the_real_ones_look_less_real_than_those_among_them() -> None:
    made = np.concatenate([make_rows(60, 0.0, 1), make_rows(60, 3.0, 2)])
    found = discriminator_quality(make_rows(200, 0.0, 0), made, seed=0)

    assert found.realism[:60].min() > found.realism[60:].max()
    assert found.auc > 0.6


def test_a_row_is_not_judged_by_a_model_that_knows_it() -> None:
    rng = np.random.default_rng(0)
    found = discriminator_quality(rng.normal(size=(40, 200)), rng.normal(size=(40, 200)), seed=0)

    assert found.auc < 0.7  # in 200 dimensions a fitted row is always told apart


@pytest.mark.parametrize(("real", "made"), [(1, 10), (10, 1), (10, 0), (0, 3)])
def test_too_few_rows_are_neither_real_nor_not(real: int, made: int) -> None:
    found = discriminator_quality(make_rows(real, 0.0, 0), make_rows(made, 9.0, 1), seed=0)

    assert found.realism.tolist() == [0.5] * made
    assert found.auc == 0.5


def test_embeddings_that_do_not_fit_are_refused() -> None:
    rows = make_rows(6, 0.0, 0)
    with pytest.raises(ShapeError, match="embed both by the same encoder"):
        discriminator_quality(rows, rows[:, :2], seed=0)
    with pytest.raises(InputError, match="must be finite"):
        discriminator_quality(rows, np.full((6, 4), np.nan), seed=0)
