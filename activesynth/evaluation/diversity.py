"""How much of the input space a set of samples covers, and how well its labels hold."""

from __future__ import annotations

import math

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError


def _shares(assignments: Array, count: int) -> Array:
    assignments = np.asarray(assignments, dtype=np.int64)
    if len(assignments) and (assignments.min() < 0 or assignments.max() >= count):
        raise ShapeError(
            f"cluster ids must lie in [0, {count}), got {assignments.min()} to "
            f"{assignments.max()}; pass the size of the codebook that assigned them."
        )
    counts = np.bincount(assignments, minlength=count)
    shares: Array = counts / max(1, len(assignments))
    return shares


def cluster_entropy(assignments: Array, count: int) -> float:
    """Return the diversity D: the entropy of how samples spread over clusters.

    Args:
        assignments: Cluster id per sample, ``(n,)``, in ``[0, count)``.
        count: Number of clusters C of the frozen codebook.

    Returns:
        ``-sum_c p_c ln p_c`` in nats, in ``[0, ln C]``; 0 for no samples.

    Raises:
        ShapeError: If an id is no cluster.
    """
    shares = _shares(assignments, count)
    present = shares[shares > 0]
    return float(min(max(0.0, -(present * np.log(present)).sum()), math.log(count)))


def entropy_share(entropy: float, count: int) -> float:
    """Return D / ln C, in ``[0, 1]``; 1 for a single cluster, which leaves nothing to spread."""
    return 1.0 if count < 2 else min(1.0, entropy / math.log(count))


def coverage(assignments: Array, count: int) -> float:
    """Return the share of clusters that hold at least one sample, in ``[0, 1]``.

    Raises:
        ShapeError: If an id is no cluster.
    """
    return float((_shares(assignments, count) > 0).mean())


def rare_class_coverage(y: Array, reference: Array, classes: int, threshold: float = 0.05) -> float:
    """Return the share of rare classes that a set of samples holds at all.

    Args:
        y: Labels of the set, ``(n,)``.
        reference: Labels of the real rows that say which classes are rare, ``(m,)``.
        classes: Number of classes.
        threshold: Classes below this share of the reference are rare.

    Returns:
        In ``[0, 1]``; 1 when no class is rare.
    """
    known = np.bincount(np.asarray(reference, np.int64), minlength=classes)
    rare = known / max(1, known.sum()) < threshold
    if not rare.any():
        return 1.0
    there = np.bincount(np.asarray(y, np.int64), minlength=classes) > 0
    return float(there[rare].mean())


def quality(reference_probs: Array, y: Array) -> float:
    """Return Q: the share of samples whose label the reference model agrees with.

    Args:
        reference_probs: Class probabilities of the reference model, ``(n, classes)``.
        y: The samples' labels, ``(n,)``.

    Returns:
        In ``[0, 1]``.

    Raises:
        ShapeError: If there are no samples, or the two do not align.
    """
    if reference_probs.ndim != 2 or len(reference_probs) != len(y) or len(y) == 0:
        raise ShapeError(
            f"quality needs probabilities (n, classes) and labels (n,) with n >= 1, got "
            f"{reference_probs.shape} and {np.shape(y)}; report no Q for an empty set."
        )
    return float((reference_probs.argmax(axis=1) == y).mean())
