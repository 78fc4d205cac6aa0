"""What a sample is asked to be: label, cluster and uncertainty level, checked before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import GenerationRequest, GeneratorData
from activesynth.errors import InputError, ShapeError

FREE = -1
LEVELS = 3


@dataclass(frozen=True, slots=True)
class Conditions:
    """How many values each condition has, and which of them the training rows showed.

    Attributes:
        counts: Sampling weight of the training rows per cluster and label,
            ``(clusters, classes)`` float64; rows without a label are left out.
        seen_clusters: ``(clusters,)`` uint8, 1 where a training row stood in that cluster.
        seen_levels: ``(3,)`` uint8, likewise for uncertainty levels.
    """

    counts: Array
    seen_clusters: Array
    seen_levels: Array

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Return the number of labels, clusters and levels."""
        return self.counts.shape[1], self.counts.shape[0], LEVELS

    @classmethod
    def of(cls, data: GeneratorData) -> Conditions:
        """Count what the training rows show."""
        labels, weight = data.samples.y, np.asarray(data.weight, np.float64)
        known = labels >= 0
        counts = np.zeros((data.cluster_count, data.classes))
        np.add.at(counts, (data.clusters[known], labels[known]), weight[known])
        return cls(
            counts,
            np.isin(np.arange(data.cluster_count), data.clusters).astype(np.uint8),
            np.isin(np.arange(LEVELS), data.levels).astype(np.uint8),
        )

    def tokens(self, labels: Array, clusters: Array, levels: Array) -> Array:
        """Return embedding indices ``(n, 3)`` int64: 0 is free, value + 1 otherwise.

        A cluster or level that no training row showed has nothing to say and counts as free.
        """
        return np.stack(
            [labels + 1, _seen(clusters, self.seen_clusters), _seen(levels, self.seen_levels)],
            axis=1,
        ).astype(np.int64)

    def resolve(self, request: GenerationRequest) -> Array:
        """Return a label for every row of a request, ``(n,)`` int64.

        A free label is drawn, with the row's own seed, as often as the training rows of the
        requested cluster have it (of all clusters where that cluster had none). So is a label
        that no training row has: nobody could know what to make, and the result says what was.

        Raises:
            ShapeError: If an array does not align or a value is beyond its range.
        """
        check_request(request, self.sizes)
        labels = np.asarray(request.labels, np.int64).copy()
        known = np.append(self.counts.sum(axis=0) > 0, False)  # the last entry is for FREE
        for row in np.flatnonzero(~known[labels]):
            labels[row] = self._draw(int(request.clusters[row]), int(request.seeds[row]))
        return labels

    def _draw(self, cluster: int, seed: int) -> int:
        share = self.counts.sum(axis=0)
        if cluster >= 0 and self.counts[cluster].sum() > 0:
            share = self.counts[cluster]
        edges = np.cumsum(share)
        point = np.random.default_rng((seed, 1)).random() * edges[-1]
        drawn = int(np.searchsorted(edges, point, side="right"))
        return min(drawn, int(np.flatnonzero(share)[-1]))

    def tensors(self) -> dict[str, Array]:
        """Return the arrays under the names that :meth:`from_tensors` reads."""
        return {
            "conditions.counts": self.counts,
            "conditions.seen_clusters": self.seen_clusters,
            "conditions.seen_levels": self.seen_levels,
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Array]) -> Conditions:
        """Rebuild from what :meth:`tensors` returned."""
        names = ("counts", "seen_clusters", "seen_levels")
        return cls(*(tensors[f"conditions.{name}"] for name in names))


