"""What both acquisition benchmarks share: embeddings, a model on them, and scikit-activeml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from skactiveml.classifier import SklearnClassifier
from sklearn.linear_model import LogisticRegression

from activesynth.domain.canonical import Array

DIMENSION, CLASSES, LABELLED = 512, 10, 200
PICKS = 50
SIZE, QUICK_SIZE = 50_000, 400


@dataclass(frozen=True)
class Pool:
    """Rows of which the first ``LABELLED`` have labels: ``x`` ``(n, 512)`` float32, unit length.

    ``y`` holds NaN where the label is missing, as scikit-activeml wants it.
    """

    x: Array
    y: Array

    @property
    def candidates(self) -> Array:
        """Return the rows without a label; ``candidates[k]`` is row ``k + LABELLED``."""
        return self.x[LABELLED:]

    @cached_property
    def model(self) -> Any:
        """Return a logistic regression on the labelled rows, as scikit-activeml wraps it."""
        model = SklearnClassifier(LogisticRegression(), classes=list(range(CLASSES)))
        return model.fit(self.x[:LABELLED], self.y[:LABELLED])


def make_pool(candidates: int) -> Pool:
    """Return ``candidates`` unlabelled rows around one centre for each class, and labelled ones."""
    rng = np.random.default_rng(0)
    rows = candidates + LABELLED
    classes = rng.integers(0, CLASSES, rows)
    classes[:CLASSES] = np.arange(CLASSES)
    x = rng.standard_normal((rows, DIMENSION), np.float32)
    x += 3.0 * rng.standard_normal((CLASSES, DIMENSION), np.float32)[classes] / 2.0
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = np.where(np.arange(rows) < LABELLED, classes, np.nan)
    return Pool(x, y)
