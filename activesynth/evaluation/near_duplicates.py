"""Near duplicates among rows, exactly: see :mod:`activesynth.evaluation.range_search`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation.range_search import Table, pairs_within

JOINED_PAIRS = 1 << 20
"""Pairs that are joined at once: joining looks at every row, so not at every block."""


def unit_scaled(x: Array, reference: Array | None = None) -> Array:
    """Flatten inputs to float32 rows on which the root-mean-square distance has a fixed meaning.

    Pictures (uint8) are divided by 255; other inputs by each feature's standard deviation in
    ``reference`` (in ``x`` itself when None).

    Args:
        x: Inputs, shape ``(n, ...)``.
        reference: Rows that set the scale, shape ``(m, ...)``.

    Returns:
        Shape ``(n, features)``.
    """
    rows = x.reshape(len(x), math.prod(x.shape[1:])).astype(np.float32)  # also without rows
    if x.dtype == np.uint8:
        return rows / np.float32(255.0)
    against = rows if reference is None else reference.reshape(len(reference), rows.shape[1])
    return rows / _spread(against)


def _spread(rows: Array) -> Array:
    """Return the standard deviation of each feature, 1 where there is none, float32.

    Some features at a time, because numpy holds all differences from the mean at once; eight or
    more, because fewer it would add up in another order.
    """
    width = rows.shape[1]
    if not len(rows) or not width:
        return np.ones(width, np.float32)
    parts = np.array_split(np.arange(width), max(1, width // 8))
    spread = np.concatenate(
        [rows[:, part[0] : part[-1] + 1].std(axis=0, dtype=np.float64) for part in parts]
    )
    return np.where(spread > 0, spread, 1.0).astype(np.float32)


class ScaledRows:
    """What :func:`unit_scaled` returns, made of a few rows at a time when they are looked at."""

    def __init__(self, x: Array, scale: Array | np.float32, rows: Array | None = None) -> None:
        """Look at all of ``x``, or at the rows of these numbers; ``scale`` divides them."""
        self._x, self._scale, self._rows = x, scale, rows
        self.shape = (len(x) if rows is None else len(rows), math.prod(x.shape[1:]))

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice | Array, /) -> Array:
        """Return some rows, ``(m, features)`` float32."""
        found = self._x[rows if self._rows is None else self._rows[rows]]
        scaled: Array = found.reshape(len(found), self.shape[1]).astype(np.float32) / self._scale
        return scaled

    def take(self, rows: Array) -> ScaledRows:
        """Return these rows as a table of the same kind."""
        return ScaledRows(self._x, self._scale, rows if self._rows is None else self._rows[rows])


def scaled_rows(x: Array) -> ScaledRows:
    """Return the rows of :func:`unit_scaled` without holding them."""
    if x.dtype == np.uint8:
        return ScaledRows(x, np.float32(255.0))
    flat = x.reshape(len(x), math.prod(x.shape[1:])).astype(np.float32, copy=False)
    return ScaledRows(x, _spread(flat))


def near_duplicate_groups(x: Table, threshold: float) -> Array:
    """Number the connected components of "nearer than ``threshold``" (single linkage).

    Args:
        x: Rows as from :func:`unit_scaled`, shape ``(n, features)``.
        threshold: Root-mean-square difference per feature, from 0 (which connects nothing).

    Returns:
        Component number of each row, ``(n,)`` int64.
    """
    labels = np.arange(len(x), dtype=np.int64)
    if threshold <= 0 or len(x) < 2:
        return labels
    waiting: list[tuple[Array, Array]] = []
    count = 0
    for left, right in _near_pairs(x, x, threshold):
        others = left < right
        waiting.append((left[others], right[others]))
        count += len(waiting[-1][0])
        if count > JOINED_PAIRS:
            labels, waiting, count = _merged(labels, waiting), [], 0
    return _merged(labels, waiting)


def has_near_duplicate(queries: Table, reference: Table, threshold: float) -> Array:
    """Tell which queries have a reference row nearer than ``threshold``, ``(n,)`` bool.

    Args:
        queries: Shape ``(n, features)``, scaled like the reference.
        reference: Shape ``(m, features)``.
        threshold: Root-mean-square difference per feature.
    """
    is_near = np.zeros(len(queries), bool)
    if threshold <= 0 or not len(reference) or not len(queries):
        return is_near
    for left, _ in _near_pairs(queries, reference, threshold):
        is_near[left] = True
    return is_near


def near_pairs(queries: Table, reference: Table, threshold: float) -> tuple[Array, Array]:
    """Return the row numbers of all pairs nearer than ``threshold``, each ``(pairs,)`` int64.

    They come in order of the queries, then of the reference.

    Args:
        queries: Shape ``(n, features)``, scaled like the reference.
        reference: Shape ``(m, features)``; given twice the same rows, each pair comes both ways.
        threshold: Root-mean-square difference per feature, from 0 (which finds nothing).
    """
    if threshold <= 0 or not len(queries) or not len(reference):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    found = list(_near_pairs(queries, reference, threshold))
    left = np.concatenate([one for one, _ in found]) if found else np.zeros(0, np.int64)
    right = np.concatenate([other for _, other in found]) if found else np.zeros(0, np.int64)
    order = np.lexsort((right, left))
    return left[order].astype(np.int64), right[order].astype(np.int64)


def _merged(labels: Array, pairs: list[tuple[Array, Array]]) -> Array:
    if not pairs:
        return labels
    left, right = (np.concatenate(side) for side in zip(*pairs, strict=True))
    merged: Array = joined(labels[left], labels[right], len(labels))[labels]
    return merged


def joined(left: Array, right: Array, count: int) -> Array:
    """Return the component number of each of ``count`` nodes under edges ``left[i]-right[i]``."""
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, np.int64)


def _near_pairs(a: Table, b: Table, threshold: float) -> Iterator[tuple[Array, Array]]:
    """Yield, piece by piece, the row numbers of all pairs nearer than the threshold."""
    if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[1] != b.shape[1]:
        raise ShapeError(
            f"near duplicates need two tables of equal width, got {a.shape} and {b.shape}."
        )
    return pairs_within(a, b, threshold * np.sqrt(a.shape[1]))
