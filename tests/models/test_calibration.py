from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import log_loss

from activesynth.domain.canonical import Array
from activesynth.models.calibration import fit_temperature, negative_log_likelihood


def make_logits(seed: int, rows: int, factor: float) -> tuple[Array, Array]:
    """Return labels drawn from ``softmax(z)`` and the logits ``factor * z``."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=2.0, size=(rows, 4))
    cumulative = softmax(logits, axis=1).cumsum(axis=1)
    y = (generator.random((rows, 1)) > cumulative[:, :-1]).sum(axis=1)
    return factor * logits, y


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_a_known_overconfidence(factor: float) -> None:
    logits, y = make_logits(0, 5000, factor)

    assert fit_temperature(logits, y) == pytest.approx(factor, rel=0.1)


def test_likelihood_agrees_with_scikit_learn() -> None:
    logits, y = make_logits(1, 50, 1.0)

    value = negative_log_likelihood(logits, y, 2.0)

    assert value == pytest.approx(log_loss(y, softmax(logits / 2.0, axis=1), labels=range(4)))


@settings(deadline=None)
@given(seed=st.integers(0, 500), rows=st.integers(1, 20), factor=st.floats(0.01, 200))
def test_scaling_is_never_worse_than_not_scaling(seed: int, rows: int, factor: float) -> None:
    logits, y = make_logits(seed, rows, factor)

    temperature = fit_temperature(logits, y)

    assert 0.049 < temperature < 20.1
    after = negative_log_likelihood(logits, y, temperature)
    assert after <= negative_log_likelihood(logits, y)
