"""How often the gate promotes a model that is worse by exactly the margin: its real error rate.

Run as ``python -m benchmarks.gate_size``. Rows are right or wrong independently; a replicate's
accuracy is drawn around the true one with the given standard deviation.
"""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.evaluation.gate import decide_gate
from activesynth.evaluation.metrics import BalancedAccuracy

ROWS, CLASSES, MARGIN, ACCURACY = 300, 5, 0.03, 0.85


def predictions(
    y: Array, accuracy: float, noise: float, replicates: int, rng: np.random.Generator
) -> Array:
    """Return one-hot predictions of replicates, ``(replicates, n, classes)``."""
    result = np.zeros((replicates, len(y), CLASSES))
    for replicate in range(replicates):
        own = np.clip(accuracy + noise * rng.standard_normal(), 0.0, 1.0)
        is_right = rng.random(len(y)) < own
        guess = np.where(is_right, y, (y + rng.integers(1, CLASSES, len(y))) % CLASSES)
        result[replicate, np.arange(len(y)), guess] = 1.0
    return result


def promoted_share(noise: float, replicates: int, trials: int, *, seed: int = 0) -> float:
    """Return the share of trials in which a model worse by the margin is promoted."""
    rng = np.random.default_rng(seed)
    metric = BalancedAccuracy()
    promoted = 0
    for trial in range(trials):
        y = rng.integers(0, CLASSES, ROWS)
        head = predictions(y, ACCURACY, 0.0, 1, rng)
        decision = decide_gate(
            y,
            np.arange(ROWS).astype(str),
            {
                "targeted": predictions(y, ACCURACY - MARGIN, noise, replicates, rng),
                "real": head,
                "reweighted": head,
                "head": head,
            },
            metric=metric,
            guarded={},
            metrics={metric.name: metric},
            margin=MARGIN,
            alpha=0.05,
            t=1,
            control="reweighted",
            resamples=500,
            seed=trial,
        )
        promoted += decision.is_promoted
    return promoted / trials


def main(trials: int = 400) -> None:
    """Print one row per setting."""
    print(f"| replicates | seed noise (sd, points) | promoted of {trials} |")
    print("|---|---|---|")
    for replicates in (2, 3, 5):
        for noise in (0.0, 0.01, 0.03):
            share = promoted_share(noise, replicates, trials)
            print(f"| {replicates} | {100 * noise:.0f} | {100 * share:.1f} % |")


if __name__ == "__main__":
    main()
