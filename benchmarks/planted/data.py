"""Real pictures, split anew for each seed, and small ensembles fitted on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from activesynth.datasets.digits import DigitsSource
from activesynth.datasets.parameters import NpzParameters
from activesynth.datasets.sources import NpzSource
from activesynth.domain.canonical import Array, derive_seed
from activesynth.domain.exchange import TrainingSet
from activesynth.domain.samples import SampleSet
from activesynth.models.cnn import CnnTrainer
from activesynth.models.parameters import AugmentParameters, CnnParameters
from activesynth.models.predictor import EnsemblePredictor
from activesynth.perturbations.image import apply

CORRUPTIONS = ("blur", "noise", "rotation", "occlusion", "shadow", "contrast")
SEVERITIES = (0.33, 0.66, 1.0)
GUIDE_SHARE = 0.5
# No augmentation but small shifts: what the model is robust to is what it was shown.
PARAMETERS = CnnParameters(
    width=16,
    members=2,
    steps=250,
    pretrain_steps=60,
    augment=AugmentParameters(rotation=0.0, scale=0.0, contrast=0.0),
    device="cpu",
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Labelled pictures, uint8 ``(n, height, width, channels)``, and the names of the classes."""

    x: Array
    y: Array
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Halves:
    """Row numbers of one seed's split."""

    train: Array
    guide: Array


def digits() -> Pictures:
    """Return scikit-learn's handwritten digits."""
    data = DigitsSource().read()
    return Pictures(data.samples.x, data.samples.y, data.classes)


def from_npz(path: Path, rows: int) -> Pictures:
    """Return at most ``rows`` pictures of an archive, a fixed random choice."""
    data = NpzSource(NpzParameters(path=str(path))).read()
    labelled = np.flatnonzero(data.samples.y >= 0)
    kept = np.sort(np.random.default_rng(0).permutation(labelled)[:rows])
    return Pictures(data.samples.x[kept], data.samples.y[kept], data.classes)


def split(pictures: Pictures, seed: int) -> Halves:
    """Draw half of the rows for training, the rest for guide."""
    order = np.random.default_rng([seed, 1]).permutation(len(pictures.y))
    cut = round((1.0 - GUIDE_SHARE) * len(order))
    return Halves(np.sort(order[:cut]), np.sort(order[cut:]))


def with_copies(pictures: Pictures, names: Sequence[str], seed: int) -> Pictures:
    """Return the rows and, for each named corruption, one corrupted copy of each of them."""
    parts = [pictures.x]
    for name in names:
        rng = np.random.default_rng([seed, *name.encode()])
        severity = rng.uniform(0.2, 1.0, len(pictures.x))
        seeds = rng.integers(2**63, size=len(pictures.x), dtype=np.uint64)
        parts.append(apply(name, pictures.x, severity=severity, seed=seeds))
    return replace(pictures, x=np.concatenate(parts), y=np.tile(pictures.y, len(parts)))


def rows_of(pictures: Pictures, rows: Array) -> Pictures:
    """Return some rows."""
    return replace(pictures, x=pictures.x[rows], y=pictures.y[rows])


def fitted(
    data: Pictures, seed: int, *, rows: int, steps: int = PARAMETERS.steps
) -> EnsemblePredictor:
    """Fit a small real ensemble; copies of one of the ``rows`` first rows share its group."""
    count = len(data.y)
    groups = (np.arange(count) % rows).astype(str)
    samples = SampleSet(np.arange(count).astype(str), data.x, data.y, groups)
    training = TrainingSet(samples, np.ones(count), np.zeros(count, bool), None, len(data.classes))
    trainer = CnnTrainer(PARAMETERS.model_copy(update={"steps": steps}))
    return trainer.load(trainer.fit(training, None, seed=derive_seed("fit", seed)))


def embedded(train_x: Array, x: Sequence[Array], seed: int) -> list[Array]:
    """Return the embeddings of each of ``x`` by an encoder trained on ``train_x``, unlabelled."""
    trainer = CnnTrainer(PARAMETERS)
    encoder = trainer.pretrain(train_x, seed=derive_seed("encoder", seed))
    return [trainer.embed(encoder, part) for part in x]
