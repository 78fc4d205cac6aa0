"""Balancing groups by candidates that pass for real: rejection sampling that a bandit guides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError

ALPHA = 0.05
LEAST_OF_CLASS = 10  # a class with fewer real rows is judged by the distances of all classes


@dataclass(frozen=True, slots=True)
class Guided:
    """Which candidates were taken, in that order, and what became of the others.

    Attributes:
        rows: Distinct candidate indices, ``(count,)`` int64.
        rejected: How many candidates were looked at and failed the test.
        filled: How many of ``rows`` failed it as well and only fill the number up, at the end.
    """

    rows: Array
    rejected: int
    filled: int


def conformal_p_values(real: Array, real_y: Array, candidates: Array, y: Array) -> Array:
    """Return how usual each candidate's distance to the real rows of its label is, ``(m,)``.

    The share of real rows of the label that lie farther from their nearest neighbour of the label
    than the candidate does, in ``(0, 1]``; under 0.05 few real rows look so strange. A label with
    fewer than ten real rows is compared with the distances of all labels.

    Args:
        real: Embeddings of real rows, ``(n, d)``.
        real_y: Their labels, ``(n,)``.
        candidates: Embeddings, ``(m, d)``.
        y: Labels of the candidates, ``(m,)``; one no real row has gets 1 over n + 1.

    References:
        Vovk, Gammerman and Shafer 2005, "Algorithmic Learning in a Random World", chapter 2.
    """
    usual = {int(label): _own_distances(real[real_y == label]) for label in np.unique(real_y)}
    everywhere = np.concatenate([*usual.values(), np.zeros(0)])
    p_values = np.full(len(y), 1.0 / (len(real) + 1.0))
    for label in np.unique(y).tolist():
        own, made = real[real_y == label], y == label
        if not len(own):
            continue
        known = usual[label] if len(own) >= LEAST_OF_CLASS else everywhere
        distance = pairwise_distances_argmin_min(candidates[made], own)[1]
        farther = len(known) - np.searchsorted(np.sort(known), distance, side="left")
        p_values[made] = (1.0 + farther) / (1.0 + len(known))
    return p_values


def guided_rejection(
    p_values: Array,
    cells: Array,
    real_cells: Array,
    count: int,
    *,
    seed: int,
    alpha: float = ALPHA,
) -> Guided:
    """Take candidates cell by cell until as many as asked for pass, the neediest cells first.

    A bandit chooses the guide, the cell whose next candidate is looked at: by a Thompson draw of
    how often the cell's candidates pass, times how many rows the cell lacks to the largest one.
    Cells that lack nothing are looked at once all others are level with them or used up.

    Args:
        p_values: Of the candidates, ``(m,)``; under ``alpha`` one is rejected.
        cells: Class and attribute values of each candidate as one text, ``(m,)`` unicode.
        real_cells: The same of the rows that are there already, ``(n,)``.
        count: How many to take, at most ``m``.
        seed: Seed of the draws and of the order within a cell.
        alpha: Share of real rows that the test would reject, in ``[0, 1]``.

    Raises:
        ShapeError: If p-values and cells do not align or there are fewer candidates than asked.

    References:
        Erfanian et al. 2024, arXiv:2402.01071; here nearest neighbours take the place of their
        one-class test, and cells that of their guide images.
    """
    if len(p_values) != len(cells) or count > len(cells):
        raise ShapeError(
            f"{count} rows cannot be taken from {len(cells)} candidates with {len(p_values)} "
            "p-values; make more candidates (`plan.oversample`)."
        )
    rng = np.random.default_rng(seed)
    names, place = np.unique(np.concatenate([cells, real_cells]), return_inverse=True)
    have = np.bincount(place[len(cells) :], minlength=len(names)).astype(np.float64)
    order = rng.permutation(len(cells))
    waiting = [order[place[order] == k].tolist()[::-1] for k in range(len(names))]
    passed, failed = np.ones(len(names)), np.ones(len(names))
    taken: list[int] = []
    rejected: list[int] = []
    while len(taken) < count and any(waiting):
        is_there = np.array([bool(rows) for rows in waiting])
        lack = np.maximum(have.max() - have, 1e-6)
        guide = int(np.where(is_there, rng.beta(passed, failed) * lack, -1.0).argmax())
        row = waiting[guide].pop()
        if p_values[row] >= alpha:
            taken.append(row)
            have[guide] += 1.0
            passed[guide] += 1.0
        else:
            rejected.append(row)
            failed[guide] += 1.0
    missing = count - len(taken)
    rejected.sort(key=lambda row: (-float(p_values[row]), row))
    rows = np.array(taken + rejected[:missing], np.int64)
    return Guided(rows, len(rejected), missing)


def _own_distances(points: Array) -> Array:
    """Return each row's distance to its nearest other row, ``(n,)``; none for a single row."""
    from sklearn.neighbors import NearestNeighbors

    if len(points) < 2:
        return np.zeros(0)
    distances: Array = NearestNeighbors(n_neighbors=1).fit(points).kneighbors()[0][:, 0]
    return distances
