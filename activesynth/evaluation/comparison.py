"""Every arm's numbers on one split, with intervals, as rows for the metrics table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Metric
from activesynth.domain.records import MetricRow
from activesynth.errors import ShapeError
from activesynth.evaluation.class_scores import class_scores
from activesynth.evaluation.metrics import Accuracy, TailRecall, worst_classes
from activesynth.statistics.intervals import Interval, percentile_interval
from activesynth.statistics.resampling import Resampler, resampled_values

OVERALL = -1
"""The ``seed`` of a row that speaks about all replicates together."""


def compare_arms(
    y: Array,
    groups: Array,
    probs: Mapping[str, Array],
    *,
    metrics: Sequence[Metric],
    control: str,
    resamples: int,
    seed: int,
    split: str,
    weakness_rows: Mapping[str, Array],
    tail: Sequence[int] | None = None,
) -> list[MetricRow]:
    """Return the rows that say how good every arm is, and what targeting bought.

    Per arm and metric (``tail3`` among them): the value over all replicates with a 95 %
    interval, and the value of each replicate. Per arm: recall, precision, F1 and
    false-positive rate of each class that occurs, accuracy on the rows of each weakness. Under
    the arm ``targeted``: ``<metric>_lift:<other arm>`` with a paired interval, and ``benefit``
    per weakness, the accuracy on its rows minus that of ``reweighted``. A lift is a plain
    difference, so for a metric where lower is better a negative lift is good.

    Args:
        y: Labels, ``(n,)``.
        groups: Groups, ``(n,)``.
        probs: Class probabilities by arm, ``(S, n, classes)``, ``targeted`` among them.
        metrics: The metrics to report.
        control: The arm that lift is measured against; must be among ``probs``.
        resamples: Bootstrap resamples; all rows share them.
        seed: Equal seeds give equal rows.
        split: Name of the split that the rows speak about.
        weakness_rows: Bool mask ``(n,)`` by weakness id; empty slices are left out.
        tail: The classes of ``tail3``; those worst for ``real`` on these rows when None, which
            flatters the other arms: fix them once per campaign.

    Raises:
        ShapeError: If ``targeted`` or the control is missing, or shapes do not fit.
    """
    missing = sorted({"targeted", control} - probs.keys())
    if missing:
        raise ShapeError(f"comparison needs the arms {missing} too, got {sorted(probs)}.")
    if tail is None:
        tail = worst_classes(y, probs["real" if "real" in probs else control])
    named: list[Metric] = [*metrics, TailRecall(tail)]
    resampler = Resampler.over(y, groups, resamples=resamples, seed=seed)
    rows = _metric_rows(resampler, probs, named, split)
    for arm in probs:
        rows += class_scores(resampler, probs[arm], arm=arm, split=split)
    for weakness, mask in weakness_rows.items():
        if mask.any():
            inside = Resampler.over(y[mask], groups[mask], resamples=resamples, seed=seed)
            rows += _weakness_rows(
                inside, {arm: probs[arm][:, mask] for arm in probs}, weakness, split
            )
    return rows


def _value(metric: Metric, y: Array, probs: Array) -> float:
    return float(np.mean([metric(y, one) for one in probs]))


def _row(arm: str, split: str, part: str, name: str, found: Interval) -> MetricRow:
    return MetricRow(
        arm, split, part, name, found.value, found.low, found.high, found.n, seed=OVERALL
    )


def _metric_rows(
    resampler: Resampler, probs: Mapping[str, Array], metrics: Sequence[Metric], split: str
) -> list[MetricRow]:
    y = resampler.y
    rows = []
    for metric in metrics:
        resampled = {arm: resampled_values(metric, probs[arm], resampler) for arm in probs}
        values = {arm: _value(metric, y, probs[arm]) for arm in probs}
        for arm in probs:
            found = percentile_interval(values[arm], resampled[arm], len(y))
            rows.append(_row(arm, split, "all", metric.name, found))
            rows += [
                MetricRow(arm, split, "all", metric.name, metric(y, one), n=len(y), seed=s)
                for s, one in enumerate(probs[arm])
            ]
        for other in probs:
            if other != "targeted":
                lift = percentile_interval(
                    values["targeted"] - values[other],
                    resampled["targeted"] - resampled[other],
                    len(y),
                )
                rows.append(_row("targeted", split, "all", f"{metric.name}_lift:{other}", lift))
    return rows


def _weakness_rows(
    resampler: Resampler, probs: Mapping[str, Array], weakness: str, split: str
) -> list[MetricRow]:
    """Return accuracy per arm on the rows of one weakness, and the benefit of targeting it."""
    accuracy = Accuracy()
    y = resampler.y
    resampled = {arm: resampled_values(accuracy, probs[arm], resampler) for arm in probs}
    values = {arm: _value(accuracy, y, probs[arm]) for arm in probs}
    rows = [
        _row(
            arm,
            split,
            weakness,
            accuracy.name,
            percentile_interval(values[arm], resampled[arm], len(y)),
        )
        for arm in probs
    ]
    if "reweighted" in probs:
        benefit = percentile_interval(
            values["targeted"] - values["reweighted"],
            resampled["targeted"] - resampled["reweighted"],
            len(y),
        )
        rows.append(_row("targeted", split, weakness, "benefit", benefit))
    return rows
