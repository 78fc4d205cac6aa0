"""Recall, precision, F1 and false-positive rate of each class, with intervals."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.records import MetricRow
from activesynth.evaluation.metrics import MacroF1
from activesynth.statistics.intervals import percentile_interval
from activesynth.statistics.resampling import Resampler

SCORES = ("recall", "precision", "f1", "fpr")


def class_scores(resampler: Resampler, probs: Array, *, arm: str, split: str) -> list[MetricRow]:
    """Return one row per class that occurs and score, averaged over replicates.

    A precision without a prediction and an F1 without a hit count as 0, as in scikit-learn.
    ``n`` is the class's number of rows.

    Args:
        resampler: How to resample the rows.
        probs: Class probabilities, ``(S, n, classes)``.
        arm: Whose they are.
        split: Which rows they are about.
    """
    terms = np.stack([MacroF1().row_terms(resampler.y, one) for one in probs])
    measured = _scores(terms.sum(axis=1))
    resampled = resampler.over_runs(_scores(resampler.sums(terms)), np.nan_to_num(measured))
    values = measured.mean(axis=0)
    rows = []
    for label, support in zip(*np.unique(resampler.y, return_counts=True), strict=True):
        for column, name in enumerate(SCORES):
            found = percentile_interval(
                float(values[column, label]), resampled[:, column, label], int(support)
            )
            rows.append(
                MetricRow(
                    arm,
                    split,
                    f"class:{label}",
                    name,
                    found.value,
                    found.low,
                    found.high,
                    found.n,
                )
            )
    return rows


def _scores(sums: Array) -> Array:
    """Turn sums of one-hot truth, prediction and hit, ``(..., 3 C)``, to ``(..., 4, C)``.

    A recall is not a number where a resample holds no row of the class; it is left out then.
    """
    truth, predicted, hits = np.split(sums, 3, axis=-1)
    others = truth.sum(axis=-1, keepdims=True) - truth
    recall = hits / np.where(truth > 0, truth, np.nan)
    precision = hits / np.where(predicted > 0, predicted, 1.0)
    f1 = 2.0 * hits / np.where(truth + predicted > 0, truth + predicted, 1.0)
    fpr = (predicted - hits) / np.where(others > 0, others, 1.0)
    return np.stack([recall, precision, f1, fpr], axis=-2)
