"""Embeddings drawn in a plane: the two directions in which the real rows differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array


@dataclass(frozen=True, slots=True)
class Plane:
    """The first two principal components of real embeddings (Pearson 1901; Hotelling 1933).

    Attributes:
        centre: Mean embedding ``(d,)``.
        axes: Orthonormal directions ``(d, 2)``, each with its largest entry positive, so that a
            map is not mirrored from one iteration to the next.
        share: Share in [0, 1] of the variance that the plane shows.
    """

    centre: Array
    axes: Array
    share: float

    def project(self, vectors: Array) -> Array:
        """Return coordinates ``(n, 2)`` float32 of vectors ``(n, d)``."""
        flat: Array = ((vectors - self.centre) @ self.axes).astype(np.float32)
        return flat


def fit_plane(vectors: Array) -> Plane:
    """Fit a plane to vectors ``(n, d)``; where they span less than two directions it has zeros."""
    rows = np.asarray(vectors, np.float64)
    dimension = rows.shape[1]
    if len(rows) < 2:
        return Plane(np.zeros(dimension), np.zeros((dimension, 2)), 0.0)
    centre = rows.mean(axis=0)
    values, directions = np.linalg.eigh((rows - centre).T @ (rows - centre) / len(rows))
    axes = np.zeros((dimension, 2))
    count = min(2, dimension)
    axes[:, :count] = directions[:, ::-1][:, :count]
    largest = np.abs(axes).argmax(axis=0)
    axes *= np.where(axes[largest, np.arange(2)] < 0, -1.0, 1.0)
    total = float(values.sum())
    share = float(values[::-1][:2].sum()) / total if total > 0 else 0.0
    return Plane(centre, axes, share)


def evenly(count: int, limit: int) -> Array:
    """Return at most ``limit`` of the places 0 to ``count`` - 1, evenly spaced, ``(m,)`` int64."""
    places: Array = np.linspace(0, max(0, count - 1), min(count, limit)).astype(np.int64)
    return places
