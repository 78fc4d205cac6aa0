"""Real digits as arrays, a fitted predictor on them, and their embeddings."""

from __future__ import annotations

import numpy as np
import torch

from activesynth.datasets.digits import DigitsSource
from activesynth.domain.canonical import Array
from activesynth.domain.exchange import State, TrainingSet
from activesynth.models.cnn import CnnTrainer
from activesynth.models.parameters import CnnParameters
from activesynth.models.predictor import EnsemblePredictor
from activesynth.nn.blocks import Classifier

PARAMETERS = CnnParameters(members=2, steps=20, pretrain_steps=20, device="cpu")
"""The default network; trained briefly, which no forward pass notices."""


def fitted_predictor(rows: int) -> tuple[EnsemblePredictor, Array]:
    """Return a small real ensemble fitted on ``rows`` digits, and those digits."""
    trainer, state, x = _fit(rows)
    return trainer.load(state), x


def fitted_members(rows: int) -> tuple[EnsemblePredictor, list[Classifier], float, Array]:
    """Return the same ensemble, its members, their common temperature, and the digits."""
    trainer, state, x = _fit(rows)
    architecture = trainer.architecture.read(state.facts)
    members = [
        architecture.load_member(state.tensors, f"member{number:02d}.", torch.device("cpu"))
        for number in range(PARAMETERS.members)
    ]
    return trainer.load(state), members, float(state.facts["temperature"]), x


def _fit(rows: int) -> tuple[CnnTrainer, State, Array]:
    samples = DigitsSource().read().samples.take(np.arange(rows))
    data = TrainingSet(samples, np.ones(rows), np.zeros(rows, bool), None, 10)
    trainer = CnnTrainer(PARAMETERS)
    return trainer, trainer.fit(data, None, seed=0), samples.x


def embeddings(rows: int) -> Array:
    """Return ``rows`` vectors: embedded digits, repeated with a little noise where too few.

    Neighbours of pure noise are all equally far; embeddings are what an index really holds.
    """
    samples = DigitsSource().read().samples
    trainer = CnnTrainer(PARAMETERS)
    vectors = trainer.embed(trainer.pretrain(samples.x, seed=0), samples.x)
    generator = np.random.default_rng(0)
    chosen = np.arange(rows) % len(vectors)
    noise = generator.normal(scale=0.05, size=(rows, vectors.shape[1]))
    return np.asarray(vectors[chosen] + noise, np.float32)
