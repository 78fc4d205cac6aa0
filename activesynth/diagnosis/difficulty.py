"""How hard each class is for a model."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError

PRIOR_ROWS = 8.0
"""Rows that the overall rate counts as when a class's own rate is shrunk towards it."""


def _confusion(y: Array, predicted: Array, classes: int) -> Array:
    y, predicted = np.asarray(y, np.int64), np.asarray(predicted, np.int64)
    both = np.concatenate([y, predicted])
    if y.shape != predicted.shape or (len(both) and not 0 <= both.min() <= both.max() < classes):
        raise ShapeError(
            f"class scores need aligned labels and predictions in [0, {classes}), got shapes "
            f"{y.shape} and {predicted.shape}; leave unlabelled rows out."
        )
    counts: Array = np.bincount(y * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def class_difficulty(y: Array, predicted: Array, classes: int) -> Array:
    """Score how hard each class is: often missed, or often seen where it is not.

    The two rates are posterior means under a beta prior that sits at the rate over all classes
    and weighs 8 rows, so a class with two unlucky rows is not called hopeless and one without
    rows gets the average. They combine as if independent, ``1 - (1 - miss)(1 - fpr)``, and the
    score grows with either.

    Args:
        y: Labels, ``(n,)``, in ``[0, classes)``.
        predicted: Predicted classes, ``(n,)``.
        classes: Number of classes.

    Returns:
        Shape ``(classes,)``, in ``[0, 1]``.

    Raises:
        ShapeError: If the arrays do not align or hold something that is no class.

    References:
        Gelman et al., Bayesian Data Analysis, chapter 5 (beta-binomial shrinkage).
    """
    table = _confusion(y, predicted, classes)
    hits, truth, called = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    missed = shrunk_rate(truth - hits, truth)
    raised = shrunk_rate(called - hits, table.sum() - truth)
    difficulty: Array = 1.0 - (1.0 - missed) * (1.0 - raised)
    return difficulty


def shrunk_rate(events: Array, trials: Array) -> Array:
    """Return rates shrunk towards their common rate, ``(k,)`` in ``[0, 1]``.

    Args:
        events: How often it happened, ``(k,)``.
        trials: How often it could have, ``(k,)``.
    """
    common = events.sum() / max(1, int(trials.sum()))
    rate: Array = (events + PRIOR_ROWS * common) / (trials + PRIOR_ROWS)
    return rate
