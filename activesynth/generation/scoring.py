"""From reconstruction errors to a confidence in [0, 1]."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array


@dataclass(frozen=True, slots=True)
class Calibration:
    """The error of a typical training row, by which all errors are measured."""

    typical: float

    @classmethod
    def of(cls, errors: Array) -> Calibration:
        """Take the median of the training rows' errors ``(n,)``."""
        return cls(max(float(np.median(errors)), 1e-12))

    def score(self, errors: Array) -> Array:
        """Return ``1 / (1 + (error / typical)**2)``, ``(n,)`` float64 in ``[0, 1]``.

        0.5 for a typical training row, 0.2 for twice its error. It falls slowly, so that rows
        worse than every training row still have an order.
        """
        ratio = np.asarray(errors, np.float64) / self.typical
        return np.asarray(1.0 / (1.0 + ratio**2))

    def tensors(self) -> dict[str, Array]:
        """Return the number under the name that :meth:`from_tensors` reads."""
        return {"calibration.typical": np.array([self.typical])}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Array]) -> Calibration:
        """Rebuild from what :meth:`tensors` returned."""
        return cls(float(tensors["calibration.typical"][0]))


def content_noise(x: Array, shape: tuple[int, ...]) -> Array:
    """Return standard normal noise ``(n, *shape)`` float32 that each row's bytes determine."""
    rows = [hashlib.sha256(row.tobytes()).digest()[:8] for row in np.ascontiguousarray(x)]
    return seeded_noise([int.from_bytes(row, "big") for row in rows], shape)


def seeded_noise(seeds: Array | list[int], shape: tuple[int, ...]) -> Array:
    """Return standard normal noise ``(n, *shape)`` float32, each row from its own seed."""
    noise = np.empty((len(seeds), *shape), np.float32)
    for row, seed in enumerate(seeds):
        noise[row] = np.random.default_rng(int(seed)).standard_normal(shape, np.float32)
    return noise
