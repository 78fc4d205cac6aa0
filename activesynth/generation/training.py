"""The optimiser loop that the learning generators share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Progress
from activesynth.errors import InputError
from activesynth.generation.latent_model import Milestone
from activesynth.generation.parameters import LearntParameters

Loss = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""Called with latents ``(b, k)``, tokens ``(b, 3)`` and the random source; returns a scalar."""

HISTORY = 20
WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Rows:
    """Latents ``(n, k)`` float32, tokens ``(n, 3)`` int64 and sampling weight ``(n,)``."""

    latents: Array
    tokens: Array
    weight: Array


def train(
    module: nn.Module,
    loss: Loss,
    rows: Rows,
    parameters: LearntParameters,
    *,
    seed: int,
    progress: Progress,
    milestone: Milestone | None = None,
    betas: tuple[float, float] = (0.9, 0.999),
) -> list[float]:
    """Minimise ``loss`` with Adam and leave the averaged weights in ``module``.

    Batches are drawn in proportion to the rows' weight, every condition is dropped
    independently, and the learning rate falls to zero as a cosine. All random numbers come from
    the CPU, so that the draws do not depend on the device.

    Returns:
        The mean loss of each of up to 20 equal parts of the training.

    Raises:
        InputError: If the loss stops being a finite number.
    """
    device = next(module.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    latents = torch.from_numpy(rows.latents).to(device)
    tokens = torch.from_numpy(rows.tokens).to(device)
    edges = torch.from_numpy(np.cumsum(rows.weight / rows.weight.sum()))
    weights: list[Tensor] = [
        parameter for parameter in module.parameters() if parameter.requires_grad
    ]
    average = [parameter.detach().clone() for parameter in weights]
    optimiser = torch.optim.Adam(weights, lr=parameters.learning_rate, betas=betas, fused=True)
    losses = np.zeros(parameters.steps)
    module.train()
    for step in range(parameters.steps):
        drawn = torch.searchsorted(
            edges, torch.rand(parameters.batch, generator=generator).double()
        )
        drawn = drawn.clamp(max=len(edges) - 1).to(device)
        kept = torch.rand(parameters.batch, tokens.shape[1], generator=generator)
        batch_tokens = tokens[drawn] * (kept >= parameters.label_drop).to(device)
        for group in optimiser.param_groups:
            group["lr"] = parameters.learning_rate * _rate(step, parameters.steps)
        optimiser.zero_grad()
        value = loss(latents[drawn], batch_tokens, generator)
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        decay = min(parameters.ema, (1.0 + step) / (10.0 + step))
        torch._foreach_lerp_(average, weights, 1.0 - decay)
        if milestone is not None and step + 1 == max(1, int(milestone.share * parameters.steps)):
            milestone.keep(average)
        losses[step] = value.item()
        if not math.isfinite(losses[step]):
            raise _diverged(step, parameters)
        if step % 25 == 24 or step == parameters.steps - 1:
            progress(step + 1, parameters.steps)
    with torch.no_grad():
        for parameter, averaged in zip(weights, average, strict=True):
            parameter.copy_(averaged)
    module.eval()
    return [float(part.mean()) for part in np.array_split(losses, min(HISTORY, len(losses)))]


def _rate(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / WARM_UP)
    return warm * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def _diverged(step: int, parameters: LearntParameters) -> InputError:
    return InputError(
        f"the generator's loss was no finite number at step {step} of {parameters.steps}; lower "
        f"`generator.parameters.learning_rate` (now {parameters.learning_rate}), or look for "
        "extreme values in the data.",
        reason="generator_diverged",
    )
