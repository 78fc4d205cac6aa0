"""Metrics of predictions, each written as sums of per-row terms so that it resamples fast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError

ECE_BINS = 15
SMALLEST_PROBABILITY = 1e-12


def check_aligned(y: Array, probs: Array, name: str) -> None:
    """Refuse labels and probabilities that do not belong together.

    Raises:
        ShapeError: If shapes differ, there are no rows, or a label is no class.
    """
    if probs.ndim != 2 or len(y) == 0 or len(y) != len(probs):
        raise ShapeError(
            f"{name} needs labels (n,) and probabilities (n, classes) with n >= 1, got "
            f"{np.shape(y)} and {probs.shape}."
        )
    if y.min() < 0 or y.max() >= probs.shape[1]:
        raise ShapeError(
            f"{name} needs labels in [0, {probs.shape[1]}), got {y.min()} to {y.max()}; "
            "leave unlabelled rows out."
        )


def _ratio(part: Array, whole: Array) -> Array:
    """Divide, with 0 / 0 = 0."""
    ratio: Array = part / np.where(whole > 0, whole, 1.0)
    return ratio


def _counts(y: Array, probs: Array) -> Array:
    """Return one-hot truth, one-hot prediction and one-hot hit side by side, ``(n, 3 C)``."""
    truth = np.eye(probs.shape[1])[y]
    predicted = np.eye(probs.shape[1])[probs.argmax(axis=1)]
    return np.concatenate([truth, predicted, truth * predicted], axis=1)


class Accuracy:
    """The share of rows whose most probable class is right, in ``[0, 1]``."""

    name = "accuracy"
    higher_is_better = True

    def __call__(self, y: Array, probs: Array) -> float:
        """Return the accuracy of ``(n, classes)`` probabilities."""
        return float(self.from_sums(self.row_terms(y, probs).sum(axis=0)))

    def row_terms(self, y: Array, probs: Array) -> Array:
        """Return hit and 1 per row."""
        check_aligned(y, probs, self.name)
        hit = (probs.argmax(axis=1) == y).astype(np.float64)
        return np.stack([hit, np.ones(len(y))], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """Return hits per row."""
        return _ratio(sums[..., 0], sums[..., 1])


class BalancedAccuracy:
    """The mean recall of the classes that occur, in ``[0, 1]``; every class counts the same."""

    name = "balanced_accuracy"
    higher_is_better = True

    def __call__(self, y: Array, probs: Array) -> float:
        """Return the balanced accuracy of ``(n, classes)`` probabilities."""
        return float(self.from_sums(self.row_terms(y, probs).sum(axis=0)))

    def row_terms(self, y: Array, probs: Array) -> Array:
        """Return one-hot truth and one-hot hit per row, ``(n, 2 C)``."""
        check_aligned(y, probs, self.name)
        classes = probs.shape[1]
        counts = _counts(y, probs)
        return np.concatenate([counts[:, :classes], counts[:, 2 * classes :]], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """Return the mean recall over classes with rows."""
        truth, hits = np.split(sums, 2, axis=-1)
        return _ratio(_ratio(hits, truth).sum(axis=-1), (truth > 0).sum(axis=-1))


class MacroF1:
    """The mean F1 of the classes that occur or are predicted, in ``[0, 1]``."""

    name = "macro_f1"
    higher_is_better = True

    def __call__(self, y: Array, probs: Array) -> float:
        """Return the macro F1 of ``(n, classes)`` probabilities."""
        return float(self.from_sums(self.row_terms(y, probs).sum(axis=0)))

    def row_terms(self, y: Array, probs: Array) -> Array:
        """Return one-hot truth, prediction and hit per row, ``(n, 3 C)``."""
        check_aligned(y, probs, self.name)
        return _counts(y, probs)

    def from_sums(self, sums: Array) -> Array:
        """Return the mean of ``2 hits / (truth + predicted)``."""
        truth, predicted, hits = np.split(sums, 3, axis=-1)
        either = truth + predicted
        return _ratio(_ratio(2.0 * hits, either).sum(axis=-1), (either > 0).sum(axis=-1))


class ExpectedCalibrationError:
    """How far confidence lies from accuracy, in ``[0, 1]``; 0 is perfectly calibrated.

    Rows are sorted into 15 equal bins by the probability of their predicted class; the gaps
    between mean confidence and accuracy of the bins are averaged, weighted by rows.

    References:
        Guo et al. 2017, arXiv:1706.04599.
    """

    name = "ece"
    higher_is_better = False

    def __call__(self, y: Array, probs: Array) -> float:
        """Return the calibration error of ``(n, classes)`` probabilities."""
        return float(self.from_sums(self.row_terms(y, probs).sum(axis=0)))

    def row_terms(self, y: Array, probs: Array) -> Array:
        """Return hit - confidence in the column of the row's bin, and 1, ``(n, 16)``."""
        check_aligned(y, probs, self.name)
        confidence = probs.max(axis=1)
        hit = probs.argmax(axis=1) == y
        # Bins are open below and closed above, as in the paper.
        bins = np.clip(np.ceil(confidence * ECE_BINS).astype(np.int64) - 1, 0, ECE_BINS - 1)
        terms = np.zeros((len(y), ECE_BINS + 1))
        terms[np.arange(len(y)), bins] = hit - confidence
        terms[:, -1] = 1.0
        return terms

    def from_sums(self, sums: Array) -> Array:
        """Return the absolute gaps of the bins, summed, per row."""
        return _ratio(np.abs(sums[..., :-1]).sum(axis=-1), sums[..., -1])


