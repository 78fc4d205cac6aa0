"""Where torch computes: a device by name, and its precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from activesynth.errors import ConfigurationError


def resolve_device(name: str) -> torch.device:
    """Return the device called ``auto``, ``cpu`` or ``cuda``; ``auto`` prefers CUDA.

    Raises:
        ConfigurationError: If the name is another one, or CUDA is asked for and is not there.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise ConfigurationError(f"`device` is {name!r}; use one of auto, cpu, cuda.")
    has_cuda = name != "cpu" and torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise ConfigurationError(
            "`device` is 'cuda', but torch finds no CUDA device; install a CUDA build of torch "
            "and a driver, or set `device` to 'auto' or 'cpu'."
        )
    return torch.device("cuda" if has_cuda else "cpu")


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context that computes in bfloat16 on CUDA and changes nothing on CPU."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()