def check_data(data: GeneratorData) -> None:
    """Refuse training rows that no generator can learn from.

    Raises:
        ShapeError: If an array does not align or a value is beyond its range.
        InputError: If there are fewer than 2 rows or no label, if a value is NaN or infinite,
            or if the weights are not usable.
    """
    rows = len(data.samples)
    if rows < 2:
        raise InputError(
            f"a generator needs 2 real rows or more, got {rows}; enlarge the train split.",
            reason="too_few_rows",
        )
    check_column("data.samples.y", data.samples.y, rows, data.classes)
    check_column("data.clusters", data.clusters, rows, data.cluster_count, lowest=0)
    check_column("data.levels", data.levels, rows, LEVELS, lowest=0)
    _check_aligned("data.weight", data.weight, rows)
    weight = np.asarray(data.weight, np.float64)
    if not np.isfinite(weight).all() or weight.min() < 0 or weight.sum() <= 0:
        raise InputError(
            "data.weight needs finite numbers of at least 0 with a positive sum, "
            f"got {weight.min()} to {weight.max()}; pass ones to weigh all rows alike.",
            reason="bad_weight",
        )
    if not (weight[data.samples.y >= 0] > 0).any():
        raise InputError(
            f"none of the {rows} rows has both a label and a positive weight; label some first.",
            reason="no_labels",
        )
    if data.samples.x.dtype != np.uint8 and not np.issubdtype(data.samples.x.dtype, np.floating):
        raise ShapeError(
            f"data.samples.x must be uint8 images or floats, got {data.samples.x.dtype}; convert "
            "the rows when reading the source."
        )
    check_finite("data.samples.x", data.samples.x)


def check_request(request: GenerationRequest, sizes: tuple[int, int, int]) -> None:
    """Refuse a request whose arrays do not align or whose values are out of range.

    Raises:
        ShapeError: Naming field, value and limit.
    """
    if np.ndim(request.seeds) != 1 or not np.issubdtype(
        np.asarray(request.seeds).dtype, np.integer
    ):
        raise ShapeError("request.seeds must be one integer per sample in one dimension.")
    if request.count and int(np.min(request.seeds)) < 0:
        raise ShapeError(f"request.seeds must be at least 0, got {int(np.min(request.seeds))}.")
    for name, size in zip(("labels", "clusters", "levels"), sizes, strict=True):
        check_column(f"request.{name}", getattr(request, name), request.count, size)


def check_finite(name: str, x: Array) -> None:
    """Refuse NaN and infinities.

    Raises:
        InputError: Naming the first row that holds one.
    """
    finite = np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
    if not finite.all():
        raise InputError(
            f"{name} holds NaN or an infinity, first in row {int(np.argmin(finite))}; "
            "impute or drop such rows before they reach a generator.",
            reason="not_finite",
        )


def _seen(values: Array, seen: Array) -> Array:
    known = (values >= 0) & seen.astype(bool)[np.maximum(values, 0)]
    return np.where(known, values + 1, 0)


def _check_aligned(name: str, values: Array, rows: int) -> None:
    if np.shape(values) != (rows,):
        raise ShapeError(f"{name} must have shape ({rows},), got {np.shape(values)}.")


def check_column(name: str, values: Array, rows: int, size: int, lowest: int = FREE) -> None:
    """Refuse a column that is not ``rows`` integers in ``[lowest, size)``.

    Raises:
        ShapeError: Naming field, value and limit.
    """
    _check_aligned(name, values, rows)
    if not np.issubdtype(np.asarray(values).dtype, np.integer):
        raise ShapeError(f"{name} must be integers, got dtype {np.asarray(values).dtype}.")
    if rows and not (lowest <= int(np.min(values)) and int(np.max(values)) < size):
        raise ShapeError(
            f"{name} must be in [{lowest}, {size}), got {int(np.min(values))} to "
            f"{int(np.max(values))}; compare with the classes and clusters of the fit."
        )


def refuse_course(request: GenerationRequest, part: str) -> None:
    """Refuse a guide, or a start from anchors, in the name of a part that can do neither.

    Raises:
        InputError: If the request carries one; reason ``cannot_guide`` or ``cannot_start``.
    """
    if request.guide is not None and request.guide.scale > 0.0:
        raise InputError(
            f"the generator {part!r} cannot be guided, and the request asks for guidance of scale "
            f"{request.guide.scale}; use `diffusion`, or set `guidance.by` to `none`.",
            reason="cannot_guide",
        )
    if request.strength is not None:
        raise InputError(
            f"the generator {part!r} cannot start from anchors, and the request asks for strength "
            f"{request.strength}; use `diffusion`, or leave `guidance.strength` out.",
            reason="cannot_start",
        )
