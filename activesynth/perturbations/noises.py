"""Noise of a sensor that counts few photons or has broken cells."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array

PHOTONS = 4.0  # that a white pixel stands for at severity 1
MOST_PHOTONS = 2000.0  # beyond, a photon is an eighth of a grey level: the normal limit will do
IMPULSE_RATE = 0.3  # of the values at severity 1


def shot(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Count photons: Poisson noise, stronger where it is bright.

    A white pixel stands for ``PHOTONS / severity ** 2`` photons, so that the standard deviation
    is proportional to the severity. Counts are read off one uniform number per value, which
    keeps the noise the same at every severity, only stronger.
    """
    from scipy.special import ndtri

    white = PHOTONS / severity**2
    uniform = np.asarray(rng.random(image.shape))
    mean: Array = image * (white / 255.0)
    if white > MOST_PHOTONS:
        counts = mean + np.sqrt(mean) * ndtri(np.maximum(uniform, 1e-16))
    else:
        counts = _poisson_quantiles(uniform, mean)
    noisy: Array = np.maximum(counts, 0.0) * (255.0 / white)
    return noisy


def _poisson_quantiles(uniform: Array, mean: Array) -> Array:
    """Return the smallest counts whose probability of no more reaches ``uniform``."""
    from scipy.special import ndtri, pdtr

    # Begin at the normal limit corrected for skewness, which is off by a count or two, and walk.
    z = ndtri(np.clip(uniform, 1e-16, 1.0 - 1e-16))
    guess = mean + np.sqrt(mean) * z + (z**2 - 1.0) / 6.0
    counts: Array = np.maximum(np.floor(guess), 0.0).ravel()
    wanted, means = uniform.ravel(), mean.ravel()
    rows = np.flatnonzero(pdtr(counts, means) < wanted)
    while len(rows):
        counts[rows] += 1.0
        rows = rows[pdtr(counts[rows], means[rows]) < wanted[rows]]
    rows = np.flatnonzero(counts > 0.0)
    while len(rows := rows[pdtr(counts[rows] - 1.0, means[rows]) >= wanted[rows]]):
        counts[rows] -= 1.0
        rows = rows[counts[rows] > 0.0]
    return counts.reshape(mean.shape)


def impulse(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Replace some values by black or white (salt and pepper); more severity adds further ones."""
    is_hit = rng.random(image.shape) < IMPULSE_RATE * severity
    extreme = np.where(rng.random(image.shape) < 0.5, 0.0, 255.0)
    hit: Array = np.where(is_hit, extreme, image)
    return hit
