"""The generator's objective: does it make what is uncertain, as real data has it, and as real."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.fidelity import gaussian_distance

SMOOTHING = 0.5
"""Pseudo-count added to every cell (Jeffreys), so that one empty cell does not decide alone."""


@dataclass(frozen=True, slots=True)
class GeneratorObjective:
    """The two parts and their weighted sum; lower is better.

    Attributes:
        divergence: KL(synthetic || real uncertain) over cells in nats, at least 0.
        frechet: Fréchet distance of the embeddings, in squared units of them, at least 0.
        total: ``divergence + weight * frechet``.
    """

    divergence: float
    frechet: float
    total: float


def generator_objective(
    synthetic_cells: Array,
    real_cells: Array,
    synthetic_vectors: Array,
    real_vectors: Array,
    cells: int,
    weight: float,
) -> GeneratorObjective:
    """Compare synthetic rows with the real rows of the uncertain region.

    Args:
        synthetic_cells: Class, cluster or their combination per synthetic row, ``(n,)`` in
            ``[0, cells)``; :func:`joint_cells` makes combinations.
        real_cells: Likewise for the real rows that the model is unsure about, ``(m,)``.
        synthetic_vectors: Embeddings ``(n, d)``.
        real_vectors: Embeddings ``(m, d)``.
        cells: Number of cells, 1 or more.
        weight: Weight (lambda) of the Fréchet distance, at least 0.

    Raises:
        ShapeError: If the arrays do not align or a cell is beyond its range.
        InputError: If there are under 2 rows on a side, or the weight is negative or not finite.
    """
    if not (np.isfinite(weight) and weight >= 0.0):
        raise InputError(
            f"`weight` of the Fréchet distance is {weight}; it must be finite and at least 0.",
            reason="bad_weight",
        )
    for name, rows, vectors in (
        ("synthetic", synthetic_cells, synthetic_vectors),
        ("real", real_cells, real_vectors),
    ):
        if len(rows) != len(vectors):
            raise ShapeError(
                f"{name} cells and vectors must align, got {len(rows)}, {len(vectors)}."
            )
    divergence = kl_divergence(synthetic_cells, real_cells, cells)
    distance = frechet_distance(synthetic_vectors, real_vectors)
    return GeneratorObjective(divergence, distance, divergence + weight * distance)


def joint_cells(labels: Array, clusters: Array, cluster_count: int) -> Array:
    """Return one cell per combination of label and cluster, ``(n,)`` int64.

    Raises:
        ShapeError: If the arrays do not align or a cluster is beyond its range.
    """
    labels, clusters = np.asarray(labels, np.int64), np.asarray(clusters, np.int64)
    if labels.shape != clusters.shape:
        raise ShapeError(f"labels {labels.shape} and clusters {clusters.shape} must align.")
    if len(clusters) and not (clusters.min() >= 0 and clusters.max() < cluster_count):
        raise ShapeError(
            f"clusters must be in [0, {cluster_count}), got {clusters.min()} to {clusters.max()}."
        )
    cells: Array = labels * cluster_count + clusters
    return cells


def kl_divergence(synthetic: Array, real: Array, cells: int, smoothing: float = SMOOTHING) -> float:
    """Return KL(synthetic || real) between the distributions over cells, in nats.

    Both are smoothed by ``smoothing`` pseudo-counts per cell, so it is finite, at least 0, and 0
    where the smoothed distributions are equal. It grows with cells that synthetic rows fill and
    real uncertain rows do not; cells that they leave out weigh little (:func:`coverage` and the
    other direction see those).

    Raises:
        ShapeError: If a cell is beyond ``[0, cells)``.
        InputError: If ``smoothing`` is not above 0.
    """
    if not (np.isfinite(smoothing) and smoothing > 0.0):
        raise InputError(
            f"`smoothing` is {smoothing}; it must be above 0, or one empty cell of the real rows "
            "makes the divergence infinite.",
            reason="smoothing",
        )
    p, q = (_distribution(rows, cells, smoothing) for rows in (synthetic, real))
    return float(max(0.0, np.sum(p * np.log(p / q))))


def _distribution(rows: Array, cells: int, smoothing: float) -> Array:
    rows = np.asarray(rows, np.int64)
    if cells < 1 or (len(rows) and not (rows.min() >= 0 and rows.max() < cells)):
        found = f"{rows.min()} to {rows.max()}" if len(rows) else "no rows"
        raise ShapeError(f"cells must be in [0, {cells}) with 1 cell or more, got {found}.")
    counts = np.bincount(rows, minlength=cells) + smoothing
    distribution: Array = counts / counts.sum()
    return distribution


def frechet_distance(one: Array, other: Array) -> float:
    """Return the squared 2-Wasserstein distance between Gaussians fitted to two sets of vectors.

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`` with unbiased covariances. Sets of few vectors
    come out too far apart by the noise of their covariances: compare equal sizes only.

    Args:
        one: Vectors ``(n, d)``, 2 or more.
        other: Vectors ``(m, d)``, 2 or more.

    Raises:
        ShapeError: If the vectors differ in length.
        InputError: If there are under 2 on a side.

    References:
        Dowson and Landau 1982; Heusel et al. 2017, arXiv:1706.08500.
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1]:
        raise ShapeError(
            f"frechet_distance needs vectors (n, d) of one length, got {one.shape}, {other.shape}."
        )
    if min(len(one), len(other)) < 2:
        raise InputError(
            f"frechet_distance needs 2 vectors or more on each side, got {len(one)} and "
            f"{len(other)}; a covariance of fewer is not defined.",
            reason="too_few_rows",
        )
    return gaussian_distance(one, other)
