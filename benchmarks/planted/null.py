"""How often something is reported where nothing is weak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.stats import binomtest

from activesynth.diagnosis.evidence import Evidence
from activesynth.domain.canonical import Array
from activesynth.evaluation.splits import halves
from benchmarks.planted.data import (
    CORRUPTIONS,
    SEVERITIES,
    Pictures,
    fitted,
    rows_of,
    split,
)
from benchmarks.planted.looking import MARGIN, look, profile_of, surroundings

FEW_STEPS = 12
Shuffle = Callable[[Array, Array, np.random.Generator], Array]


def within_class(is_error: Array, y: Array, rng: np.random.Generator) -> Array:
    """Permute correctness among the rows of each class: class rates stay, all else is chance."""
    permuted = is_error.copy()
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        permuted[rows] = rng.permutation(is_error[rows])
    return permuted


def over_all_rows(is_error: Array, y: Array, rng: np.random.Generator) -> Array:
    """Permute correctness over all rows, so that no class is weak either."""
    permuted: Array = rng.permutation(is_error)
    return permuted


def emptied(evidence: Evidence, shuffle: Shuffle, run: int) -> Evidence:
    """Return the evidence with its correctness permuted and its corrupted copies left clean.

    Attributes that say nothing are added, drawn anew for each run: two with four values and one
    of numbers in quartiles, so that slices of them are searched too.
    """
    rng = np.random.default_rng([run, 4])
    classes = evidence.probs.shape[1]
    is_error = shuffle(evidence.probs.argmax(axis=1) != evidence.y, evidence.y, rng)
    guess = (evidence.y + rng.integers(1, classes, len(evidence.y))) % classes
    probs = np.full(evidence.probs.shape, 0.1 / classes)
    probs[np.arange(len(evidence.y)), np.where(is_error, guess, evidence.y)] += 0.9
    attributes = {
        "site": rng.choice(["north", "east", "south", "west"], len(evidence.y)),
        "device": rng.choice(["a", "b", "c", "d"], len(evidence.y), p=[0.6, 0.2, 0.15, 0.05]),
    }
    return replace(
        evidence,
        probs=probs,
        is_a=halves(evidence.ids, evidence.ids, seed=run),
        corrupted={name: np.stack([probs] * len(SEVERITIES)) for name in CORRUPTIONS},
        attributes=attributes,
    )


def reported(
    evidence: Evidence, classes: tuple[str, ...], shuffle: Shuffle, runs: range, margin: float
) -> list[tuple[str, ...]]:
    """Return the ids of what each run reports."""
    found = []
    for run in runs:
        profile = profile_of(emptied(evidence, shuffle, run), classes, margin=margin)
        found.append(tuple(weakness.id for weakness in profile.weaknesses))
    return found


def nulls(pictures: Pictures, runs: int) -> None:
    """Print how many runs report anything, for a good and for a bad model."""
    parts = split(pictures, 0)
    train, guide = rows_of(pictures, parts.train), rows_of(pictures, parts.guide)
    around = surroundings(train.x, train.x[:0], guide.x, 0)
    good = fitted(train, 0, rows=len(train.y))
    bad = fitted(train, 0, rows=len(train.y), steps=FEW_STEPS)
    print("| model | error | largest class gap | permuted | margin | runs that report | 95 % |")
    print("|---|---|---|---|---|---|---|")
    for name, model in (("good", good), ("bad", bad)):
        evidence = look(model, guide, around, 0)
        cases: list[tuple[str, Shuffle, float]] = [
            ("within class", within_class, MARGIN),
            ("over all rows", over_all_rows, MARGIN),
            ("over all rows", over_all_rows, 0.0),
        ]
        if name == "bad":
            # Its classes differ by more than the margin, so naming them would be no error.
            cases = cases[1:]
        is_error = evidence.probs.argmax(axis=1) != evidence.y
        for what, shuffle, margin in cases:
            found = reported(evidence, guide.classes, shuffle, range(runs), margin)
            count = sum(map(bool, found))
            interval = binomtest(count, runs).proportion_ci(method="exact")
            print(
                f"| {name} | {is_error.mean():.3f} | {_class_gap(is_error, evidence.y):.3f} | "
                f"{what} | {margin:g} | {count} of {runs} | "
                f"{interval.low:.3f} to {interval.high:.3f} |",
                flush=True,
            )


def _class_gap(is_error: Array, y: Array) -> float:
    """Return the largest error rate of a class minus that of all other rows."""
    gaps = [is_error[y == c].mean() - is_error[y != c].mean() for c in np.unique(y)]
    return float(max(gaps))
