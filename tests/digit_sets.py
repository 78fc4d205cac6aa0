"""Training sets and trainers at toy size, from scikit-learn's digits."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import TrainingSet
from activesynth.domain.registry import Catalog
from activesynth.domain.samples import SampleSet
from activesynth.models.registry import TRAINERS
from activesynth.models.trainer import ImageTrainer
from activesynth.nn.numerics import fix_threads

TINY: dict[str, Any] = {
    "hidden": 16,
    "members": 2,
    "steps": 20,
    "pretrain_steps": 5,
    "device": "cpu",
}
ENCODERS: dict[str, dict[str, Any]] = {
    "cnn": {"width": 8},
    "vit": {"width": 32, "patch": 2, "depth": 2, "heads": 2},
}
"""Every image trainer, with the sizes of an encoder whose embeddings have 32 numbers."""


@cache
def digits() -> tuple[Array, Array]:
    """Return the images, uint8 ``(1797, 8, 8, 1)``, and their labels, shuffled."""
    source = load_digits()
    order = np.random.default_rng(0).permutation(len(source.target))
    pixels = np.clip(source.images * 16, 0, 255).astype(np.uint8)[..., None]
    return pixels[order], source.target[order].astype(np.int64)


def make_trainer(kind: str = "cnn", **changes: Any) -> ImageTrainer[Any]:
    """Build a trainer at toy size, on one thread; ``changes`` replace its parameters."""
    _use_one_thread()
    parameters = {**TINY, **ENCODERS[kind], **changes}
    trainer: ImageTrainer[Any] = Catalog({"trainer": TRAINERS}).create("trainer", kind, parameters)
    return trainer


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
