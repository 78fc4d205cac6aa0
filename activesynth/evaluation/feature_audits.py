"""Fidelity and memorisation of one synthetic branch, from features, as rows of metrics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.records import MetricRow
from activesynth.errors import ShapeError
from activesynth.evaluation.coverage import (
    manifold_scores,
    nearest_neighbour_coverage,
    rare_class_coverages,
)
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.fidelity import (
    frechet_distance,
    kernel_distance,
    memorisation_informed_distance,
)
from activesynth.evaluation.memorisation import measure_copying, membership_by_distance
from activesynth.statistics.intervals import Interval, wilson

COPIES = 0.5
"""Rows on average nearer to train rows than this share of held-out rows' distance are copies."""
SUBSETS = 20
SPLIT = "synthetic"


@dataclass(frozen=True, slots=True)
class Featured:
    """Rows as an encoder sees them: ``vectors`` ``(n, d)``, labels and groups ``(n,)``."""

    vectors: Array
    y: Array
    groups: Array

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.y)

    def take(self, rows: Array) -> Featured:
        """Return these rows alone."""
        return Featured(self.vectors[rows], self.y[rows], self.groups[rows])

    def some(self, count: int, seed: int) -> Featured:
        """Return at most ``count`` rows, drawn evenly."""
        return self if len(self) <= count else self.take(drawn(len(self), count, seed))

    def along(self, directions: Array) -> Featured:
        """Return the rows projected on ``directions``, ``(d, k)``."""
        return Featured(self.vectors @ directions, self.y, self.groups)


