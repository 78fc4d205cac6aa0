from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax

from activesynth.domain.canonical import Array
from activesynth.models.losses import info_nce, kl_to_prior


def naive_info_nce(first: Array, second: Array, temperature: float) -> float:
    views = np.concatenate([first, second])
    views = views / np.linalg.norm(views, axis=1, keepdims=True)
    losses = []
    for row in range(len(views)):
        partner = (row + len(first)) % len(views)
        others = [other for other in range(len(views)) if other != row]
        scores = np.exp([views[row] @ views[other] / temperature for other in others])
        right = np.exp(views[row] @ views[partner] / temperature)
        losses.append(-np.log(right / scores.sum()))
    return float(np.mean(losses))


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_info_nce_equals_the_formula_written_as_loops(temperature: float) -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 5, 4))

    loss = info_nce(torch.from_numpy(first), torch.from_numpy(second), temperature)

    assert float(loss) == pytest.approx(naive_info_nce(first, second, temperature), rel=1e-5)


def test_info_nce_of_indistinguishable_views_is_the_log_of_the_choices() -> None:
    same = torch.ones(6, 3)

    assert float(info_nce(same, same, 0.5)) == pytest.approx(np.log(11), rel=1e-5)


def test_kl_goes_from_the_new_model_to_the_previous_one() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(6, 4))
    prior = generator.dirichlet(np.full(4, 5.0), size=6)

    divergence = kl_to_prior(torch.from_numpy(logits), torch.from_numpy(prior))

    expected = rel_entr(softmax(logits, axis=1), prior).sum(axis=1)
    np.testing.assert_allclose(divergence.numpy(), expected, rtol=1e-6)


def test_a_row_of_zeros_means_that_there_is_no_prior() -> None:
    logits = torch.tensor([[2.0, -1.0], [2.0, -1.0]])
    prior = torch.tensor([[0.0, 0.0], [0.5, 0.5]])

    divergence = kl_to_prior(logits, prior)

    assert divergence[0] == 0
    assert divergence[1] > 0.1


def test_a_certain_prior_costs_a_finite_amount() -> None:
    divergence = kl_to_prior(torch.tensor([[-20.0, 20.0]]), torch.tensor([[1.0, 0.0]]))

    assert float(divergence) == pytest.approx(np.log(1e4), rel=1e-3)
