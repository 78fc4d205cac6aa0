"""The optimiser loop, and how its pieces keep rows apart."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from activesynth.domain.canonical import Array
from activesynth.errors import InputError
from activesynth.generation.blocks import ROWS, in_blocks
from activesynth.generation.parameters import DiffusionParameters
from activesynth.generation.training import Rows, train

PARAMETERS = DiffusionParameters(steps=400, batch=16, learning_rate=0.05)


def fit_mean(
    latents: Array, weight: Array, parameters: DiffusionParameters
) -> tuple[float, list[float]]:
    """Train a single number to be the weighted mean of the rows."""
    number = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(number.weight)

    def loss(batch: Tensor, tokens: Tensor, generator: torch.Generator) -> Tensor:
        return ((batch - number.weight) ** 2).mean()

    rows = Rows(latents.astype(np.float32), np.zeros((len(latents), 3), np.int64), weight)
    history = train(number, loss, rows, parameters, seed=0, progress=lambda done, total: None)
    return float(number.weight.item()), history


def test_rows_are_drawn_in_proportion_to_their_weight() -> None:
    mean, _ = fit_mean(np.array([[0.0], [1.0]]), np.array([1.0, 3.0]), PARAMETERS)

    assert mean == pytest.approx(0.75, abs=0.05)


def test_a_row_of_weight_zero_is_never_drawn() -> None:
    mean, _ = fit_mean(np.array([[np.nan], [1.0], [np.nan]]), np.array([0.0, 1.0, 0.0]), PARAMETERS)

    assert mean == pytest.approx(1.0, abs=0.05)


def test_a_loss_that_is_no_number_stops_the_fit_with_its_step() -> None:
    with pytest.raises(InputError, match="no finite number at step 0 of 400; lower") as caught:
        fit_mean(np.array([[np.nan]]), np.ones(1), PARAMETERS)

    assert caught.value.reason == "generator_diverged"


def test_the_history_is_short_and_falls() -> None:
    _, history = fit_mean(np.full((4, 1), 2.0), np.ones(4), PARAMETERS)

    assert len(history) == 20
    assert history[-1] < history[0]


def test_conditions_are_dropped_independently_at_the_given_rate() -> None:
    seen: list[Tensor] = []
    module = nn.Linear(1, 1)

    def loss(batch: Tensor, tokens: Tensor, generator: torch.Generator) -> Tensor:
        seen.append(tokens)
        return (module.weight**2).sum()

    rows = Rows(np.zeros((5, 1), np.float32), np.full((5, 3), 7), np.ones(5))
    parameters = DiffusionParameters(steps=100, batch=100, label_drop=0.1)
    train(module, loss, rows, parameters, seed=0, progress=lambda done, total: None)

    dropped = (torch.cat(seen) == 0).double().numpy()
    np.testing.assert_allclose(dropped.mean(axis=0), 0.1, atol=0.015)
    np.testing.assert_allclose((dropped[:, 0] * dropped[:, 1]).mean(), 0.01, atol=0.004)


@pytest.mark.parametrize("count", [0, 1, ROWS, ROWS + 1])
def test_blocks_all_have_one_size_and_return_every_row(count: int) -> None:
    sizes: list[int] = []
    told: list[tuple[int, int]] = []

    def double(block: Array) -> Array:
        sizes.append(len(block))
        return 2 * block

    result = in_blocks(
        double, np.arange(count), progress=lambda done, total: told.append((done, total))
    )

    np.testing.assert_array_equal(result, 2 * np.arange(count))
    assert set(sizes) == {ROWS}
    assert count == 0 or told[-1] == (count, count)


def test_looking_parameters_up_loads_no_torch() -> None:
    code = (
        "import sys; import activesynth.generation.registry, activesynth.generation.parameters; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'diffusers', 'sklearn')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