class NegativeLogLikelihood:
    """The mean of ``-ln p(true class)`` in nats, 0 or more; lower is better.

    Probabilities count as at least 1e-12, so one row costs at most 27.6 nats.
    """

    name = "nll"
    higher_is_better = False

    def __call__(self, y: Array, probs: Array) -> float:
        """Return the negative log-likelihood of ``(n, classes)`` probabilities."""
        return float(self.from_sums(self.row_terms(y, probs).sum(axis=0)))

    def row_terms(self, y: Array, probs: Array) -> Array:
        """Return the loss and 1 per row."""
        check_aligned(y, probs, self.name)
        true = np.clip(probs[np.arange(len(y)), y], SMALLEST_PROBABILITY, 1.0)
        return np.stack([-np.log(true), np.ones(len(y))], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """Return the loss per row."""
        return _ratio(sums[..., 0], sums[..., 1])


class TailRecall:
    """The mean recall of named classes, in ``[0, 1]``; ``tail3`` when there are three.

    Named classes without rows are left out.
    """

    higher_is_better = True

    def __init__(self, classes: Sequence[int]) -> None:
        """Name the classes."""
        self.classes = np.array(classes, dtype=np.int64)
        self.name = f"tail{len(classes)}"

    def __call__(self, y: Array, probs: Array) -> float:
        """Return the mean recall of the named classes."""
        return float(self.from_sums(self.row_terms(y, probs).sum(axis=0)))

    def row_terms(self, y: Array, probs: Array) -> Array:
        """Return truth and hit of the named classes per row, ``(n, 2 len(classes))``."""
        check_aligned(y, probs, self.name)
        truth = (y[:, None] == self.classes[None, :]).astype(np.float64)
        hit = (probs.argmax(axis=1) == y)[:, None]
        return np.concatenate([truth, truth * hit], axis=1)

    def from_sums(self, sums: Array) -> Array:
        """Return the mean recall over named classes with rows."""
        truth, hits = np.split(sums, 2, axis=-1)
        return _ratio(_ratio(hits, truth).sum(axis=-1), (truth > 0).sum(axis=-1))


def tail3(y: Array, predicted: Array, classes: Sequence[int]) -> float:
    """Return the mean recall of the named classes, those without rows left out.

    Args:
        y: Labels, ``(n,)``.
        predicted: Predicted classes, ``(n,)``.
        classes: The classes that were worst for the arm ``real``, usually three, fixed.

    Returns:
        In ``[0, 1]``; 0 when none of the classes has rows.
    """
    recalls = [float((predicted[y == c] == c).mean()) for c in classes if (y == c).any()]
    return float(np.mean(recalls)) if recalls else 0.0


def worst_classes(y: Array, probs: Array, count: int = 3) -> tuple[int, ...]:
    """Return the classes with the lowest recall, averaged over replicates, worst first.

    Args:
        y: Labels, ``(n,)``.
        probs: Class probabilities, ``(S, n, classes)``.
        count: How many; fewer are returned when fewer classes have rows.
    """
    hits = (probs.argmax(axis=2) == y).mean(axis=0)
    present = np.unique(y)
    recall = np.array([hits[y == c].mean() for c in present])
    order = np.argsort(recall, kind="stable")[:count]
    return tuple(int(c) for c in present[order])
