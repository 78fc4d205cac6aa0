"""Temperature scaling: one number that makes confidence mean what it says."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from activesynth.domain.canonical import Array

_LIMIT = np.log(20.0)


def negative_log_likelihood(logits: Array, y: Array, temperature: float = 1.0) -> float:
    """Return the mean NLL in nats of labels ``(n,)`` under ``softmax(logits / temperature)``."""
    logs = log_softmax(logits.astype(np.float64) / temperature, axis=1)
    return float(-logs[np.arange(len(y)), y].mean())


def fit_temperature(logits: Array, y: Array) -> float:
    """Return the temperature in ``[0.05, 20]`` with the lowest NLL on rows not trained on.

    Never worse than 1, which is returned where the search finds nothing better.

    Args:
        logits: Out-of-fold logits, ``(n, classes)``.
        y: Labels, ``(n,)`` int64.

    References:
        Guo et al. 2017, arXiv:1706.04599.
    """
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(logits, y, float(np.exp(log_t))),
        bounds=(-_LIMIT, _LIMIT),
        method="bounded",
    )
    temperature = float(np.exp(found.x))
    if negative_log_likelihood(logits, y, temperature) < negative_log_likelihood(logits, y):
        return temperature
    return 1.0