def drawn(rows: int, count: int, seed: int) -> Array:
    """Return at most ``count`` of ``rows`` row numbers, drawn evenly, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:count])


def main_directions(vectors: Array, count: int) -> Array:
    """Return the directions that hold most of ``vectors``, ``(d, min(count, d, n))``.

    A truncated singular value decomposition without centring, so that lengths and angles
    survive as well as they can. Distances need far fewer rows in few directions, and stay
    comparable as long as the directions do.
    """
    _, _, right = np.linalg.svd(np.asarray(vectors, np.float64), full_matrices=False)
    directions: Array = right[:count].T
    return directions


def same_mixture(y: Array, other: Array, *, limit: int, seed: int) -> tuple[Array, Array]:
    """Draw rows of two sets so that both hold every class equally often.

    What tells classes apart would otherwise pass for what tells the sets apart.

    Args:
        y: Labels of the first set, ``(n,)``.
        other: Labels of the second set, ``(m,)``.
        limit: Most rows of a side.
        seed: Equal seeds draw equal rows.

    Returns:
        Row numbers of both sides, equally many; none where no class is on both.
    """
    if limit < 1:
        raise ShapeError(f"same_mixture needs a limit of 1 row or more, got {limit}.")
    rng = np.random.default_rng(seed)
    sides: tuple[list[Array], list[Array]] = ([], [])
    labels = np.intersect1d(y, other)
    shared = {k: min(int((y == k).sum()), int((other == k).sum())) for k in labels.tolist()}
    share = min(1.0, limit / max(1, sum(shared.values())))
    for label, there in shared.items():
        count = max(1, int(there * share))
        for side, known in zip(sides, (y, other), strict=True):
            side.append(rng.permutation(np.flatnonzero(known == label))[:count])
    empty = np.zeros(0, np.int64)
    one, two = (np.sort(np.concatenate([empty, *side])) for side in sides)
    return one, two


def fidelity_rows(
    arm: str, real: Featured, train: Featured, synthetic: Featured, *, seed: int
) -> list[MetricRow]:
    """Score how real synthetic rows look and how much of the real ones they cover.

    Every distance stands beside the one that as many real rows of train have (``.._of_real``):
    a Fréchet distance shrinks with the number of rows and grows with any difference of mixture.

    Args:
        arm: Whose branch it is.
        real: Rows of guide.
        train: Real rows that were trained on.
        synthetic: Invented rows of the branch.
        seed: Which rows and subsets are drawn.
    """
    rows: list[MetricRow] = []
    alike = train.some(len(synthetic), seed)
    for name, side in (("", synthetic), ("_of_real", alike)):
        n = min(len(side), len(real))
        found = frechet_distance(real.vectors, side.vectors)
        rows.append(_number(arm, f"frechet{name}", found, n))
        kernel = kernel_distance(real.vectors, side.vectors, seed=seed, subsets=SUBSETS)
        rows.append(_number(arm, f"kernel_distance{name}", kernel, n))
    scores = manifold_scores(real.vectors, synthetic.vectors)
    if isinstance(scores, NotEstimable):
        rows.append(_number(arm, "manifold", scores, scores.n))
    else:
        rows += [
            _share(arm, "manifold_precision", scores.precision, len(synthetic)),
            _share(arm, "manifold_recall", scores.recall, len(real)),
            _plain(arm, "manifold_density", scores.density, len(synthetic)),
            _share(arm, "manifold_coverage", scores.coverage, len(real)),
            _plain(arm, "manifold_coverage_expected", scores.expected_coverage, len(real)),
        ]
    nearest = nearest_neighbour_coverage(real.vectors, synthetic.vectors)
    rows.append(_number(arm, "nearest_neighbour_coverage", nearest, len(real)))
    rare = rare_class_coverages(real.vectors, real.y, synthetic.vectors, synthetic.y)
    return rows + [
        _number(arm, "manifold_coverage", one, one.n, part=f"class:{label}")
        for label, one in rare.items()
    ]


def memorisation_rows(
    arm: str, held_out: Featured, train: Featured, synthetic: Featured, *, limit: int, seed: int
) -> list[MetricRow]:
    """Score whether synthetic rows repeat the train rows, and whether they give them away.

    Sides are drawn so that they hold every class equally often.

    Args:
        arm: Whose branch it is.
        held_out: Rows of guide, which the generator never saw.
        train: Rows that it was trained on.
        synthetic: Invented rows of the branch.
        limit: Most rows of a side.
        seed: Which rows are drawn.
    """
    rows: list[MetricRow] = []
    ours, theirs = same_mixture(synthetic.y, held_out.y, limit=limit, seed=seed)
    if not len(ours):
        return [_number(arm, "copying_nearer", NotEstimable("copying", 0, 10), 0)]
    near, away = synthetic.take(ours), held_out.take(theirs)
    copying = measure_copying(
        near.vectors, train.vectors, away.vectors, held_out_groups=away.groups
    )
    if isinstance(copying, NotEstimable):
        rows.append(_number(arm, "copying_nearer", copying, copying.n))
    else:
        rows += [
            _number(arm, "copying_nearer", copying.nearer, 0),
            _number(arm, "copying_close", copying.close, 0),
            _plain(arm, "nearest_real", copying.median_synthetic, len(near)),
            _plain(arm, "nearest_real_of_real", copying.median_held_out, len(away)),
        ]
    usual = memorisation_informed_distance(train.vectors, away.vectors, threshold=1.0)
    if isinstance(usual, NotEstimable):
        rows.append(_number(arm, "memorisation_informed_distance", usual, usual.n))
    else:
        # A cosine distance hangs on the encoder, so real rows say what is near.
        limit_of_copies = min(1.0, max(COPIES * usual.nearest, 1e-12))
        informed = memorisation_informed_distance(
            train.vectors, near.vectors, threshold=limit_of_copies
        )
        rows.append(_number(arm, "memorisation_informed_distance", informed, len(near)))
        if not isinstance(informed, NotEstimable):
            penalised = float(informed.is_penalised)
            rows.append(_plain(arm, "memorisation_penalty", penalised, len(near)))
    members, others = same_mixture(train.y, held_out.y, limit=limit, seed=seed + 1)
    inside, outside = train.take(members), held_out.take(others)
    if len(inside):
        attack = membership_by_distance(
            inside.vectors,
            outside.vectors,
            synthetic.vectors,
            train_groups=inside.groups,
            held_out_groups=outside.groups,
        )
        rows.append(_number(arm, "membership_by_distance", attack, len(inside) + len(outside)))
    return rows


def _plain(arm: str, name: str, value: float, n: int, part: str = "all") -> MetricRow:
    return MetricRow(arm, SPLIT, part, name, value, n=n)


def _share(arm: str, name: str, value: float, n: int) -> MetricRow:
    found = wilson(round(value * n), n)
    return MetricRow(arm, SPLIT, "all", name, found.value, found.low, found.high, n)


def _number(arm: str, name: str, found: object, n: int, part: str = "all") -> MetricRow:
    """Return a row of a number, or one that says how many rows it would have needed."""
    if isinstance(found, NotEstimable):
        return not_estimable_row(arm, SPLIT, part, name, found)
    if isinstance(found, Interval):
        return MetricRow(arm, SPLIT, part, name, found.value, found.low, found.high, found.n)
    return _plain(arm, name, float(getattr(found, "value")), n, part)  # noqa: B009


def not_estimable_row(
    arm: str, split: str, part: str, name: str, found: NotEstimable, seed: int = -1
) -> MetricRow:
    """Say that a number is not given: ``<name>_rows_needed``, with the rows there were as n."""
    return MetricRow(
        arm, split, part, f"{name}_rows_needed", float(found.needed), n=found.n, seed=seed
    )
