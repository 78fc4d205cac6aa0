"""How unequally groups of people are treated, in labels and in predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.statistics.intervals import Interval, wilson
from activesynth.statistics.resampling import Resampler

MIN_CELL = 30
"""Fewest rows of a cell whose rate is compared with others."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Disparity:
    """One number about the cells with the highest and the lowest rate.

    Attributes:
        value: The number and its interval; ``n`` counts the rows of the compared cells.
        highest: The group with the highest rate.
        lowest: The group with the lowest rate.
        left_out: Groups with too few rows to be compared, and about which it says nothing.
    """

    value: Interval
    highest: str
    lowest: str
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fairness:
    """Disparities between groups of people.

    Attributes:
        selection: Group to its share of favourable outcomes (Wilson interval, rows taken as
            independent), or why there is none.
        demographic_parity_difference: Highest minus lowest such share, ``[0, 1]``; 0 is equal.
        disparate_impact_ratio: Lowest over highest such share, ``[0, 1]``; 1 is equal, under
            0.8 is the usual cause for concern.
        true_positive: Group to its share of favourable outcomes among rows that deserve one;
            empty for labels, which deserve themselves.
        equal_opportunity_difference: Highest minus lowest of those shares; None for labels.
    """

    selection: dict[str, Interval | NotEstimable]
    demographic_parity_difference: Disparity | NotEstimable
    disparate_impact_ratio: Disparity | NotEstimable
    true_positive: dict[str, Interval | NotEstimable]
    equal_opportunity_difference: Disparity | NotEstimable | None


def label_fairness(
    y: Array, sensitive: Array, groups: Array, *, favourable: int, resamples: int, seed: int
) -> Fairness:
    """Compare how often the labels of a dataset are favourable in each group of people.

    Args:
        y: Labels, ``(n,)``.
        sensitive: To which group of people a row belongs, ``(n,)``, text or numbers.
        groups: What must stay together (a person with several rows), ``(n,)``.
        favourable: The class that people want to be in.
        resamples: How many bootstrap resamples, of groups within groups of people.
        seed: Equal seeds give equal intervals.

    Returns:
        See :func:`prediction_fairness` for intervals and small cells.

    Raises:
        ShapeError: If the arrays do not align or hold no rows.
    """
    cells = _Cells.over(sensitive, groups, len(y), resamples, seed)
    return _compare(cells, y == favourable, None)


