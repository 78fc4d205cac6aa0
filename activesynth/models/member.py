"""Training of one ensemble member."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from activesynth.domain.canonical import Array
from activesynth.models.losses import kl_to_prior
from activesynth.models.parameters import EnsembleParameters
from activesynth.nn.blocks import Classifier
from activesynth.nn.devices import mixed_precision
from activesynth.nn.images import Augmentation, to_unit

Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows on the device: pixels ``(n, c, h, w)``, labels, origin, prior or None."""

    pixels: Tensor
    y: Tensor
    is_synthetic: Tensor
    prior: Tensor | None


@dataclass(frozen=True, slots=True)
class Training:
    """What training one member left: averaged and last weights, and losses per step.

    ``real`` and ``synthetic`` are mean cross entropies in nats of the rows of that origin in each
    batch (NaN where a batch had none), ``divergence`` the mean KL to the prior on real rows.
    """

    averaged: dict[str, Tensor]
    last: dict[str, Tensor]
    real: Tensor
    synthetic: Tensor
    divergence: Tensor


def train_member(
    network: Classifier,
    rows: Rows,
    batches: Array,
    parameters: EnsembleParameters,
    generator: torch.Generator,
    tick: Tick,
) -> Training:
    """Train ``network`` on ``batches`` of row indices and average its late weights.

    The loss is cross entropy + beta * KL(new || previous), the second term on real rows only.
    Weights are averaged after every step from ``swa_start`` on (arXiv:1803.05407).
    """
    device = rows.pixels.device
    optimiser = torch.optim.Adam(network.parameters(), lr=parameters.learning_rate, fused=True)
    augmentation = Augmentation(**parameters.augment.model_dump())
    averaging_from = int(parameters.swa_start * len(batches))
    averaged = {name: weight.clone() for name, weight in _weights(network).items()}
    log = torch.zeros(3, len(batches), device=device)
    network.train()
    for step, batch in enumerate(torch.from_numpy(batches).to(device)):
        images = augmentation.apply(to_unit(rows.pixels[batch]), generator)
        masks = network.head.masks(len(batch), generator).to(device)
        with mixed_precision(device):
            logits = network(images, masks)
        loss, log[:, step] = _loss(logits.float(), rows, batch, parameters.beta)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step >= averaging_from:
            share = 1.0 / (step - averaging_from + 1)
            torch._foreach_lerp_(list(averaged.values()), list(_weights(network).values()), share)
        tick(step + 1)
    network.eval()
    last = {name: weight.clone() for name, weight in _weights(network).items()}
    real, synthetic, divergence = log.cpu()
    return Training(averaged, last, real, synthetic, divergence)


def _weights(network: Classifier) -> dict[str, Tensor]:
    return {name: weight.detach() for name, weight in network.named_parameters()}


def _loss(logits: Tensor, rows: Rows, batch: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    entropy = functional.cross_entropy(logits, rows.y[batch], reduction="none")
    synthetic = rows.is_synthetic[batch]
    loss = entropy.mean()
    divergence = logits.new_zeros(())
    if rows.prior is not None and beta > 0:
        per_row = kl_to_prior(logits, rows.prior[batch]) * ~synthetic
        divergence = per_row.sum() / (~synthetic).sum().clamp(min=1)
        loss = loss + beta * per_row.mean()
    values = entropy.detach()
    parts = [values[~synthetic].mean(), values[synthetic].mean(), divergence.detach()]
    return loss, torch.stack(parts)
