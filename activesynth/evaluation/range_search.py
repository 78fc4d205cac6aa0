"""All pairs of rows within a radius: the space is halved again and again, and rows compared in it.

The distance of two rows is never smaller than that of their projections. So rows are projected onto
a few directions, and the rows that are searched are halved along the widest of them until few are
left; a row that is asked about goes wherever one within the radius can be, into both halves near a
border. What has come together is sorted along a direction and compared by matrix products, block
by block with the rows within the radius along it. Nothing is approximated. Where rows crowd so much
that most would go into both halves, halving ends early, and time grows with the square of their
number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from activesynth.domain.canonical import Array

CELL = 256
"""Rows in a part of the space at which halving ends; smaller parts cost more than they save."""
CROWDED = 1.8
"""How much more rows than before two halves hold together, from where on halving ends."""
BLOCK = 1024
WINDOW = 8192
DIRECTIONS = 16
SAMPLED = 512
"""Rows that the directions are found on; any orthonormal directions are valid ones."""
NUMBERS = 1 << 22
"""Numbers of a table held at once while rows are projected or pairs compared exactly."""


class Table(Protocol):
    """Rows of numbers: an array, or what makes rows when they are looked at."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return rows and features."""
        ...

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def __getitem__(self, rows: slice | Array, /) -> Array:
        """Return some rows."""
        ...


def pairs_within(a: Table, b: Table, radius: float) -> Iterator[tuple[Array, Array]]:
    """Yield, piece by piece, row numbers of ``a`` and ``b`` nearer than ``radius``.

    Memory beside the tables is their projections and one block times its window.

    Args:
        a: Shape ``(n, features)`` float32.
        b: Shape ``(m, features)`` float32, at least one row; may be ``a`` itself.
        radius: Euclidean distance; compared in float64.
    """
    centre = _mean(b).astype(np.float32)
    directions = _directions(b)
    along_b = _along(b, directions)
    along_a = along_b if a is b else _along(a, directions)
    slack = radius * (1 + 1e-3) + 1e-3  # float32 projections and products may err by this little
    for here, there, direction in _parts(along_a, along_b, slack):
        here = here[np.argsort(along_a[here, direction])]
        there = there[np.argsort(along_b[there, direction])]
        places = along_b[there, direction]
        for block in _pieces(here, BLOCK):
            low = np.searchsorted(places, along_a[block[0], direction] - slack, "left")
            high = np.searchsorted(places, along_a[block[-1], direction] + slack, "right")
            asked = a[block] - centre
            squares = np.einsum("ij,ij->i", asked, asked)[:, np.newaxis]
            for window in _pieces(there[low:high], WINDOW):
                found = b[window] - centre
                square = squares + np.einsum("ij,ij->i", found, found)
                square -= 2 * (asked @ found.T)
                i, j = np.nonzero(square < slack**2)
                is_near = _is_within(asked, found, i, j, radius)
                yield block[i[is_near]], window[j[is_near]]


def _parts(along_a: Array, along_b: Array, slack: float) -> Iterator[tuple[Array, Array, int]]:
    """Yield rows of ``a``, rows of ``b`` and a direction in which these differ.

    Every pair within ``slack`` comes together once.
    """
    waiting = [(np.arange(len(along_a)), np.arange(len(along_b)))]
    while waiting:
        here, there = waiting.pop()
        if not len(here):
            continue
        part = along_b[there]
        widest = int(part.std(axis=0).argmax())
        if len(there) <= CELL:
            yield here, there, widest
            continue
        half = len(there) // 2
        order = np.argpartition(part[:, widest], half)
        own, border = along_a[here, widest], part[order[half], widest]
        lower = here[own <= border + slack]
        upper = here[own >= border - slack]
        if len(lower) + len(upper) > CROWDED * len(here):
            yield here, there, widest
            continue
        waiting += [(upper, there[order[half:]]), (lower, there[order[:half]])]


def _pieces(rows: Array, size: int) -> Iterator[Array]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _is_within(asked: Array, found: Array, i: Array, j: Array, radius: float) -> Array:
    is_near = np.zeros(len(i), bool)
    step = max(1, NUMBERS // max(1, asked.shape[1]))
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        exact = asked[i[part]].astype(np.float64) - found[j[part]]
        is_near[part] = np.einsum("ij,ij->i", exact, exact) < radius**2
    return is_near


def _mean(x: Table) -> Array:
    """Return the mean row in float64, added up row by row as numpy does."""
    total = np.zeros((1, x.shape[1]))
    step = max(1, NUMBERS // max(1, x.shape[1]))
    for start in range(0, len(x), step):
        part = x[start : start + step].astype(np.float64)
        total = np.add.reduce(np.concatenate([total, part]), axis=0, keepdims=True)
    mean: Array = total[0] / len(x)
    return mean


def _directions(x: Table) -> Array:
    """Return up to ``DIRECTIONS`` orthonormal columns ``(features, k)``, of greatest variance."""
    sample = x[:: -(-len(x) // SAMPLED)].astype(np.float64)
    sample -= sample.mean(axis=0)
    squared, left = np.linalg.eigh(sample @ sample.T)
    best = np.flatnonzero(squared > 1e-9 * max(float(squared[-1]), 1e-30))[-DIRECTIONS:]
    if not len(best):
        return np.full((x.shape[1], 1), 1 / np.sqrt(max(1, x.shape[1])))
    orthonormal: Array = np.linalg.qr(sample.T @ left[:, best])[0]
    return orthonormal


def _along(x: Table, directions: Array) -> Array:
    """Return the projections of rows, ``(n, k)`` float32."""
    along = np.empty((len(x), directions.shape[1]), np.float32)
    step = max(1, NUMBERS // max(1, x.shape[1]))
    for start in range(0, len(x), step):
        along[start : start + step] = x[start : start + step].astype(np.float64) @ directions
    return along
