"""Where torch computes: a device by name, and its precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from activesynth.errors import ConfigurationError
from activesynth.nn.device_choice import DEVICES, present_device


def resolve_device(name: str) -> torch.device:
    """Return the device called ``auto``, ``cpu`` or ``cuda``; ``auto`` is the process's own.

    Raises:
        ConfigurationError: If the name is another one, or CUDA is asked for and is not there.
            ``auto`` never falls back in silence: what is recorded would not be what computed.
    """
    if name not in DEVICES:
        raise ConfigurationError(f"`device` is {name!r}; use one of {', '.join(DEVICES)}.")
    device = present_device() if name == "auto" else name
    if device == "cuda" and not torch.cuda.is_available():
        way_out = (
            "set ACTIVESYNTH_DEVICE to cpu" if name == "auto" else "set `device` to 'auto' or 'cpu'"
        )
        raise ConfigurationError(
            f"`device` is {name!r} and means cuda here, but torch finds no CUDA device that works; "
            f"install a CUDA build of torch and a driver, or {way_out}."
        )
    return torch.device(device)


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context that computes in bfloat16 on CUDA and changes nothing on CPU."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()
