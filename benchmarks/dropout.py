"""Monte-Carlo dropout: 50 passes with the trunk computed once, against 50 whole passes."""

from __future__ import annotations

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

    rows = f"{len(x)} digits, 2 members"
    plain, _ = measured("1 plain pass", lambda: predictor.predict_proba(x), note=rows)
    stacked, _ = measured(
        "50 passes, trunk once", lambda: predictor.draws(x, passes=PASSES, seed=0)
    )
    naive, _ = measured("50 passes, each whole", one_by_one)
    return [plain, stacked, naive]