def prediction_fairness(
    y: Array,
    predicted: Array,
    sensitive: Array,
    groups: Array,
    *,
    favourable: int,
    resamples: int,
    seed: int,
) -> Fairness:
    """Compare how favourably a model predicts for each group of people.

    Cells under 30 rows (for equal opportunity: under 30 rows that deserve the favourable class)
    are not compared: they are named in ``left_out`` and :class:`NotEstimable` in the cells. With
    fewer than two cells left the number itself is :class:`NotEstimable`.

    Intervals (95 %) hold for all pairs of cells at once: the bound is the largest deviation of
    any pair's difference over the resamples, so they neither assume the same pair to be extreme
    again nor exclude equality by construction, as a percentile interval of a maximum does. They
    err on the wide side. A cell whose rate is exactly 0 or 1 never varies in resamples; look at
    its own interval too.

    Args:
        y: Labels, ``(n,)``.
        predicted: Predicted classes, ``(n,)``, or ``(replicates, n)`` of several trainings of one
            arm: rates are then means over them, and a row still counts once.
        sensitive: As in :func:`label_fairness`.
        groups: As in :func:`label_fairness`.
        favourable: As in :func:`label_fairness`.
        resamples: As in :func:`label_fairness`.
        seed: As in :func:`label_fairness`.

    Raises:
        ShapeError: If the arrays do not align or hold no rows.

    References:
        Hardt, Price and Srebro 2016, arXiv:1610.02413; Feldman et al. 2015, arXiv:1412.3756.
    """
    if predicted.ndim not in (1, 2) or predicted.shape[-1] != len(y) or predicted.shape[0] == 0:
        raise ShapeError(
            f"fairness needs one prediction per row, `(n,)` or `(replicates, n)`, got "
            f"{predicted.shape} for {len(y)} labels."
        )
    cells = _Cells.over(sensitive, groups, len(y), resamples, seed)
    outcome = np.atleast_2d(predicted == favourable).mean(axis=0)
    return _compare(cells, outcome, y == favourable)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Groups of people, and how their rows are resampled."""

    names: tuple[str, ...]
    code: Array
    resampler: Resampler

    @classmethod
    def over(cls, sensitive: Array, groups: Array, rows: int, resamples: int, seed: int) -> _Cells:
        if not len(sensitive) == len(groups) == rows:
            raise ShapeError(
                f"fairness needs one group of people and one group per row, got {len(sensitive)} "
                f"and {len(groups)} for {rows} rows."
            )
        names, code = np.unique(np.asarray(sensitive).astype(str), return_inverse=True)
        # Strata are groups of people and not classes: how many of each are favoured is the
        # question, so it has to vary from resample to resample.
        resampler = Resampler.over(code, groups, resamples=resamples, seed=seed)
        return cls(tuple(names.tolist()), code, resampler)


@dataclass(frozen=True, slots=True)
class _Rates:
    """Rates of the cells that are large enough, and of their resamples."""

    names: tuple[str, ...]
    left_out: tuple[str, ...]
    hits: Array
    rows: Array
    resampled_hits: Array
    resampled_rows: Array

    @property
    def rates(self) -> Array:
        rates: Array = self.hits / self.rows
        return rates


def _compare(cells: _Cells, outcome: Array, deserves: Array | None) -> Fairness:
    everybody = np.ones(len(outcome), bool)
    selection, shares = _rates(cells, outcome, everybody, "rows")
    true_positive: dict[str, Interval | NotEstimable] = {}
    opportunity: Disparity | NotEstimable | None = None
    if deserves is not None:
        true_positive, hits = _rates(cells, outcome, deserves, "rows of the favourable class")
        opportunity = _difference(hits, "the equal opportunity difference")
    return Fairness(
        selection=selection,
        demographic_parity_difference=_difference(shares, "the demographic parity difference"),
        disparate_impact_ratio=_ratio(shares),
        true_positive=true_positive,
        equal_opportunity_difference=opportunity,
    )


def _rates(
    cells: _Cells, outcome: Array, counted: Array, what: str
) -> tuple[dict[str, Interval | NotEstimable], _Rates]:
    """Return the rate of ``outcome`` among ``counted`` rows, for all cells and the large ones."""
    member = np.eye(len(cells.names))[cells.code] * counted[:, None]
    terms = np.concatenate([member, member * outcome[:, None]], axis=1)
    counts, hits = np.split(terms.sum(axis=0), 2)
    rows = np.rint(counts).astype(np.int64)
    resampled_rows, resampled_hits = np.split(cells.resampler.sums(terms[None])[:, 0], 2, axis=1)
    is_large = rows >= MIN_CELL
    named: dict[str, Interval | NotEstimable] = {
        name: wilson(float(hits[place]), int(rows[place]))
        if is_large[place]
        else NotEstimable(f"the rate of {name!r} ({what})", int(rows[place]), MIN_CELL)
        for place, name in enumerate(cells.names)
    }
    return named, _Rates(
        names=tuple(np.array(cells.names)[is_large].tolist()),
        left_out=tuple(np.array(cells.names)[~is_large].tolist()),
        hits=hits[is_large],
        rows=rows[is_large],
        resampled_hits=resampled_hits[:, is_large],
        resampled_rows=resampled_rows[:, is_large],
    )


def _reach(deviations: Array) -> float:
    """Return the bound of all pairs' deviations at once, from ``(resamples, cells)``."""
    usable = deviations[np.isfinite(deviations).all(axis=1)]
    if not len(usable):
        return float("inf")
    return float(np.quantile(np.ptp(usable, axis=1), CONFIDENCE))


def _difference(found: _Rates, what: str) -> Disparity | NotEstimable:
    if len(found.names) < 2:
        return _too_few(found, what)
    value = float(np.ptp(found.rates))
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = _reach(found.resampled_hits / found.resampled_rows - found.rates)
    low, high = max(0.0, value - reach), min(1.0, value + reach)
    return _disparity(found, Interval(value, low, high, int(found.rows.sum())))


def _ratio(found: _Rates) -> Disparity | NotEstimable:
    if len(found.names) < 2:
        return _too_few(found, "the disparate impact ratio")
    if not found.hits.any():
        return NotEstimable("the disparate impact ratio (favourable outcomes)", 0, 1)
    value = float(found.rates.min() / found.rates.max())

    def log_rates(hits: Array, rows: Array) -> Array:
        # Half a row more on either side keeps the logarithm of an empty cell finite.
        logs: Array = np.log((hits + 0.5) / (rows + 1.0))
        return logs

    measured = log_rates(found.hits, found.rows)
    reach = _reach(log_rates(found.resampled_hits, found.resampled_rows) - measured)
    centre = -float(np.ptp(measured))
    low, high = np.exp(centre - reach), min(1.0, float(np.exp(min(700.0, centre + reach))))
    interval = Interval(value, min(value, float(low)), max(value, high), int(found.rows.sum()))
    return _disparity(found, interval)


def _disparity(found: _Rates, value: Interval) -> Disparity:
    rates = found.rates
    return Disparity(
        value, found.names[int(rates.argmax())], found.names[int(rates.argmin())], found.left_out
    )


def _too_few(found: _Rates, what: str) -> NotEstimable:
    return NotEstimable(f"{what} (groups of at least {MIN_CELL} rows)", len(found.names), 2)
