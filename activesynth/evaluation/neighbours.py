"""Exact nearest-neighbour distances, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError

BLOCK = 512


def check_features(what: str, *tables: Array) -> None:
    """Refuse tables that cannot be compared by distance.

    Raises:
        InputError: If a feature is not finite.
        ShapeError: If a table is no ``(n, d)`` of the first one's width, or has no rows.
    """
    widths = {table.shape[1] if table.ndim == 2 else None for table in tables}
    if len(widths) > 1 or None in widths or not all(len(table) for table in tables):
        raise ShapeError(
            f"{what} needs features (n, d) of one encoder with n >= 1, got "
            f"{', '.join(str(table.shape) for table in tables)}."
        )
    if not all(np.isfinite(table).all() for table in tables):
        raise InputError(
            f"{what} needs finite features; leave out rows that the encoder cannot embed.",
            reason="features",
        )


def distances(rows: Array, reference: Array) -> Iterator[tuple[slice, Array]]:
    """Yield Euclidean distances block by block: which rows, and ``(rows, reference)`` float64."""
    for start in range(0, len(rows), BLOCK):
        block = slice(start, min(start + BLOCK, len(rows)))
        yield block, cdist(rows[block], reference)


def nearest_distance(rows: Array, reference: Array) -> Array:
    """Return how far the nearest reference row is, ``(n,)`` float64.

    Args:
        rows: Shape ``(n, d)``.
        reference: Shape ``(m, d)``, m >= 1.

    Raises:
        InputError: If a feature is not finite.
        ShapeError: If widths differ or a side has no rows.
    """
    check_features("a nearest distance", rows, reference)
    return np.concatenate([found.min(axis=1) for _, found in distances(rows, reference)])


def neighbour_radii(rows: Array, k: int) -> Array:
    """Return the distance of each row to its k-th nearest other row, ``(n,)`` float64.

    Args:
        rows: Shape ``(n, d)`` with n > k.
        k: 1 or more.
    """
    # The row itself comes first, at distance 0.
    parts = [np.partition(found, k, axis=1)[:, k] for _, found in distances(rows, rows)]
    return np.concatenate(parts)
