"""Monte-Carlo dropout: 50 passes, the trunk computed once or each time (CPU seconds)."""

from __future__ import annotations

from time import process_time

from benchmarks.measure import Case, measured
from benchmarks.pictures import fitted_predictor

PASSES = 50


def measure(*, quick: bool) -> list[Case]:
    """Time one plain prediction, stacked passes, and passes one by one."""
    predictor, x = fitted_predictor(192 if quick else 1797)
    predictor.draws(x[:64], passes=2, seed=0)  # the first call pays for loading kernels

    def one_by_one() -> None:
        for seed in range(PASSES):
            predictor.draws(x, passes=1, seed=seed)

    def at_once() -> None:
        predictor.draws(x, passes=PASSES, seed=0)

    repeats = 1 if quick else 3
    plain, _ = measured(
        "1 plain pass", lambda: predictor.predict_proba(x), repeats=repeats, clock=process_time
    )
    stacked, _ = measured("50 passes, trunk once", at_once, repeats=repeats, clock=process_time)
    naive, _ = measured("50 passes, each whole", one_by_one, repeats=repeats, clock=process_time)
    return [plain.noted(f"{len(x)} digits, 2 members"), stacked, naive]
