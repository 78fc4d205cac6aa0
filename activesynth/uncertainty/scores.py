"""Uncertainty scores of samples, from the class probabilities of many draws."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError


def _entropy(probs: Array) -> Array:
    """Return the entropy over the last axis in nats; 0 ln 0 counts as 0."""
    positive = np.where(probs > 0, probs, 1.0)
    entropy: Array = -(probs * np.log(positive)).sum(axis=-1)
    # Rounding must not push a score out of the range that its docstring promises.
    return np.clip(entropy, 0.0, np.log(probs.shape[-1]))


def _check_draws(probs: Array, name: str) -> Array:
    probs = np.asarray(probs, dtype=np.float64)
    if probs.ndim != 3 or probs.shape[0] < 1 or probs.shape[2] < 1:
        raise ShapeError(
            f"{name} needs probabilities of shape (draws, samples, classes), got "
            f"{probs.shape}; a single table (samples, classes) goes in as `probs[None]`."
        )
    return probs


def predictive_entropy(probs: Array) -> Array:
    """Score how undecided the averaged prediction is.

    High where the mean over draws spreads over classes, whether because every draw hesitates
    or because the draws disagree; :func:`mutual_information` is the second part alone.

    Args:
        probs: Class probabilities, shape ``(draws, samples, classes)``, summing to 1 over
            classes. One draw or more.

    Returns:
        One score per sample in nats, shape ``(samples,)``, in ``[0, ln(classes)]``.

    Raises:
        ShapeError: If ``probs`` has not three axes.
    """
    return _entropy(_check_draws(probs, "predictive_entropy").mean(axis=0))


def mutual_information(probs: Array) -> Array:
    """Score how much a label would teach us about the model (BALD).

    High where draws are sure but disagree; near zero where every draw calls it a coin toss,
    which more data cannot settle.

    Args:
        probs: Class probabilities, shape ``(draws, samples, classes)``, summing to 1 over
            classes. Two draws or more.

    Returns:
        One score per sample in nats, shape ``(samples,)``, in ``[0, ln(classes)]``.

    Raises:
        ShapeError: If there are fewer than two draws.

    References:
        Houlsby et al. 2011, arXiv:1112.5745.
    """
    probs = _check_draws(probs, "mutual_information")
    draws, samples, classes = probs.shape
    if draws < 2:
        raise ShapeError(
            f"mutual_information needs at least 2 draws, got {draws} for {samples} samples; "
            "raise `uncertainty.passes`, or use `predictive_entropy`, which needs only 1."
        )
    information = _entropy(probs.mean(axis=0)) - _entropy(probs).mean(axis=0)
    clipped: Array = np.clip(information, 0.0, np.log(classes))
    return clipped


def ensemble_variance(draws: Array, members: int) -> Array:
    """Score how far the members of an ensemble lie apart.

    The dropout passes of a member are averaged first, so what remains is disagreement between
    members and not the noise of dropout.

    Args:
        draws: Class probabilities, shape ``(members * passes, samples, classes)``,
            member-major: the passes of a member stand next to each other.
        members: Number of members K, 1 or more; one member has variance 0.

    Returns:
        ``sum_y 1/K sum_k (mu_k(y) - mean(y))^2`` per sample, shape ``(samples,)``, in
        ``[0, 1]`` and 0 where all members agree.

    Raises:
        ShapeError: If the draws cannot be divided evenly among the members.
    """
    draws = _check_draws(draws, "ensemble_variance")
    if members < 1 or draws.shape[0] % members:
        raise ShapeError(
            f"ensemble_variance cannot divide {draws.shape[0]} draws among {members} members; "
            "pass the number of members that made the draws, each with equally many passes."
        )
    by_member = draws.reshape(members, -1, *draws.shape[1:]).mean(axis=1)
    variance: Array = by_member.var(axis=0).sum(axis=-1)
    return variance


def total_uncertainty(entropy: Array, variance: Array) -> Array:
    """Add the two parts whose sum is thresholded for the uncertain region.

    The parts have different scales (nats, and a variance that never exceeds 1), so entropy
    dominates the sum; the parts are kept beside it for that reason.

    Args:
        entropy: Predictive entropy in nats, shape ``(samples,)``.
        variance: Ensemble variance, shape ``(samples,)``.

    Returns:
        ``variance + entropy``, shape ``(samples,)``.

    Raises:
        ShapeError: If the two do not align.
    """
    entropy, variance = np.asarray(entropy, np.float64), np.asarray(variance, np.float64)
    if entropy.shape != variance.shape:
        raise ShapeError(
            f"total_uncertainty needs aligned scores, got entropy {entropy.shape} and variance "
            f"{variance.shape}; score the same samples with both."
        )
    total: Array = variance + entropy
    return total


def rank_normalise(scores: Array) -> Array:
    """Replace scores by their ranks, so that nats and distances can be mixed.

    Args:
        scores: Finite scores, shape ``(samples,)``.

    Returns:
        Average ranks scaled to ``[0, 1]``, shape ``(samples,)``: 0 for the single lowest, 1 for
        the single highest, equal values for ties, 0.5 where there is nothing to compare with.

    Raises:
        ShapeError: If scores are not one-dimensional or not finite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise ShapeError(
            f"rank_normalise needs finite scores of shape (samples,), got shape {scores.shape} "
            f"with {int((~np.isfinite(scores)).sum())} values that are not finite; drop those rows."
        )
    if len(scores) < 2:
        return np.full(len(scores), 0.5)
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    first = np.cumsum(counts) - counts
    ranks: Array = (first + (counts - 1) / 2.0)[inverse] / (len(scores) - 1)
    return ranks
