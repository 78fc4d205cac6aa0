"""Weights from one seed, and as named arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from activesynth.domain.canonical import Array

PREFIX = "model."

M = TypeVar("M", bound=nn.Module)


def empty(build: Callable[[], M], device: str) -> M:
    """Build a module without touching the global random state; its weights are undefined."""
    with torch.device("meta"):
        module = build()
    return module.to_empty(device=device)


def initialise(module: nn.Module, seed: int) -> None:
    """Set every weight from one generator: linear layers uniform in 1/sqrt(inputs).

    Residual branches and the last layer start at zero, so that the network starts as the identity
    of its residual stream and predicts zero.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(module.named_parameters()):
        zero = name.endswith("bias") or ".second." in name or name.startswith("leave.")
        with torch.no_grad():
            if zero:
                parameter.zero_()
            elif parameter.dim() == 1:
                parameter.fill_(1.0)
            else:
                bound = 0.02 if "embeddings" in name else 1.0 / math.sqrt(parameter.shape[1])
                drawn = torch.rand(parameter.shape, generator=generator) * 2.0 - 1.0
                parameter.copy_(drawn * bound)


def to_arrays(module: nn.Module) -> dict[str, Array]:
    """Return the weights as numpy arraysunder prefixed names."""
    return {
        f"{PREFIX}{name}": tensor.detach().cpu().numpy().copy()
        for name, tensor in module.state_dict().items()
    }


def from_arrays(module: nn.Module, tensors: Mapping[str, Array]) -> None:
    """Fill the weights with what :func:`to_arrays` returned."""
    module.load_state_dict(
        {
            name.removeprefix(PREFIX): torch.from_numpy(np.array(array))
            for name, array in tensors.items()
            if name.startswith(PREFIX)
        }
    )
    module.eval()
