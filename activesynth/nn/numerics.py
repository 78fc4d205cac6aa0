"""What a computed number depends on besides its inputs; needs no torch.

Equal inputs and an equal profile give equal bits on one machine. Measured: one and two threads
differ, so do other instruction sets, and so do batches of 64 and 7 rows.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from activesynth.errors import ConfigurationError
from activesynth.nn.device_choice import driver_version, present_device

INFERENCE_BATCH = 64
"""Rows per forward pass at inference; shorter batches are padded up to it."""

_LIBRARIES = ("numpy", "torch", "scikit-learn", "scipy", "faiss-cpu", "faiss-gpu", "diffusers")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_DISPATCH_VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
)
_VECTOR_FLAG = re.compile(r"^(sse4_\d|avx\w*|fma|f16c|amx\w*|asimd\w*|sve\w*|bf16)$")


def numerics_profile() -> str:
    """Return library versions, threads, instructions, device and batch size as canonical text.

    One ``key=value`` per line, keys sorted. It is part of every derivation key, so a result is
    never reused where recomputing it could give other bits. Call it after :func:`fix_threads` and
    :func:`activesynth.nn.device_choice.fix_device`.
    """
    facts = {f"library.{name}": _version(name) for name in _LIBRARIES}
    facts |= {f"threads.{name}": os.environ.get(name, "unset") for name in _THREAD_VARIABLES}
    facts |= {f"dispatch.{n}": os.environ[n] for n in _DISPATCH_VARIABLES if n in os.environ}
    facts["python"] = platform.python_version()
    facts["machine"] = f"{platform.system()} {platform.machine()}"
    facts["instructions"] = _instructions()
    facts["device"] = present_device()
    facts["gpu"] = _gpu()
    facts["batch"] = str(INFERENCE_BATCH)
    return "\n".join(f"{key}={facts[key]}" for key in sorted(facts))


def fix_threads(count: int) -> None:
    """Let every numeric library of this process use exactly ``count`` threads.

    Call it before the first operation. Libraries that are loaded later read the environment, so
    torch is told only when it is already there and is not imported for this.

    Raises:
        ConfigurationError: If ``count`` is under 1.
    """
    if count < 1:
        raise ConfigurationError(f"`threads` is {count}; it must be at least 1.")
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(count)))
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"


def _instructions() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    lines = re.findall(r"^(vendor_id|flags|Features)\s*:\s*(.*)$", text, re.MULTILINE)
    found: dict[str, str] = dict(lines)
    flags = found.get("flags", found.get("Features", "")).split()
    vector = sorted({flag for flag in flags if _VECTOR_FLAG.match(flag)})
    return " ".join([found.get("vendor_id", "unknown"), *vector])


def _gpu() -> str:
    driver = driver_version()
    return f"{driver} visible={os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}" if driver else "none"
