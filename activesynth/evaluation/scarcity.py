"""Making a balanced, fully labelled training set harder on purpose, for experiments."""

from __future__ import annotations

import hashlib

import numpy as np

from activesynth.domain.canonical import Array


def long_tail(y: Array, ratio: float, seed: int) -> Array:
    """Choose rows so that class sizes fall exponentially with the class number.

    Class ``c`` of ``C`` keeps ``n * ratio ** (-c / (C - 1))`` rows, with the largest ``n`` that
    the data allows, so the profile is exact up to rounding and no class dies out.

    Args:
        y: Labels, shape ``(n,)``, in ``[0, C)``; classes without rows are left out.
        ratio: Largest to smallest class, from 1 (keeps all rows).
        seed: Decides which rows stay.

    Returns:
        Ascending row numbers, int64.

    References:
        Cui et al. 2019, arXiv:1901.05555, section 5.1.
    """
    if ratio <= 1.0:
        return np.arange(len(y))
    classes, available = np.unique(y, return_counts=True)
    profile = ratio ** (-np.arange(len(classes)) / max(1, len(classes) - 1))
    sizes = np.maximum(1, np.rint(profile * (available / profile).min())).astype(np.int64)
    return _per_class(y, classes, np.minimum(sizes, available), seed)


def limit_labels(y: Array, budget: int, seed: int) -> Array:
    """Choose the rows that keep their label, in proportion to class size, one per class at least.

    Args:
        y: Labels, shape ``(n,)``.
        budget: How many rows keep their label.
        seed: Decides which.

    Returns:
        Ascending row numbers, int64; ``max(budget, classes)`` of them, or all rows.
    """
    if budget >= len(y):
        return np.arange(len(y))
    classes, available = np.unique(y, return_counts=True)
    exact = (available - 1) * max(0, budget - len(classes)) / max(1, len(y) - len(classes))
    sizes = 1 + np.floor(exact).astype(np.int64)
    rest = np.argsort(-(exact - np.floor(exact)), kind="stable")
    sizes[rest[: max(0, budget - sizes.sum())]] += 1
    return _per_class(y, classes, np.minimum(sizes, available), seed)


def first_rows(ids: Array, count: int | None, seed: int) -> Array:
    """Choose ``count`` rows by the hash of their id, so that the choice survives new rows.

    Returns:
        Ascending row numbers, int64; all rows when ``count`` is None.
    """
    if count is None or count >= len(ids):
        return np.arange(len(ids))
    keys = np.array([hashlib.sha256(f"row|{seed}|{name}".encode()).hexdigest() for name in ids])
    return np.sort(np.argsort(keys, kind="stable")[:count])


def wrong_labels(y: Array, classes: int, share: float, only: Array, seed: int) -> Array:
    """Return labels of which a share is wrong, in exact numbers per class.

    Args:
        y: True labels, ``(n,)`` in ``[0, classes)``.
        classes: How many classes there are; a wrong label is any other one, evenly.
        share: Share of the rows of each chosen class that get a wrong label, rounded.
        only: The classes whose rows are touched, int64.
        seed: Decides which rows, and which label.

    Returns:
        Labels, ``(n,)`` int64.
    """
    noisy = np.array(y, np.int64)
    if classes < 2:
        return noisy
    rng = np.random.default_rng(seed)
    for label in np.unique(only).tolist():
        rows = rng.permutation(np.flatnonzero(y == label))
        rows = rows[: round(share * len(rows))]
        noisy[rows] = (label + rng.integers(1, classes, len(rows))) % classes
    return noisy


def _per_class(y: Array, classes: Array, sizes: Array, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    chosen = [
        rng.permutation(np.flatnonzero(y == label))[:size]
        for label, size in zip(classes, sizes, strict=True)
    ]
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)
