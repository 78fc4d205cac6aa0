"""From reconstruction errors to a confidence in [0, 1]."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array

TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Calibration:
    """Centre and spread of the natural logarithm of the training rows' errors."""

    centre: float
    spread: float

    @classmethod
    def of(cls, errors: Array) -> Calibration:
        """Describe errors ``(n,)`` of real rows by median and standard deviation of their log."""
        logs = np.log(np.maximum(errors, TINY))
        return cls(float(np.median(logs)), max(float(np.std(logs)), 0.05))

    def score(self, errors: Array) -> Array:
        """Return ``(n,)`` float64 in ``[0, 1]``: 0.5 for the median error, falling with the error.

        The logistic function with the mean and variance of the log errors: smooth, so that rows
        worse than every training row still have an order.
        """
        steep = math.pi / (math.sqrt(3.0) * self.spread)
        logs = np.log(np.maximum(np.asarray(errors, np.float64), TINY))
        return np.asarray(0.5 * (1.0 - np.tanh(0.5 * steep * (logs - self.centre))))

    def tensors(self) -> dict[str, Array]:
        """Return the two numbers under the name that :meth:`from_tensors` reads."""
        return {"calibration": np.array([self.centre, self.spread])}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Array]) -> Calibration:
        """Rebuild from what :meth:`tensors` returned."""
        return cls(*(float(value) for value in tensors["calibration"]))


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
