"""Whitened principal components: the small space in which the generators learn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array

MAX_CELLS = 1 << 25
"""How many numbers the decomposition may hold; beyond, a seeded part of the rows is used."""


@dataclass(frozen=True, slots=True)
class Latents:
    """A linear map between rows of data and whitened principal components.

    Attributes:
        shape: Shape of one row, such as ``(8, 8, 1)``.
        dtype: Name of the dtype of the data, ``uint8`` or a float type.
        mean: Mean of the flattened rows, ``(d,)`` float32.
        unit: What one unit of each column is, ``(d,)`` float32: the spread of that column in a
            table, the same for all columns of an image.
        basis: Principal directions in units, ``(k, d)`` float32, orthonormal rows.
        scale: Standard deviation along each direction, ``(k,)`` float32.
    """

    shape: tuple[int, ...]
    dtype: str
    mean: Array
    unit: Array
    basis: Array
    scale: Array

    @property
    def size(self) -> int:
        """Return the number of components."""
        return len(self.scale)

    @property
    def columns(self) -> int:
        """Return how many numbers one row of data has."""
        return len(self.mean)

    @classmethod
    def fit(
        cls, x: Array, weight: Array, components: int, variance: float, *, seed: int
    ) -> Latents:
        """Find the directions of the largest variance.

        As many as explain the share ``variance`` of it, and at most ``components``: the small
        directions beyond would count as much as the large ones once they are whitened. The sign
        of each is fixed by making its largest entry positive.
        """
        flat = _flatten(x)
        rows = _chosen_rows(len(flat), flat.shape[1], seed)
        flat, share = flat[rows], weight[rows] / weight[rows].sum()
        mean = share @ flat
        spread = np.sqrt(share @ (flat - mean) ** 2)
        if x.dtype == np.uint8:
            spread = np.full_like(spread, math.sqrt(float(np.mean(spread**2))))
        unit = np.where(spread > 1e-12, spread, 1.0)
        centred = (flat - mean) / unit * np.sqrt(share)[:, None]
        _, strength, basis = np.linalg.svd(centred, full_matrices=False)
        kept = _enough(strength, components, variance)
        basis = basis[:kept]
        largest = np.abs(basis).argmax(axis=1)
        basis = basis * np.where(basis[np.arange(kept), largest] < 0, -1.0, 1.0)[:, None]
        scale = np.maximum(strength[:kept], 1e-6)
        parts = [np.ascontiguousarray(part, np.float32) for part in (mean, unit, basis, scale)]
        return cls(tuple(x.shape[1:]), str(x.dtype), *parts)

    def project(self, x: Array) -> Array:
        """Return the whitened components of rows, ``(n, k)`` float32."""
        centred = (_flatten(x) - self.mean) / self.unit
        return np.asarray(centred @ self.basis.T / self.scale, np.float32)

    def residual(self, x: Array) -> Array:
        """Return the share of each row's variance that the components cannot express, ``(n,)``.

        In units of the mean variance of a training row, at least 0.
        """
        centred = (_flatten(x) - self.mean) / self.unit
        inside = (centred @ self.basis.T) @ self.basis
        total = float(np.sum(self.scale.astype(np.float64) ** 2))
        return np.asarray(np.sum((centred - inside) ** 2, axis=1) / max(total, 1e-12))

    def unclipped(self, latents: Array) -> Array:
        """Return flattened rows in the units of the data, ``(n, d)`` float64, not yet clipped."""
        scaled = latents.astype(np.float64) * self.scale
        flat: Array = scaled @ self.basis * self.unit + self.mean
        return flat

    def pull_back(self, slopes: Array) -> Array:
        """Return the gradient by components of what has ``slopes`` ``(n, d)`` by :meth:`unclipped`.

        The transpose of a linear map, ``(n, k)`` float64.
        """
        gradient: Array = (slopes * self.unit) @ self.basis.T * self.scale
        return gradient

    def restore(self, latents: Array) -> Array:
        """Return rows like the data from components; uint8 is rounded and clipped."""
        flat = self.unclipped(latents)
        rows = flat.reshape(len(flat), *self.shape)
        if self.dtype == "uint8":
            rows = np.clip(np.rint(rows), 0, 255)
        with np.errstate(over="ignore"):  # an infinity is reported by who asked for the rows
            return np.asarray(rows, self.dtype)

    def tensors(self) -> dict[str, Array]:
        """Return the arrays under the names that :meth:`from_state` reads."""
        return {
            "latents.mean": self.mean,
            "latents.unit": self.unit,
            "latents.basis": self.basis,
            "latents.scale": self.scale,
        }

    def facts(self) -> dict[str, Any]:
        """Return what describes the data in JSON."""
        return {"shape": list(self.shape), "dtype": self.dtype}

    @classmethod
    def from_state(cls, tensors: Mapping[str, Array], facts: Mapping[str, Any]) -> Latents:
        """Rebuild from what :meth:`tensors` and :meth:`facts` returned."""
        return cls(
            tuple(int(side) for side in facts["shape"]),
            str(facts["dtype"]),
            *(tensors[f"latents.{name}"] for name in ("mean", "unit", "basis", "scale")),
        )


def _flatten(x: Array) -> Array:
    return x.reshape(len(x), -1).astype(np.float64)


def _chosen_rows(rows: int, columns: int, seed: int) -> Array:
    limit = max(256, MAX_CELLS // max(columns, 1))
    if rows <= limit:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))


def _enough(strength: Array, components: int, variance: float) -> int:
    explained = np.cumsum(strength**2) / max(float(np.sum(strength**2)), 1e-12)
    return min(components, int(np.searchsorted(explained, variance - 1e-9)) + 1, len(strength))
