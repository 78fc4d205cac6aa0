"""Resampling rows in groups, within strata of class, jointly with training replicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError

MetricFunction = Callable[[Array, Array], float]
MAX_WEIGHTS = 4_000_000
"""Weights held in memory at once; more groups are resampled in more chunks."""


@runtime_checkable
class SummedMetric(Protocol):
    """A metric that depends on the rows only through sums of per-row terms.

    Such a metric is resampled by re-weighting the terms, without touching the rows again.
    """

    def row_terms(self, y: Array, probs: Array) -> Array:
        """Return the terms of each row, ``(n, k)``, for labels ``(n,)`` and probabilities."""
        ...

    def from_sums(self, sums: Array) -> Array:
        """Return the metric for weighted sums of the terms, ``(..., k)`` to ``(...)``."""
        ...


@dataclass(frozen=True, slots=True)
class Resampler:
    """A recorded way to resample: equal values give equal resamples, bit for bit.

    Attributes:
        y: Labels, ``(n,)``.
        group_of_row: Group number of each row, ``(n,)`` int64 in ``[0, G)``.
        strata: Group numbers of each stratum; a group's stratum is its majority class.
        resamples: How many resamples.
        seed: Where they come from.
    """

    y: Array
    group_of_row: Array
    strata: tuple[Array, ...]
    resamples: int
    seed: int

    @classmethod
    def over(cls, y: Array, groups: Array, *, resamples: int, seed: int) -> Self:
        """Number the groups and sort them into strata (ties go to the lower class).

        Raises:
            ShapeError: If there are no rows, or labels and groups do not align.
        """
        y, groups = np.asarray(y), np.asarray(groups)
        if len(y) == 0 or y.shape != groups.shape or resamples < 1:
            raise ShapeError(
                "resampling needs at least 1 row, 1 resample and one group per row, got "
                f"{y.shape} labels, {groups.shape} groups and {resamples} resamples."
            )
        _, group_of_row = np.unique(groups, return_inverse=True)
        classes, class_of_row = np.unique(y, return_inverse=True)
        votes = np.zeros((int(group_of_row.max()) + 1, len(classes)), dtype=np.int64)
        np.add.at(votes, (group_of_row, class_of_row), 1)
        majority = votes.argmax(axis=1)
        strata = tuple(
            np.flatnonzero(majority == label)
            for label in range(len(classes))
            if (majority == label).any()
        )
        return cls(y, group_of_row.astype(np.int64), strata, resamples, seed)

    @property
    def group_count(self) -> int:
        """Return the number of groups."""
        return sum(len(stratum) for stratum in self.strata)

    def group_weights(self, limit: int = MAX_WEIGHTS) -> Iterator[Array]:
        """Yield weights of groups, ``(chunk, G)``, over all resamples, ``limit`` at a time.

        From a stratum of g groups, g - 1 are drawn with replacement and weighted g / (g - 1).
        The plain bootstrap understates the variance of a stratum by (g - 1) / g, which matters
        for rare classes; this one does not. A stratum of one group keeps its weight: its
        variance cannot be known.

        References:
            Rao and Wu 1988, Journal of the American Statistical Association 83:231-241.
        """
        groups = self.group_count
        chunk = max(1, limit // groups)
        for number, start in enumerate(range(0, self.resamples, chunk)):
            rng = np.random.default_rng([self.seed, 0, number])
            size = min(chunk, self.resamples - start)
            weights = np.ones((size, groups))
            for stratum in self.strata:
                if len(stratum) > 1:
                    drawn = draw_counts(rng, len(stratum), len(stratum) - 1, size)
                    weights[:, stratum] = drawn * (len(stratum) / (len(stratum) - 1))
            yield weights

    def replicate_weights(self, replicates: int) -> Array:
        """Return weights of replicates, ``(resamples, S)``, rows summing to 1.

        Drawn like the groups of one stratum; arms of equally many replicates get the same
        draws, so replicate s of one arm is compared with replicate s of the other.
        """
        if replicates < 2:
            return np.ones((self.resamples, replicates))
        rng = np.random.default_rng([self.seed, 1, replicates])
        return draw_counts(rng, replicates, replicates - 1, self.resamples) / (replicates - 1)

    def over_runs(self, resampled: Array, measured: Array) -> Array:
        """Join what resampled groups and resampled replicates do to a mean over replicates.

        The deviation caused by the groups and that caused by the replicates are added. Taking
        resampled replicates of resampled groups instead would count the noise of single rows in
        single runs three times (here: twice), and three runs that differ by nothing else would
        get bounds 1.7 times as far out as they should be.

        Args:
            resampled: A value per resample of groups and per replicate, ``(resamples, S, ...)``.
            measured: The value of each replicate on the rows as they are, ``(S, ...)``.

        Returns:
            Shape ``(resamples, ...)``.

        References:
            Owen 2007, Annals of Applied Statistics 1:386-411 (why the product overstates).
        """
        weights = self.replicate_weights(len(measured))
        by_runs = np.tensordot(weights, measured, axes=1) - measured.mean(axis=0)
        joined: Array = resampled.mean(axis=1) + by_runs
        return joined

    def sums(self, terms: Array) -> Array:
        """Return the weighted sums of per-row terms, ``(S, n, k)`` to ``(resamples, S, k)``."""
        replicates, _, width = terms.shape
        by_group = np.zeros((self.group_count, replicates, width))
        np.add.at(by_group, self.group_of_row, np.moveaxis(terms, 0, 1))
        flat = by_group.reshape(self.group_count, replicates * width)
        parts = [weights @ flat for weights in self.group_weights()]
        return np.concatenate(parts).reshape(self.resamples, replicates, width)

    def rows(self) -> Iterator[Array]:
        """Yield the row indices of each resample, for metrics that are no sums.

        Whole groups are drawn, g of g, so these intervals come out narrower by the factor that
        :meth:`group_weights` avoids.
        """
        by_group = np.split(
            np.argsort(self.group_of_row, kind="stable"),
            np.cumsum(np.bincount(self.group_of_row))[:-1],
        )
        rng = np.random.default_rng([self.seed, 2])
        for _ in range(self.resamples):
            drawn = [rng.choice(stratum, len(stratum)) for stratum in self.strata]
            yield np.concatenate([by_group[group] for group in np.concatenate(drawn)])


def draw_counts(rng: np.random.Generator, items: int, draws: int, size: int) -> Array:
    """Return how often each item came up in ``draws`` draws with replacement, ``(size, items)``."""
    drawn = rng.integers(items, size=(size, draws)) + items * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * items).reshape(size, items)


def resampled_values(metric: MetricFunction, probs: Array, resampler: Resampler) -> Array:
    """Return the mean of a metric over replicates, for resampled groups and replicates.

    Args:
        metric: A function of labels and probabilities ``(n, classes)``; a
            :class:`SummedMetric` takes a path that is some hundred times faster.
        probs: Class probabilities, ``(S, n, classes)``.
        resampler: How to resample the rows of ``probs``.

    Returns:
        Shape ``(resamples,)``.
    """
    y = resampler.y
    if isinstance(metric, SummedMetric):
        terms = np.stack([metric.row_terms(y, one) for one in probs])
        measured = metric.from_sums(terms.sum(axis=1))
        return resampler.over_runs(metric.from_sums(resampler.sums(terms)), measured)
    resampled = [[metric(y[rows], one[rows]) for one in probs] for rows in resampler.rows()]
    return resampler.over_runs(np.array(resampled), np.array([metric(y, one) for one in probs]))
