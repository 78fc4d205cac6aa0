"""Cross-fitting: each member leaves out one fold of the real rows and is tested on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor

from activesynth.domain.canonical import Array, Tensors, derive_seed
from activesynth.domain.exchange import TrainingSet
from activesynth.domain.ports import Progress
from activesynth.models.architecture import Architecture
from activesynth.models.folds import draw_batches, group_folds, member_weights, spread_folds
from activesynth.models.member import Rows, Training, train_member
from activesynth.models.parameters import EnsembleParameters
from activesynth.models.predictor import in_fixed_batches
from activesynth.nn.blocks import Classifier
from activesynth.nn.images import to_pixels
from activesynth.nn.tensors import build, load_arrays


@dataclass(frozen=True, slots=True)
class FittedEnsemble:
    """What cross-fitting left.

    Attributes:
        trainings: One per member, in order.
        folds: Fold per row, ``(n,)``; ``-1`` where every member saw the row.
        logits: Held-out logits with averaged weights, ``(members, n, classes)``, NaN where the
            member saw the row.
        last_logits: The same with the last weights.
    """

    trainings: tuple[Training, ...]
    folds: Array
    logits: Array
    last_logits: Array

    def held_out(self, y: Array, *, averaged: bool = True) -> tuple[Array, Array]:
        """Return logits and labels of all (member, left-out row) pairs."""
        logits = self.logits if averaged else self.last_logits
        member, row = np.nonzero(~np.isnan(logits[:, :, 0]))
        return logits[member, row], y[row]

    def out_of_fold(self, temperature: float) -> Array:
        """Return mean probabilities of members that did not see the row, zero if all did."""
        probs = softmax(self.logits.astype(np.float64) / temperature, axis=2)
        unseen = ~np.isnan(self.logits[:, :, :1])
        total = np.where(unseen, probs, 0.0).sum(axis=0)
        mean: Array = total / np.maximum(unseen.sum(axis=0), 1)
        return mean


def assign_folds(data: TrainingSet, count: int, *, seed: int) -> Array:
    """Return the fold of every row: real rows by group, synthetic ones by the group they name."""
    real = ~data.is_synthetic
    y, groups = data.samples.y, data.samples.groups
    folds = np.empty(len(y), np.int64)
    folds[real] = group_folds(y[real], groups[real], count, seed=seed)
    folds[~real] = spread_folds(folds[real], groups[real], groups[~real])
    return folds


def fit_ensemble(
    data: TrainingSet,
    architecture: Architecture[Any],
    encoder: Tensors | None,
    parameters: EnsembleParameters,
    device: torch.device,
    *,
    seed: int,
    progress: Progress,
) -> FittedEnsemble:
    """Train the members one after the other, each from its own seed.

    Args:
        data: Training rows.
        architecture: Of the members.
        encoder: Weights named ``encoder....`` that every trunk starts from, or None.
        parameters: Of the training.
        device: Where to train.
        seed: Decides folds, weights, batches, augmentation and dropout.
        progress: Told the steps over all members.
    """
    rows = _rows(data, device)
    folds = assign_folds(data, parameters.members, seed=derive_seed("folds", seed))
    total = parameters.members * parameters.steps
    trainings: list[Training] = []
    shape = (parameters.members, len(folds), data.classes)
    averaged, last = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for number in range(parameters.members):
        own_seed = derive_seed("member", seed, number)
        generator = torch.Generator().manual_seed(own_seed)
        network = build(architecture.make_member, device, generator)
        if encoder is not None:
            load_arrays(network.trunk, encoder, "encoder.")
        is_held_out = folds == number % (folds.max() + 1)
        weight = member_weights(data.weight, data.is_synthetic, is_held_out)
        batches = draw_batches(weight, parameters.steps, parameters.batch_size, seed=own_seed)
        done = number * parameters.steps

        def tick(step: int, done: int = done) -> None:
            progress(done + step, total)

        training = train_member(network, rows, batches, parameters, generator, tick)
        tested = is_held_out & ~data.is_synthetic
        last[number, tested] = _predict(network, training.last, rows, tested)
        averaged[number, tested] = _predict(network, training.averaged, rows, tested)
        trainings.append(training)
    return FittedEnsemble(tuple(trainings), folds, averaged, last)


def _rows(data: TrainingSet, device: torch.device) -> Rows:
    prior = None if data.prior is None else torch.from_numpy(data.prior.astype(np.float32))
    return Rows(
        pixels=to_pixels(data.samples.x).to(device),
        y=torch.from_numpy(data.samples.y.astype(np.int64)).to(device),
        is_synthetic=torch.from_numpy(np.array(data.is_synthetic, bool)).to(device),
        prior=None if prior is None else prior.to(device),
    )


def _predict(network: Classifier, weights: dict[str, Tensor], rows: Rows, tested: Array) -> Array:
    network.load_state_dict(weights)
    chosen = torch.from_numpy(np.flatnonzero(tested)).to(rows.pixels.device)
    return in_fixed_batches(network, rows.pixels[chosen], 0)
