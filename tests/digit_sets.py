"""Training sets and trainers at toy size, from scikit-learn's digits."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import TrainingSet
from activesynth.domain.samples import SampleSet
from activesynth.models.cnn import CnnTrainer
from activesynth.models.parameters import CnnParameters
from activesynth.nn.numerics import fix_threads

TINY: dict[str, Any] = {
    "width": 8,
    "hidden": 16,
    "members": 2,
    "steps": 20,
    "pretrain_steps": 5,
    "device": "cpu",
}


@cache
def digits() -> tuple[Array, Array]:
    """Return the images, uint8 ``(1797, 8, 8, 1)``, and their labels, shuffled."""
    source = load_digits()
    order = np.random.default_rng(0).permutation(len(source.target))
    pixels = np.clip(source.images * 16, 0, 255).astype(np.uint8)[..., None]
    return pixels[order], source.target[order].astype(np.int64)


def make_trainer(**changes: Any) -> CnnTrainer:
    """Build a trainer at toy size, on one thread; ``changes`` replace its parameters."""
    _use_one_thread()
    return CnnTrainer(CnnParameters.model_validate({**TINY, **changes}))


@cache
def _use_one_thread() -> None:
    fix_threads(1)


def make_training_set(
    rows: slice,
    *,
    weight: Array | None = None,
    synthetic: int = 0,
    prior: Array | None = None,
    rows_per_group: int = 1,
) -> TrainingSet:
    """Return some digits as a training set whose last ``synthetic`` rows count as synthetic."""
    x, y = digits()[0][rows], digits()[1][rows]
    count = len(y)
    groups = np.array([f"g{row // rows_per_group}" for row in range(count)])
    ids = np.array([f"r{row}" for row in range(count)])
    return TrainingSet(
        samples=SampleSet(ids, x, y, groups),
        weight=np.ones(count) if weight is None else weight,
        is_synthetic=np.arange(count) >= count - synthetic,
        prior=prior,
        classes=10,
    )
