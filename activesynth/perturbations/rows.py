"""Corrupt each row under a severity and a seed of its own, by parts of any package."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Corruption
from activesynth.domain.registry import Catalog
from activesynth.perturbations.image import apply
from activesynth.perturbations.registry import CORRUPTIONS


def corrupt_rows(name: str, x: Array, severities: Array, seeds: Array) -> Array:
    """Return a corrupted copy of ``x``, ``(n, ...)`` of its dtype.

    Args:
        name: A corruption of ours, or of another package by its entry point.
        x: Inputs, ``(n, ...)``.
        severities: In ``[0, 1]``, ``(n,)``.
        seeds: uint64, ``(n,)``.

    Raises:
        ConfigurationError: If there is no such corruption.
    """
    if name in CORRUPTIONS:
        return apply(name, x, severity=severities, seed=seeds)
    # A part of another package takes one severity and one seed, so it sees one row at a time.
    corruption: Corruption = catalog().create("corruption", name)
    rows = zip(x, severities.tolist(), seeds.tolist(), strict=True)
    return np.concatenate(
        [corruption.apply(row[None], severity=severity, seed=seed) for row, severity, seed in rows]
    )


def catalog() -> Catalog:
    """Return our corruptions and those of installed packages."""
    return Catalog({"corruption": CORRUPTIONS})
