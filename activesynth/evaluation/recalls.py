"""Scores that are made of the recalls of the classes, for many trainings and resamples at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError


@dataclass(frozen=True, slots=True)
class RecallTerms:
    """Right answers and rows per class, ``right`` and ``rows`` ``(..., classes)`` float64."""

    right: Array
    rows: Array

    @classmethod
    def of(cls, y: Array, predicted: Array, classes: int, weight: Array | None = None) -> Self:
        """Count them.

        Args:
            y: Labels, ``(n,)`` in ``[0, classes)``.
            predicted: Predicted labels of each training, ``(trainings, n)``.
            classes: Number of classes.
            weight: How often each row counts in each resample, ``(resamples, n)``; the result then
                has shape ``(resamples, trainings, classes)``, and ``(trainings, classes)`` without.

        Raises:
            ShapeError: If the arrays do not align.
        """
        if predicted.ndim != 2 or predicted.shape[1] != len(y):
            raise ShapeError(
                f"recalls need predictions (trainings, {len(y)}), got {predicted.shape}."
            )
        one_hot = np.eye(classes)[y]
        right = (predicted == y).astype(np.float64)
        if weight is None:
            hit = right @ one_hot
            return cls(hit, np.broadcast_to(one_hot.sum(axis=0), hit.shape))
        rows = weight @ one_hot
        hit = np.stack([weight @ (one_hot * one[:, None]) for one in right], axis=1)
        return cls(hit, np.broadcast_to(rows[:, None, :], hit.shape))

    def recalls(self) -> Array:
        """Return the recall of each class, ``(..., classes)``; NaN for a class without rows."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Array = np.where(self.rows > 0, self.right / self.rows, np.nan)
        return found


def from_recalls(name: str, terms: RecallTerms, tail: Array) -> Array:
    """Return one score, ``(...)``: classes without rows are left out of means and minima.

    Args:
        name: ``accuracy``; ``balanced_accuracy``, the mean of all recalls; ``few3``, the mean of
            the three lowest, whichever they are; ``tail3``, that of the classes in ``tail``;
            ``worst_recall``, the lowest.
        terms: From :meth:`RecallTerms.of`.
        tail: Class numbers, ``(k,)``.

    Raises:
        KeyError: If there is no such score.
    """
    if name == "accuracy":
        return np.asarray(terms.right.sum(axis=-1) / terms.rows.sum(axis=-1))
    recalls = terms.recalls()
    if name == "balanced_accuracy":
        return np.asarray(np.nanmean(recalls, axis=-1))
    if name == "tail3":
        return np.asarray(np.nanmean(recalls[..., tail], axis=-1))
    if name == "few3":
        # Sorting puts NaN last, so it is never among the lowest.
        return np.asarray(np.nanmean(np.sort(recalls, axis=-1)[..., :3], axis=-1))
    if name == "worst_recall":
        return np.asarray(np.nanmin(recalls, axis=-1))
    raise KeyError(name)


def recall_scores(terms: RecallTerms) -> dict[str, float]:
    """Return the scores of :func:`from_recalls` that need no chosen classes, mean of trainings."""
    nothing = np.zeros(0, np.int64)
    names = ("accuracy", "balanced_accuracy", "few3", "worst_recall")
    return {name: float(np.mean(from_recalls(name, terms, nothing))) for name in names}
