"""Folds for a cross-validation that never tests on a person it trained on."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from activesynth.domain.canonical import Array
from activesynth.domain.samples import UNLABELLED
from activesynth.errors import InputError, ShapeError


def grouped_folds(y: Array, groups: Array, count: int, *, seed: int) -> Array:
    """Deal labelled rows out to folds that share no group and have similar class shares.

    Args:
        y: Labels, ``(n,)``, ``-1`` where unknown.
        groups: What must stay together (a patient with several pictures), ``(n,)``.
        count: Folds, 2 or more.
        seed: Another seed deals anew: repeated cross-validation takes one per repeat.

    Returns:
        The fold of each row, ``(n,)`` int64 in ``[0, count)``; ``-1`` for unlabelled rows, which
        are scored in none.

    Raises:
        InputError: ``too_few_groups`` if a fold would stay empty.
        ShapeError: If labels and groups do not align.

    References:
        Kohavi 1995, IJCAI, on stratified cross-validation; scikit-learn's StratifiedGroupKFold.
    """
    if len(y) != len(groups) or count < 2:
        raise ShapeError(
            f"grouped_folds needs a group per row and 2 folds or more, got {len(y)} labels, "
            f"{len(groups)} groups and {count} folds."
        )
    labelled = np.flatnonzero(y != UNLABELLED)
    names = np.unique(groups[labelled])
    fold = np.full(len(y), -1, np.int64)
    if len(names) >= count:
        splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # A class with fewer rows than folds misses in some; scores leave it out there.
            warnings.simplefilter("ignore", UserWarning)
            parts = splitter.split(np.zeros(len(labelled)), y[labelled], groups[labelled])
            for number, (_, held_out) in enumerate(parts):
                fold[labelled[held_out]] = number
    if len(np.unique(fold[labelled])) < count:
        raise InputError(
            f"`splits.test_fold.count`: {len(labelled)} labelled rows in {len(names)} groups make "
            f"no {count} folds; ask for fewer, or add data.",
            reason="too_few_groups",
            field="splits.test_fold.count",
        )
    return fold
