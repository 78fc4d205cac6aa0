"""How much of the real data synthetic rows cover, and how much of them is realistic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.neighbours import check_features, distances, neighbour_radii
from activesynth.statistics.intervals import Interval, wilson

NEIGHBOURS = 5
RARE = 0.05


@dataclass(frozen=True, slots=True)
class ManifoldScores:
    """Fidelity (precision, density) and diversity (recall, coverage) apart.

    Attributes:
        precision: Share of synthetic rows inside the ball of some real row, ``[0, 1]``.
        recall: Share of real rows inside the ball of some synthetic row, ``[0, 1]``.
        density: Mean number of real balls around a synthetic row over k; 1 for equal
            distributions, more where synthetic rows crowd where real ones are dense.
        coverage: Share of real rows whose ball holds a synthetic row, ``[0, 1]``. Unlike recall,
            synthetic outliers do not raise it.
        expected_coverage: What coverage would be were both of one distribution.
        k: Balls reach to the k-th nearest row of their own side.
        n_real: Real rows.
        n_synthetic: Synthetic rows.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    expected_coverage: float
    k: int
    n_real: int
    n_synthetic: int


def manifold_scores(
    real: Array, synthetic: Array, *, k: int = NEIGHBOURS
) -> ManifoldScores | NotEstimable:
    """Return precision, recall, density and coverage from nearest neighbours of features.

    Args:
        real: Features of real rows, ``(n, d)``.
        synthetic: Features of synthetic rows, ``(m, d)``, by the same encoder.
        k: Neighbours, 1 or more.

    Returns:
        The scores, or :class:`NotEstimable` with k rows or fewer on a side.

    Raises:
        InputError: If a feature is not finite.
        ShapeError: If widths differ, a side has no rows, or ``k`` is below 1.

    References:
        Naeem et al. 2020, arXiv:2002.09797; Kynkäänniemi et al. 2019, arXiv:1904.06991.
    """
    _check(real, synthetic, k)
    n = min(len(real), len(synthetic))
    if n <= k:
        return NotEstimable("precision, recall, density and coverage", n, k + 1)
    of_real, of_synthetic = neighbour_radii(real, k), neighbour_radii(synthetic, k)
    is_precise = np.zeros(len(synthetic), bool)
    is_recalled, is_covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    inside = 0
    for block, found in distances(real, synthetic):
        in_ball = found < of_real[block, np.newaxis]
        is_precise |= in_ball.any(axis=0)
        is_covered[block] = in_ball.any(axis=1)
        is_recalled[block] = (found < of_synthetic).any(axis=1)
        inside += int(in_ball.sum())
    return ManifoldScores(
        precision=float(is_precise.mean()),
        recall=float(is_recalled.mean()),
        density=inside / (k * len(synthetic)),
        coverage=float(is_covered.mean()),
        expected_coverage=expected_coverage(len(real), len(synthetic), k),
        k=k,
        n_real=len(real),
        n_synthetic=len(synthetic),
    )


def expected_coverage(n_real: int, n_synthetic: int, k: int) -> float:
    """Return the coverage that equal distributions have on average, in ``(0, 1)``.

    Of the other ``n_real - 1`` real rows and the synthetic ones, a real row is not covered when
    its k nearest are all real.

    References:
        Naeem et al. 2020, arXiv:2002.09797, lemma 2.
    """
    place = np.arange(k)
    return float(1.0 - np.prod((n_real - 1 - place) / (n_real + n_synthetic - 1 - place)))


def nearest_neighbour_coverage(real: Array, synthetic: Array) -> Interval | NotEstimable:
    """Return the share of real rows that have a synthetic row nearer than any other real row.

    Coverage at k = 1: 0.5 on average for equally many rows of one distribution. The Wilson
    interval treats real rows as independent given the synthetic ones.

    Args:
        real: Features of real rows, ``(n, d)``.
        synthetic: Features of synthetic rows, ``(m, d)``.

    Returns:
        In ``[0, 1]``, or :class:`NotEstimable` with fewer than 2 real rows.

    Raises:
        InputError: If a feature is not finite.
        ShapeError: If widths differ or a side has no rows.
    """
    _check(real, synthetic, 1)
    if len(real) < 2:
        return NotEstimable("nearest-neighbour coverage", len(real), 2)
    return _covered(real, synthetic, 1)


def rare_class_coverages(
    real: Array,
    y_real: Array,
    synthetic: Array,
    y_synthetic: Array,
    *,
    threshold: float = RARE,
    k: int = NEIGHBOURS,
) -> dict[int, Interval | NotEstimable]:
    """Return for each rare class how much of it the synthetic rows of that class cover.

    Coverage within the class: balls reach to the k-th nearest real row of the same class, so a
    class that lies far apart is not covered by one lucky sample.

    Args:
        real: Features of real rows, ``(n, d)``.
        y_real: Their labels, ``(n,)``.
        synthetic: Features of synthetic rows, ``(m, d)``; m may be 0.
        y_synthetic: Their labels, ``(m,)``.
        threshold: Classes that occur with a smaller share than this are rare, in ``[0, 1]``.
        k: Neighbours, 1 or more.

    Returns:
        Class to coverage in ``[0, 1]`` with a Wilson interval over its real rows (treated as
        independent given the synthetic ones); 0 for a class without synthetic rows;
        :class:`NotEstimable` for one with k real rows or fewer. Empty where no class is rare.

    Raises:
        InputError: If a feature is not finite.
        ShapeError: If labels do not align, widths differ, or ``k`` is below 1.
    """
    if len(real) != len(y_real) or len(synthetic) != len(y_synthetic):
        raise ShapeError(
            f"rare-class coverage needs one label per row, got {len(y_real)} for {len(real)} real "
            f"and {len(y_synthetic)} for {len(synthetic)} synthetic rows."
        )
    classes, counts = np.unique(y_real, return_counts=True)
    found: dict[int, Interval | NotEstimable] = {}
    for label in classes[counts / max(1, len(y_real)) < threshold]:
        ours, theirs = real[y_real == label], synthetic[y_synthetic == label]
        if len(ours) <= k:
            found[int(label)] = NotEstimable(f"coverage of class {label}", len(ours), k + 1)
        elif len(theirs) == 0:
            found[int(label)] = wilson(0, len(ours))
        else:
            _check(ours, theirs, k)
            found[int(label)] = _covered(ours, theirs, k)
    return found


def _covered(real: Array, synthetic: Array, k: int) -> Interval:
    radii = neighbour_radii(real, k)
    hits = sum(
        int((found.min(axis=1) < radii[block]).sum()) for block, found in distances(real, synthetic)
    )
    return wilson(hits, len(real))


def _check(real: Array, synthetic: Array, k: int) -> None:
    check_features("coverage", real, synthetic)
    if k < 1:
        raise ShapeError(f"coverage needs k >= 1 neighbours, got {k}.")
