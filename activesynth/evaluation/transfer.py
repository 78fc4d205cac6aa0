"""What else an encoder is good for, and whether another model reads synthetic rows the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.metrics import Accuracy, BalancedAccuracy, check_aligned
from activesynth.evaluation.neighbours import check_features
from activesynth.statistics.intervals import Interval, bootstrap

MIN_GROUPS = 10
"""Fewest groups of test rows for an interval that means anything."""
STRENGTH = 1.0
MAX_STEPS = 1000


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """How well a linear classifier on frozen embeddings does on rows that it did not see.

    Attributes:
        accuracy: In ``[0, 1]``.
        balanced_accuracy: In ``[0, 1]``; mean over the classes that occur among the test rows.
        classes: The classes it was fitted on; test rows of others are always wrong.
        n_train: Rows that it was fitted on; embeddings compare only at equal numbers.
    """

    accuracy: Interval
    balanced_accuracy: Interval
    classes: tuple[int, ...]
    n_train: int


def linear_probe(
    train: Array,
    y_train: Array,
    test: Array,
    y_test: Array,
    groups: Array,
    *,
    resamples: int,
    seed: int,
    strength: float = STRENGTH,
) -> LinearProbe | NotEstimable:
    """Fit a multinomial logistic regression to frozen embeddings and score it on test rows.

    For classes or datasets that the encoder was not trained for: a high score says that what
    it learnt carries over. Features are standardised by the train rows.

    Args:
        train: Embeddings to fit on, ``(n, d)``.
        y_train: Their labels, ``(n,)``, 0 or more, two classes at least.
        test: Embeddings to score on, ``(m, d)``, none of them related to a train row.
        y_test: Their labels, ``(m,)``, 0 or more.
        groups: What must stay together among test rows (patient, scene), ``(m,)``.
        resamples: How many bootstrap resamples of test groups. The interval does not speak about
            other train rows.
        seed: Equal seeds give equal intervals.
        strength: Inverse of the L2 penalty (scikit-learn's ``C``), above 0.

    Returns:
        The scores, or :class:`NotEstimable` with fewer than 10 groups of test rows.

    Raises:
        InputError: If an embedding is not finite.
        ShapeError: If arrays do not align, or fewer than two classes are there to fit.

    References:
        Alain and Bengio 2016, arXiv:1610.01644.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _check_probe(train, y_train, test, y_test, groups)
    count = len(np.unique(groups))
    if count < MIN_GROUPS:
        return NotEstimable("a linear probe (groups of test rows)", count, MIN_GROUPS)
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, max_iter=MAX_STEPS, tol=1e-6)
    )
    probe.fit(train, y_train)
    classes = np.unique(y_train)
    probs = np.zeros((len(test), int(max(y_train.max(), y_test.max())) + 1))
    probs[:, classes] = probe.predict_proba(test)
    accuracy, balanced = (
        bootstrap(metric, y_test, probs[None], groups, resamples=resamples, seed=seed)
        for metric in (Accuracy(), BalancedAccuracy())
    )
    return LinearProbe(accuracy, balanced, tuple(classes.tolist()), len(train))


def label_agreement(
    reference_probs: Array, y: Array, groups: Array, *, resamples: int, seed: int
) -> Interval | NotEstimable:
    """Return Q with its interval: how often a reference model agrees with synthetic labels.

    The reference model is trained on real rows that the generator never saw (``judge``). Q is
    bounded by the reference model's own accuracy, so read it beside that.

    Args:
        reference_probs: Its class probabilities on synthetic rows, ``(n, classes)``.
        y: The labels that the rows were made for, ``(n,)``.
        groups: What they were made from (the anchor's group), ``(n,)``; every row alone for
            rows made from noise.
        resamples: How many bootstrap resamples of groups, within classes.
        seed: Equal seeds give equal intervals.

    Returns:
        In ``[0, 1]``, or :class:`NotEstimable` with fewer than 10 groups.

    Raises:
        ShapeError: If the arrays do not align or hold no rows.
    """
    check_aligned(y, reference_probs, "label agreement")
    if len(groups) != len(y):
        raise ShapeError(
            f"label agreement needs one group per row, got {len(groups)} for {len(y)} rows."
        )
    count = len(np.unique(groups))
    if count < MIN_GROUPS:
        return NotEstimable("label agreement (groups)", count, MIN_GROUPS)
    return bootstrap(Accuracy(), y, reference_probs[None], groups, resamples=resamples, seed=seed)


def _check_probe(train: Array, y_train: Array, test: Array, y_test: Array, groups: Array) -> None:
    check_features("a linear probe", train, test)
    if len(train) != len(y_train) or not len(test) == len(y_test) == len(groups):
        raise ShapeError(
            f"a linear probe needs one label per row and one group per test row, got "
            f"{len(y_train)} for {len(train)} train rows, {len(y_test)} and {len(groups)} for "
            f"{len(test)} test rows."
        )
    lowest, classes = min(y_train.min(), y_test.min()), len(np.unique(y_train))
    if lowest < 0 or classes < 2:
        raise ShapeError(
            f"a linear probe needs labels of two classes or more, all 0 or above, got {classes} "
            f"from {lowest}; leave unlabelled rows out."
        )
