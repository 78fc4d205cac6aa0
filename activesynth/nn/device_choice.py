"""Which device this process computes on, decided once and without loading torch."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

from activesynth.errors import ConfigurationError

DEVICES = ("auto", "cpu", "cuda")

_OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
"""Oldest NVIDIA driver per CUDA release (NVIDIA, CUDA compatibility, minor versions)."""

_setting = "auto"


def fix_device(setting: str) -> None:
    """Let ``auto`` mean ``setting`` in every part of this process, until it is fixed anew.

    A part's own ``device`` wins over it; where that is ``auto``, this decides.

    Raises:
        ConfigurationError: If it is none of :data:`DEVICES`.
    """
    global _setting
    if setting not in DEVICES:
        raise ConfigurationError(f"`device` is {setting!r}; use one of {', '.join(DEVICES)}.")
    _setting = setting


def present_device() -> str:
    """Return what ``auto`` means here, ``cpu`` or ``cuda``: records name it, parts compute on it.

    Where the setting is ``auto`` too, CUDA needs a GPU that this process may see, and a build of
    torch that its driver can serve. Both are read from files: importing torch takes seconds, and
    asking CUDA before a fork breaks it in the child.
    """
    return _setting if _setting != "auto" else detected_device()


def detected_device(root: Path = Path("/"), torch_version: Path | None = None) -> str:
    """Return ``cuda`` if a GPU is there and torch is built for it, else ``cpu``.

    Args:
        root: The file system to look for a GPU in.
        torch_version: Torch's ``version.py``; that of the installed torch when not given.
    """
    release = _cuda_release(torch_version or _installed_version())
    if release is None or not _sees_gpu(root):
        return "cpu"
    driver = re.search(r"Kernel Module.*?\s(\d+)\.\d", driver_version(root))
    is_too_old = driver is not None and int(driver[1]) < _OLDEST_DRIVER.get(release, 0)
    return "cpu" if is_too_old else "cuda"


def driver_version(root: Path = Path("/")) -> str:
    """Return the first line of what the NVIDIA driver says about itself, or nothing."""
    try:
        return (root / "proc/driver/nvidia/version").read_text().partition("\n")[0]
    except OSError:
        return ""


def _sees_gpu(root: Path) -> bool:
    # A container shows the host's driver under /proc; only one that was given a GPU has its node.
    has_node = any((root / "dev").glob("nvidia[0-9]*"))
    is_in_windows = (root / "usr/lib/wsl/lib/libcuda.so.1").exists()
    # CUDA stops at the first name that is no device: an empty list or -1 hides all of them.
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip()
    return (has_node or is_in_windows) and bool(re.match(r"\d|GPU-|MIG-", visible))


def _installed_version() -> Path | None:
    found = find_spec("torch")
    return (
        None if found is None or found.origin is None else Path(found.origin).parent / "version.py"
    )


def _cuda_release(version: Path | None) -> int | None:
    """Read the major CUDA release off ``cuda: Optional[str] = '13.0'``; None for a CPU build."""
    try:
        text = "" if version is None else version.read_text()
    except OSError:
        return None
    found = re.search(r"^cuda\b[^=\n]*=\s*['\"](\d+)\.", text, re.MULTILINE)
    return None if found is None else int(found[1])
