"""Weights of a torch module as named numpy arrays, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from activesynth.domain.canonical import Array, Tensors
from activesynth.errors import CorruptArtifactError

Network = TypeVar("Network", bound=nn.Module)


def to_arrays(weights: dict[str, Tensor], prefix: str = "") -> dict[str, Array]:
    """Copy a state dict to CPU arrays whose names start with ``prefix``."""
    return {
        f"{prefix}{name}": np.ascontiguousarray(weight.detach().cpu().numpy()).copy()
        for name, weight in weights.items()
    }


def load_arrays(module: nn.Module, tensors: Tensors, prefix: str = "") -> None:
    """Copy the arrays under ``prefix`` into ``module``.

    Raises:
        CorruptArtifactError: If a weight is missing, superfluous or of another shape.
    """
    weights = {
        name.removeprefix(prefix): torch.from_numpy(np.array(array))
        for name, array in tensors.items()
        if name.startswith(prefix)
    }
    try:
        module.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        raise CorruptArtifactError(f"tensors {prefix!r} do not fit the network: {error}") from error


def build(make: Callable[[], Network], device: torch.device, generator: torch.Generator) -> Network:
    """Build a network whose weights come from ``generator`` alone.

    Torch's constructors draw from the global generator; on the meta device they draw nothing.
    Matrices and kernels get He's normal initialisation (arXiv:1502.01852), offsets 0, scales 1.
    Weights of modules that have a ``gain`` are multiplied by it. All are drawn on the CPU, so every
    device starts from the same ones.
    """
    with torch.device("meta"):
        network = make()
    network = network.to_empty(device="cpu")
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() > 1:
                nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
            else:
                weight.fill_(0.0 if name.endswith("bias") else 1.0)
        for module in network.modules():
            gain = getattr(module, "gain", None)
            if gain is not None:
                for weight in module.parameters(recurse=False):
                    weight.mul_(gain)
    return network.to(device)
