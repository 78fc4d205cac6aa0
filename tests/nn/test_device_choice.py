"""What "auto" means: the setting where it says, else what torch's build and this machine allow."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from activesynth.errors import ConfigurationError
from activesynth.nn.device_choice import detected_device, fix_device, present_device
from activesynth.nn.devices import resolve_device
from activesynth.nn.numerics import numerics_profile

HAS_CUDA = torch.cuda.is_available()
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}.54.14  Thu Feb 22 01:44:30 UTC 2026\n"
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}.65.06  Release Build\nGCC 12\n"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    fix_device("auto")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of a machine with one GPU and a driver 580."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").write_text(OPEN.format(580))
    return tmp_path


def torch_built_for(folder: Path, cuda: str | None) -> Path:
    """Write a ``version.py`` as torch's build does."""
    file = folder / "version.py"
    file.write_text(
        "from typing import Optional\n\n__all__ = ['__version__', 'cuda', 'hip']\n"
        f"__version__ = '2.13.0'\ncuda: Optional[str] = {cuda!r}\nhip: Optional[str] = None\n"
    )
    return file


def test_a_gpu_and_a_build_for_it_mean_cuda(machine: Path) -> None:
    assert detected_device(machine, torch_built_for(machine, "13.0")) == "cuda"


def test_a_cpu_build_means_cpu_even_beside_a_gpu(machine: Path) -> None:
    assert detected_device(machine, torch_built_for(machine, None)) == "cpu"
    assert detected_device(machine, machine / "nothing.py") == "cpu"


def test_a_container_that_was_given_no_gpu_means_cpu_under_the_hosts_driver(machine: Path) -> None:
    (machine / "dev" / "nvidia0").unlink()
    (machine / "dev" / "nvidiactl").touch()

    assert detected_device(machine, torch_built_for(machine, "13.0")) == "cpu"


@pytest.mark.parametrize(
    ("visible", "device"),
    [
        ("0", "cuda"),
        ("1,0", "cuda"),
        ("GPU-8a", "cuda"),
        ("", "cpu"),
        ("-1", "cpu"),
        ("-1,0", "cpu"),
    ],
)
def test_hidden_gpus_do_not_count(
    machine: Path, monkeypatch: pytest.MonkeyPatch, visible: str, device: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert detected_device(machine, torch_built_for(machine, "13.0")) == device


@pytest.mark.parametrize("words", [CLOSED, OPEN])
@pytest.mark.parametrize(
    ("driver", "cuda", "device"),
    [(580, "13.2", "cuda"), (575, "13.0", "cpu"), (575, "12.8", "cuda"), (470, "12.1", "cpu")],
)
def test_a_driver_too_old_for_the_build_means_cpu(
    machine: Path, words: str, driver: int, cuda: str, device: str
) -> None:
    (machine / "proc/driver/nvidia/version").write_text(words.format(driver))

    assert detected_device(machine, torch_built_for(machine, cuda)) == device


def test_the_installed_torch_is_read_as_it_reads_itself() -> None:
    assert detected_device() == ("cuda" if HAS_CUDA else "cpu")


def test_the_setting_decides_what_auto_computes_on() -> None:
    fix_device("cpu")

    assert present_device() == "cpu"
    assert resolve_device("auto").type == "cpu"


@pytest.mark.skipif(HAS_CUDA, reason="needs a machine without CUDA")
def test_a_setting_that_cannot_be_met_is_told_and_not_replaced_in_silence() -> None:
    fix_device("cuda")

    assert present_device() == "cuda"
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(ConfigurationError, match="set ACTIVESYNTH_DEVICE to cpu"):
        resolve_device("auto")


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="use one of auto, cpu, cuda"):
        fix_device("tpu")


def test_results_of_two_devices_are_never_mixed() -> None:
    profiles = []
    for device in ("cpu", "cuda"):
        fix_device(device)
        profiles.append(numerics_profile())

    assert profiles[0] != profiles[1]
    assert "device=cpu" in profiles[0].splitlines()


def test_choosing_loads_no_torch() -> None:
    code = (
        "import sys; from activesynth.nn.device_choice import detected_device, present_device;"
        "present_device(); print(detected_device(), 'torch' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["cuda" if HAS_CUDA else "cpu", "False"]
