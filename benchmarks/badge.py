"""Fifty rows by BADGE, the model's prediction included, against scikit-activeml (CPU seconds)."""

from __future__ import annotations

import numpy as np
from skactiveml.pool import Badge

from activesynth.domain.canonical import Array
from activesynth.targeting.diversity import gradient_kmeans_pp
from benchmarks.acquisition import (
    CLASSES,
    DIMENSION,
    LABELLED,
    PICKS,
    QUICK_SIZE,
    SIZE,
    Pool,
    make_pool,
)
from benchmarks.interleaved import further, interleaved
from benchmarks.measure import Case

ROUNDS = 2


def measure(*, quick: bool) -> list[Case]:
    """Time both on the same rows and the same model."""
    pool = make_pool(QUICK_SIZE if quick else SIZE)
    model = pool.model

    def ours() -> Array:
        probs = np.asarray(model.predict_proba(pool.candidates))
        return gradient_kmeans_pp(probs, pool.candidates, PICKS, seed=0)

    def theirs() -> Array:
        strategy = Badge(random_state=0)
        chosen = strategy.query(pool.x, pool.y, model, fit_clf=False, batch_size=PICKS)
        return np.asarray(chosen) - LABELLED

    contenders = {"ours": ours, "scikit-activeml": theirs}
    found = interleaved(contenders, rounds=1 if quick else ROUNDS)
    (own, chosen), (other, others) = found.values()
    left, theirs_left = (_potential(pool, rows) for rows in (chosen, others))
    told = f"potential {theirs_left / left:.3f} of ours"
    return [
        further(own, f"{len(pool.candidates)} x {DIMENSION}, {CLASSES} classes"),
        further(other, told),
    ]


def _potential(pool: Pool, chosen: Array) -> float:
    """Return the mean squared distance of the gradients to the nearest chosen one.

    What k-means++ makes small. Both draw, so the rows differ after the first one.
    """
    probs = np.asarray(pool.model.predict_proba(pool.candidates), np.float64)
    errors = probs - np.eye(CLASSES)[probs.argmax(axis=1)]
    points = pool.candidates.astype(np.float64)
    norms = (errors**2).sum(axis=1) * (points**2).sum(axis=1)
    inner = (errors @ errors[chosen].T) * (points @ points[chosen].T)
    squared = norms[:, None] + norms[chosen] - 2.0 * inner
    return float(np.maximum(squared, 0.0).min(axis=1).mean())
