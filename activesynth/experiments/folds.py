"""What the folds of a repeat predicted, put together: one score sheet over all labelled rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.experiments import ScoreRow
from activesynth.evaluation.recalls import RecallTerms, recall_scores

Cells = Mapping[tuple[str, int], Mapping[str, Array]]
RECALLS = "guide_recalls"
SPENT = ("labels", "bought", "seconds", "synthetic")
"""Scores about a campaign and not about rows; a repeat has their mean over folds."""


def joined_cells(cells: Cells, folds: int) -> dict[tuple[str, int], dict[str, Array]]:
    """Return variant and repeat to predictions of all rows, by sample id; whole repeats only.

    Each row is held out by exactly one fold. Arrays are joined over rows, their last axis; the
    recalls on guide, which choose the classes of ``tail3``, are averaged.
    """
    joined = {}
    for variant, repeat in sorted({(variant, seed // folds) for variant, seed in cells}):
        keys = [(variant, repeat * folds + fold) for fold in range(folds)]
        if all(key in cells for key in keys):
            joined[variant, repeat] = _joined([cells[key] for key in keys])
    return joined


def _joined(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    order = np.argsort(np.concatenate([part["ids"] for part in parts]), kind="stable")
    whole = {
        name: np.concatenate([part[name] for part in parts], axis=-1)[..., order]
        for name in parts[0]
        if name != RECALLS
    }
    with np.errstate(invalid="ignore"):
        whole[RECALLS] = np.nanmean(np.stack([part[RECALLS] for part in parts]), axis=0)
    return whole


def joined_scores(
    scores: Sequence[ScoreRow], joined: Mapping[tuple[str, int], Mapping[str, Array]], folds: int
) -> tuple[ScoreRow, ...]:
    """Return the scores of each repeat.

    What is made of recalls is counted over all rows at once; other metrics are the mean over the
    folds, weighted by their rows, and what was spent the plain mean.
    """
    grouped: dict[tuple[str, int, int, str, str], list[ScoreRow]] = {}
    for row in scores:
        repeat = row.seed // folds
        if (row.variant, repeat) in joined:
            key = (row.variant, repeat, row.iteration, row.arm, row.metric)
            grouped.setdefault(key, []).append(row)
    found = []
    for (variant, repeat, iteration, arm, metric), rows in sorted(grouped.items()):
        values = np.array([row.value for row in rows])
        counts = np.array([row.n for row in rows])
        value = float(np.average(values, weights=counts if counts.sum() else None))
        cell = joined[variant, repeat]
        if arm and metric not in SPENT:
            predicted = cell[f"{iteration}.{arm}.predicted"]
            terms = RecallTerms.of(cell["y"], predicted, len(cell[RECALLS]))
            value = recall_scores(terms).get(metric, value)
        found.append(ScoreRow(variant, repeat, iteration, arm, metric, value, int(counts.sum())))
    return tuple(found)
