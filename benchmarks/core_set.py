"""Fifty rows by core-set, against scikit-activeml (CPU seconds)."""

from __future__ import annotations

import numpy as np
from skactiveml.pool import CoreSet

from activesynth.domain.canonical import Array
from activesynth.targeting.diversity import greedy_k_center
from benchmarks.acquisition import DIMENSION, LABELLED, PICKS, QUICK_SIZE, SIZE, make_pool
from benchmarks.interleaved import further, interleaved
from benchmarks.measure import Case

ROUNDS = 3


def measure(*, quick: bool) -> list[Case]:
    """Time both on the same rows, beside the same labelled ones."""
    pool = make_pool(QUICK_SIZE if quick else SIZE)

    def ours() -> Array:
        return greedy_k_center(pool.candidates, pool.x[:LABELLED], PICKS, seed=0)

    def theirs() -> Array:
        chosen = CoreSet(random_state=0).query(pool.x, pool.y, batch_size=PICKS)
        return np.asarray(chosen) - LABELLED

    contenders = {"ours": ours, "scikit-activeml": theirs}
    found = interleaved(contenders, rounds=1 if quick else ROUNDS)
    (own, chosen), (other, same) = found.values()
    equal = int((chosen == same).sum())
    told = f"{equal} of {PICKS} rows the same"
    return [further(own, f"{len(pool.candidates)} x {DIMENSION}"), further(other, told)]
