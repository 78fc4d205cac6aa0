"""Which given labels are likely to be wrong, from predictions that never saw the row."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError


@dataclass(frozen=True, slots=True)
class LabelQuality:
    """How far each row's label can be trusted, aligned over ``n`` rows.

    Attributes:
        score: Probability of the given label relative to what rows of that label usually get,
            ``(n,)`` in ``[0, 1]``; low is suspect. An order, not a probability.
        suggested: The class whose probability is furthest above what rows of that label usually
            get, ``(n,)`` int64. Where it is not the given label, the label is doubted.
        is_issue: Whether confident learning counts the row as mislabelled, ``(n,)`` bool.
    """

    score: Array
    suggested: Array
    is_issue: Array


def label_quality(y: Array, probs: Array) -> LabelQuality:
    """Score every label by out-of-fold predictions.

    The score is cleanlab's self-confidence, adjusted by the mean confidence of the label's own
    class, so that a class the model finds hard does not fill the list. ``is_issue`` prunes by the
    noise rates of the confident joint.

    What is suggested is adjusted alike. Where half of a class or more carry another label, what
    the predictions prefer does not tell its right rows from its wrong ones. But all of them have
    about what rows of their own class usually get, and much less than rows of the other one do.

    Args:
        y: Given labels, ``(n,)`` in ``[0, classes)``.
        probs: Class probabilities by members that did not train on the row, ``(n, classes)``.

    Raises:
        ShapeError: If the arguments do not align or a label has no column.

    References:
        Northcutt, Jiang and Chuang 2021, arXiv:1911.00068; Kuan and Mueller 2022 (label quality
        scores).
    """
    is_table = probs.ndim == 2 and len(y) == len(probs)
    if not is_table or (len(y) and not 0 <= y.min() <= y.max() < probs.shape[1]):
        raise ShapeError(
            f"label quality needs one row of probabilities per label and a column per class, got "
            f"{y.shape} labels up to {y.max(initial=-1)} and probabilities {probs.shape}."
        )
    if len(np.unique(y)) < 2:
        own, preferred = probs[np.arange(len(y)), y], probs.argmax(axis=1).astype(np.int64)
        return LabelQuality(own, preferred, np.zeros(len(y), bool))
    # Imported here: it brings pandas, which no other step needs.
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    normal = probs / probs.sum(axis=1, keepdims=True)
    score = get_label_quality_scores(y, normal, method="self_confidence", adjust_pred_probs=True)
    # One job: more would fork a process that has run torch operations.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of classes too small to flag all of
        is_issue = find_label_issues(y, normal, n_jobs=1)
    return LabelQuality(
        np.asarray(score, np.float64), _furthest_above_usual(y, normal), np.asarray(is_issue, bool)
    )


def _furthest_above_usual(y: Array, probs: Array) -> Array:
    """Return the class of which each row has most, against the rows that carry its label."""
    usual = np.full(probs.shape[1], np.inf)
    for label in np.unique(y).tolist():
        usual[label] = probs[y == label, label].mean()
    found: Array = (probs - usual).argmax(axis=1).astype(np.int64)
    return found


def most_suspect(score: Array, is_doubted: Array, ids: Array, count: int) -> Array:
    """Return the doubted rows with the lowest scores.

    Args:
        score: As in :class:`LabelQuality`, ``(n,)``.
        is_doubted: Whether another class is suggested, ``(n,)`` bool.
        ids: Sample ids, ``(n,)``; equal scores go by them.
        count: At most how many.

    Returns:
        Row numbers, int64, most suspect first.
    """
    order = np.lexsort((ids, score))
    chosen: Array = order[is_doubted[order]][:count].astype(np.int64)
    return chosen
