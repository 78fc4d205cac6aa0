"""Low-rank adapters on the attention of a UNet: made, trained on real rows, stored, put back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from activesynth.domain.canonical import Array, Tensors
from activesynth.domain.ports import Progress
from activesynth.errors import CorruptArtifactError, InputError
from activesynth.generation.checkpoints.engine import Engine
from activesynth.generation.checkpoints.packages import require
from activesynth.generation.checkpoints.parameters import StableDiffusionParameters
from activesynth.generation.checkpoints.pictures import to_pictures

PREFIX = "lora."
TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
HISTORY = 20
WARM_UP = 50

Batches = Callable[[Array, torch.Generator], tuple[Array, Array]]
"""Called with row numbers ``(b,)`` and the random source; returns images and condition tokens."""


def add_adapters(network: nn.Module, rank: int, *, seed: int) -> None:
    """Put adapters of ``rank`` into every attention; they change nothing before training.

    The first factor is drawn from the seed on the CPU, the second is zero; scale 1 (alpha = rank).

    References:
        Hu et al. 2022, arXiv:2106.09685.
    """
    require("peft", "transformers", "accelerate")
    from peft import LoraConfig

    adapted: Any = network
    with torch.random.fork_rng(devices=[]):
        adapted.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(TARGETS)))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(_adapters(network).items()):
            weight.data = weight.data.float()
            if ".lora_A." in name:
                drawn = torch.randn(weight.shape, generator=generator) / math.sqrt(weight.shape[1])
                weight.copy_(drawn)
            else:
                weight.zero_()


def adapter_arrays(network: nn.Module) -> dict[str, Array]:
    """Return the adapters' weights, float32, under peft's names behind ``lora.``."""
    return {
        PREFIX + name: np.ascontiguousarray(weight.detach().float().cpu().numpy()).copy()
        for name, weight in _adapters(network).items()
    }


def load_adapters(network: nn.Module, tensors: Tensors) -> None:
    """Copy stored weights into adapters that :func:`add_adapters` made.

    Raises:
        CorruptArtifactError: If a weight is missing, superfluous or of another shape.
    """
    weights = _adapters(network)
    shapes = {PREFIX + name: tuple(weight.shape) for name, weight in weights.items()}
    stored = {name: array.shape for name, array in tensors.items() if name.startswith(PREFIX)}
    if shapes != stored:
        odd = sorted(n for n in {*shapes, *stored} if shapes.get(n) != stored.get(n))
        raise CorruptArtifactError(
            f"the adapter does not fit the checkpoint: {len(odd)} of its tensors are missing, "
            f"superfluous or of another shape, first {odd[0]!r}; fit the generator again."
        )
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(torch.from_numpy(np.array(tensors[PREFIX + name])))


def train_adapters(
    engine: Engine,
    batches: Batches,
    weight: Array,
    parameters: StableDiffusionParameters,
    *,
    seed: int,
    progress: Progress,
) -> list[float]:
    """Minimise the denoising loss over the adapters with Adam.

    Rows are drawn in proportion to ``weight`` ``(n,)``; the learning rate warms up and falls to
    zero as a cosine. All random numbers come from the CPU. Accelerate places the network and, where
    ``dtype`` is bfloat16, computes the forward pass in it while the adapters stay float32. Where
    this is one of several processes (:mod:`together`), each draws the same batch and computes its
    share, and gradients are averaged: the loss is that of the whole batch.

    Returns:
        The mean loss of each of up to 20 equal parts of the training.

    Raises:
        InputError: If the loss stops being a finite number.
    """
    require("accelerate")
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    device = engine.denoiser.placement.device
    is_half = parameters.dtype == "bfloat16"
    # The accelerator is a singleton of the process, and an earlier one's settings would win.
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="bf16" if is_half else "no")
    network, weights = engine.denoiser.network, list(_adapters(engine.denoiser.network).values())
    optimiser = torch.optim.Adam(weights, lr=parameters.lora_learning_rate)
    trained, optimiser = accelerator.prepare(network, optimiser)
    engine.denoiser.network = trained
    generator = torch.Generator().manual_seed(seed)
    edges = torch.from_numpy(np.cumsum(weight / weight.sum()))
    steps, losses = parameters.lora_steps, np.zeros(parameters.lora_steps)
    share = slice(accelerator.process_index, None, accelerator.num_processes)
    try:
        for step in range(steps):
            drawn = torch.searchsorted(
                edges, torch.rand(parameters.lora_batch, generator=generator).double()
            ).clamp(max=len(edges) - 1)
            images, tokens = batches(drawn.numpy(), generator)
            for group in optimiser.param_groups:
                group["lr"] = parameters.lora_learning_rate * _rate(step, steps)
            optimiser.zero_grad()
            with accelerator.autocast():
                loss = _loss(engine, images, tokens, generator, share)
            accelerator.backward(loss)
            optimiser.step()
            losses[step] = accelerator.reduce(loss.detach(), reduction="mean").item()
            if not math.isfinite(losses[step]):
                raise _diverged(step, parameters)
            progress(step + 1, steps)
    finally:
        engine.denoiser.network = accelerator.unwrap_model(trained, keep_fp32_wrapper=False)
        accelerator.free_memory()
        AcceleratorState._reset_state(reset_partial_state=True)
    return [float(part.mean()) for part in np.array_split(losses, min(HISTORY, steps))]


def _loss(
    engine: Engine, images: Array, tokens: Array, generator: torch.Generator, share: slice
) -> Tensor:
    """Return the mean over a share of the batch; times and noise are drawn for all of it."""
    denoiser, process = engine.denoiser, engine.process
    device = denoiser.placement.device
    with torch.no_grad():
        clean = denoiser.encode(to_pictures(images[share], denoiser.picture).to(device))
        condition = denoiser.condition(torch.from_numpy(tokens[share]).to(device))
    times = torch.randint(process.times, (len(images),), generator=generator)[share].to(device)
    shape = (len(images), *clean.shape[1:])
    noise = torch.randn(shape, generator=generator)[share].to(device)
    answer = denoiser.predict(process.noised(clean, noise, times), times, condition)
    return ((answer - process.target(clean, noise, times)) ** 2).mean()


def _adapters(network: nn.Module) -> dict[str, nn.Parameter]:
    return {
        name.replace(".default.", "."): weight
        for name, weight in network.named_parameters()
        if ".lora_A." in name or ".lora_B." in name
    }


def _rate(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / min(WARM_UP, steps))
    return warm * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def _diverged(step: int, parameters: StableDiffusionParameters) -> InputError:
    return InputError(
        f"the adapters' loss was no finite number at step {step} of {parameters.lora_steps}; lower "
        f"`generator.parameters.lora_learning_rate` (now {parameters.lora_learning_rate}).",
        reason="generator_diverged",
    )
