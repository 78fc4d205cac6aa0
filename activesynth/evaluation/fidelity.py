"""How far synthetic features lie from real ones: Fréchet and kernel distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.neighbours import check_features

ROWS_PER_DIMENSION = 2
"""Fewest rows per feature for a Fréchet distance; below, the covariances are mostly noise."""
MIN_SUBSET = 10
"""Fewest rows for a kernel distance."""
MEMORISATION_THRESHOLD = 0.1
SMALLEST_DISTANCE = 1e-14
BLOCK = 1024


@dataclass(frozen=True, slots=True)
class FrechetDistance:
    """A squared Fréchet distance, 0 or more; lower is more alike.

    It shrinks with the number of rows even between samples of one distribution, so only values
    of equal ``n_real``, ``n_synthetic`` and features compare.
    """

    value: float
    n_real: int
    n_synthetic: int
    dimension: int


@dataclass(frozen=True, slots=True)
class KernelDistance:
    """A squared maximum mean discrepancy; around 0, and below 0 by chance, for equal samples.

    Attributes:
        value: Mean over subsets.
        spread: Standard deviation over subsets; they overlap, so it is no standard error.
        subsets: How many.
        subset_size: Rows of each side in a subset.
        n_real: Rows that subsets were drawn from.
        n_synthetic: The same of the synthetic side.
    """

    value: float
    spread: float
    subsets: int
    subset_size: int
    n_real: int
    n_synthetic: int


@dataclass(frozen=True, slots=True)
class MemorisationInformedDistance:
    """A Fréchet distance, divided by how near synthetic rows lie to rows that were trained on.

    Attributes:
        value: ``frechet.value`` / ``nearest`` where ``nearest`` is under the threshold, else
            ``frechet.value``.
        nearest: Mean cosine distance from a synthetic row to the nearest train row, in ``[0, 1]``.
        is_penalised: Whether ``nearest`` is under the threshold.
        frechet: The distance without penalty.
    """

    value: float
    nearest: float
    is_penalised: bool
    frechet: FrechetDistance


def frechet_distance(real: Array, synthetic: Array) -> FrechetDistance | NotEstimable:
    """Return the Fréchet distance of two Gaussians fitted to features (FID on Inception's).

    ``|mu_r - mu_s|^2 + tr(S_r + S_s - 2 (S_r S_s)^(1/2))``, with covariances over n - 1.

    Args:
        real: Features of real rows, ``(n, d)``.
        synthetic: Features of synthetic rows, ``(m, d)``, by the same encoder.

    Returns:
        The distance, or :class:`NotEstimable` with fewer than ``2 d`` rows on a side.

    Raises:
        InputError: If a feature is not finite.
        ShapeError: If widths differ or a side has no rows.

    References:
        Heusel et al. 2017, arXiv:1706.08500; Chong and Forsyth 2020, arXiv:1911.07023 (its bias).
    """
    real, synthetic = _checked(real, synthetic)
    n, dimension = min(len(real), len(synthetic)), real.shape[1]
    if n < ROWS_PER_DIMENSION * dimension:
        return NotEstimable("a Fréchet distance", n, ROWS_PER_DIMENSION * dimension)
    value = gaussian_distance(real, synthetic)
    return FrechetDistance(value, len(real), len(synthetic), dimension)


def gaussian_distance(one: Array, other: Array) -> float:
    """Return the squared 2-Wasserstein distance of Gaussians fitted to ``(n, d)`` and ``(m, d)``.

    Finite at any number of rows from 2 on, and too large where they are few: compare equal sizes.

    References:
        Dowson and Landau 1982, Journal of Multivariate Analysis 12:450-455.
    """
    shift = one.mean(axis=0) - other.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (one, other))
    # S_1^(1/2) S_2 S_1^(1/2) is symmetric and has the eigenvalues of S_1 S_2.
    root = _root(first)
    eigenvalues = np.linalg.eigvalsh(root @ second @ root)
    overlap = np.sqrt(np.maximum(eigenvalues, 0.0)).sum()
    value = shift @ shift + np.trace(first) + np.trace(second) - 2.0 * overlap
    return max(0.0, float(value))


def kernel_distance(
    real: Array, synthetic: Array, *, seed: int, subsets: int = 50, subset_size: int = 1000
) -> KernelDistance | NotEstimable:
    """Return the squared maximum mean discrepancy under a cubic kernel (KID on Inception's).

    Unbiased at any number of rows, unlike the Fréchet distance: ``k(a, b) = (a b / d + 1)^3``,
    diagonals left out, averaged over random subsets. Subsets as large as both sides use every
    row once.

    Args:
        real: Features of real rows, ``(n, d)``.
        synthetic: Features of synthetic rows, ``(m, d)``, by the same encoder.
        seed: Equal seeds give equal subsets.
        subsets: How many, 1 or more.
        subset_size: Rows of each side in a subset; as many as there are where there are fewer.

    Returns:
        The distance, or :class:`NotEstimable` with fewer than 10 rows on a side or in a subset.

    Raises:
        InputError: If a feature is not finite.
        ShapeError: If widths differ or a side has no rows, or ``subsets`` is below 1.

    References:
        Binkowski et al. 2018, arXiv:1801.01401.
    """
    real, synthetic = _checked(real, synthetic)
    if subsets < 1:
        raise ShapeError(f"a kernel distance needs subsets >= 1, got {subsets}.")
    size = min(subset_size, len(real), len(synthetic))
    if size < MIN_SUBSET:
        return NotEstimable("a kernel distance", size, MIN_SUBSET)
    rng = np.random.default_rng(seed)
    values = [
        _discrepancy(
            real[rng.permutation(len(real))[:size]],
            synthetic[rng.permutation(len(synthetic))[:size]],
        )
        for _ in range(subsets)
    ]
    return KernelDistance(
        float(np.mean(values)), float(np.std(values)), subsets, size, len(real), len(synthetic)
    )


def memorisation_informed_distance(
    train: Array, synthetic: Array, *, threshold: float = MEMORISATION_THRESHOLD
) -> MemorisationInformedDistance | NotEstimable:
    """Return the Fréchet distance to train rows, made worse for copies of them (MiFID).

    A generator that repeats its training rows has the best Fréchet distance there is; this one
    grows without bound instead.

    Args:
        train: Features of the rows that the generator was trained on, ``(n, d)``.
        synthetic: Features of synthetic rows, ``(m, d)``, by the same encoder.
        threshold: Mean cosine distance to the nearest train row under which rows count as
            copies, in ``(0, 1]``; set it from real held-out rows, for it hangs on the encoder.

    Returns:
        The distance, or :class:`NotEstimable` as in :func:`frechet_distance`.

    Raises:
        InputError: If a feature is not finite, or the threshold lies outside ``(0, 1]``.
        ShapeError: If widths differ or a side has no rows.

    References:
        Bai et al. 2021, arXiv:2106.03062.
    """
    if not 0.0 < threshold <= 1.0:
        raise InputError(
            f"the threshold of memorisation must lie in (0, 1], got {threshold:g}; it is a "
            "cosine distance.",
            reason="threshold",
            field="threshold",
        )
    frechet = frechet_distance(train, synthetic)
    if isinstance(frechet, NotEstimable):
        return frechet
    nearest = _mean_nearest_cosine_distance(_checked(synthetic, train))
    is_penalised = nearest < threshold
    value = frechet.value / (nearest + SMALLEST_DISTANCE) if is_penalised else frechet.value
    return MemorisationInformedDistance(value, nearest, is_penalised, frechet)


def _checked(real: Array, synthetic: Array) -> tuple[Array, Array]:
    """Return both tables as float64, or refuse them."""
    check_features("a distance of features", real, synthetic)
    return real.astype(np.float64), synthetic.astype(np.float64)


def _root(covariance: Array) -> Array:
    """Return the symmetric square root of a covariance; rounding below 0 counts as 0."""
    values, vectors = np.linalg.eigh(covariance)
    root: Array = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


def _discrepancy(real: Array, synthetic: Array) -> float:
    n, dimension = real.shape
    within = sum(
        kernel.sum() - np.trace(kernel)
        for kernel in (_cubic(real, real, dimension), _cubic(synthetic, synthetic, dimension))
    )
    between = _cubic(real, synthetic, dimension).mean()
    return float(within / (n * (n - 1)) - 2.0 * between)


def _cubic(a: Array, b: Array, dimension: int) -> Array:
    kernel: Array = (a @ b.T / dimension + 1.0) ** 3
    return kernel


def _mean_nearest_cosine_distance(rows_and_reference: tuple[Array, Array]) -> float:
    """Average over rows how near the nearest reference row is; rows of zeros are left out."""
    rows, reference = (table[np.linalg.norm(table, axis=1) > 0] for table in rows_and_reference)
    if not len(rows) or not len(reference):
        return 1.0
    rows, reference = (t / np.linalg.norm(t, axis=1, keepdims=True) for t in (rows, reference))
    nearest = [
        1.0 - np.abs(rows[start : start + BLOCK] @ reference.T).max(axis=1)
        for start in range(0, len(rows), BLOCK)
    ]
    # Rounding can put a copy at a distance just below 0.
    return max(0.0, float(np.concatenate(nearest).mean()))
