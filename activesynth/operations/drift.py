"""How far newly arrived rows differ from what a dataset version holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.samples import UNLABELLED, SampleSet

GRID = 4
MAX_FEATURES = 64
MAX_ROWS = 20_000
NULL_DRAWS = 400
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Drift:
    """Two distances in ``[0, 1]``, each beyond what chance explains at the 5 % level.

    Attributes:
        classes: Total variation between the class distributions.
        features: Largest Kolmogorov-Smirnov distance over summary features.
        rows: How many new rows were compared.
    """

    classes: float
    features: float
    rows: int

    @property
    def largest(self) -> float:
        """Return the larger of the two, which the limit is about."""
        return max(self.classes, self.features)


def measure_drift(x: Array, y: Array, arrivals: SampleSet, classes: int) -> Drift:
    """Compare arrivals with inputs ``x`` and labels ``y`` of the head version, not aligned.

    Few arrivals give small values, as chance explains more; unlabelled ones count for the
    features only.
    """
    return Drift(class_drift(y, arrivals.y, classes), feature_drift(x, arrivals.x), len(arrivals))


def class_drift(reference: Array, arrivals: Array, classes: int) -> float:
    """Return the total variation distance beyond its 95 % quantile under equal distributions.

    Args:
        reference: Labels, shape ``(n,)``; ``-1`` is left out.
        arrivals: Labels, shape ``(m,)``; ``-1`` is left out.
        classes: Number of classes.

    Returns:
        In ``[0, 1]``; 0 when either side has no labels.
    """
    old = np.bincount(reference[reference != UNLABELLED], minlength=classes)
    new = np.bincount(arrivals[arrivals != UNLABELLED], minlength=classes)
    if not old.sum() or not new.sum():
        return 0.0
    pooled = (old + new) / (old.sum() + new.sum())
    rng = np.random.default_rng(0)  # a fixed null sample: the same data gives the same answer
    null_old = rng.multinomial(old.sum(), pooled, NULL_DRAWS) / old.sum()
    null_new = rng.multinomial(new.sum(), pooled, NULL_DRAWS) / new.sum()
    chance = np.quantile(np.abs(null_old - null_new).sum(axis=1) / 2, 1 - ALPHA)
    distance = np.abs(old / old.sum() - new / new.sum()).sum() / 2
    return max(0.0, float(distance - chance))


def feature_drift(reference: Array, arrivals: Array) -> float:
    """Return the largest Kolmogorov-Smirnov distance beyond its critical value.

    The critical value is the asymptotic one, ``sqrt(-ln(alpha / 2k) / 2 * (n + m) / (n m))``,
    Bonferroni-corrected over the ``k`` summary features.

    Args:
        reference: Inputs, shape ``(n, ...)``.
        arrivals: Inputs, shape ``(m, ...)``.

    Returns:
        In ``[0, 1]``; 0 when either side is empty.
    """
    if not len(reference) or not len(arrivals):
        return 0.0
    old, new = summary_features(reference[:MAX_ROWS]), summary_features(arrivals[:MAX_ROWS])
    n, m = len(old), len(new)
    distances = [_ks_distance(old[:, k], new[:, k]) for k in range(old.shape[1])]
    critical = np.sqrt(-np.log(ALPHA / (2 * old.shape[1])) / 2 * (n + m) / (n * m))
    return max(0.0, float(max(distances) - critical))


def summary_features(x: Array) -> Array:
    """Describe rows by a few numbers: mean, spread, and a coarse picture or the first features.

    Args:
        x: Inputs, shape ``(n, ...)``; pictures ``(n, height, width, channels)``.

    Returns:
        Shape ``(n, features)`` float64, at most ``MAX_FEATURES`` wide.
    """
    flat = x.reshape(len(x), -1).astype(np.float64)
    columns = [flat.mean(axis=1, keepdims=True), flat.std(axis=1, keepdims=True)]
    if x.ndim == 4 and min(x.shape[1:3]) >= GRID:
        bands = [np.array_split(np.arange(side), GRID) for side in x.shape[1:3]]
        columns += [
            x[:, rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].mean(axis=(1, 2))
            for rows in bands[0]
            for cols in bands[1]
        ]
    else:
        columns.append(flat)
    return np.concatenate(columns, axis=1)[:, :MAX_FEATURES]


def _ks_distance(a: Array, b: Array) -> float:
    everything = np.concatenate([a, b])
    below_a = np.searchsorted(np.sort(a), everything, "right") / len(a)
    below_b = np.searchsorted(np.sort(b), everything, "right") / len(b)
    return float(np.abs(below_a - below_b).max())
