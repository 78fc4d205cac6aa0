"""Fits of adapters by several processes that share every batch, on a GPU each or all on the CPU.

The parent writes rows and parameters into a folder, starts the processes, tells their progress, and
reads the state that the first one leaves there. They find each other by a file in that folder and
talk over the loopback interface (or NVLink and PCIe, where NCCL finds them); no port is opened.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch

from activesynth.config.settings import Settings
from activesynth.domain.canonical import decode_arrays, encode_arrays
from activesynth.domain.exchange import GeneratorData, State
from activesynth.domain.ports import Progress
from activesynth.domain.samples import SampleSet
from activesynth.errors import (
    ActiveSynthError,
    ConfigurationError,
    CorruptArtifactError,
    InputError,
    PlatformStateError,
    TransientError,
)
from activesynth.generation.checkpoints.parameters import StableDiffusionParameters
from activesynth.nn.devices import resolve_device
from activesynth.nn.memory import GpuOutOfMemoryError, OutOfMemoryError, lack_of_memory

LAUNCHED = "ACTIVESYNTH_LAUNCHED"
PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others at one exchange before it gives up."""
_PROGRAM = "activesynth.generation.checkpoints.together"
_ROWS = ("x", "y", "clusters", "levels", "weight", "ids", "groups")
_PR_SET_PDEATHSIG = 1
GRACE = 1.0
_KINDS: dict[str, Callable[..., ActiveSynthError]] = {
    "ConfigurationError": ConfigurationError,
    "CorruptArtifactError": CorruptArtifactError,
    "InputError": InputError,
    "ShapeError": InputError,
    "TransientError": TransientError,
    "OutOfMemoryError": OutOfMemoryError,
    "GpuOutOfMemoryError": GpuOutOfMemoryError,
}
"""What a process may refuse, by the name of its class; any other is one of the platform."""


def is_launched() -> bool:
    """Tell whether this process is one of several that fit together."""
    return LAUNCHED in os.environ


def fit_together(
    parameters: StableDiffusionParameters, data: GeneratorData, *, seed: int, progress: Progress
) -> State:
    """Return the state that ``parameters.lora_processes`` processes fit.

    Raises:
        ConfigurationError: If there are fewer GPUs than processes.
        TransientError: If a process ended without a word, as when memory ran out.
        ActiveSynthError: What a process itself refused.
    """
    device = resolve_device(parameters.device)
    _check_devices(device, parameters.lora_processes)
    with tempfile.TemporaryDirectory(prefix="activesynth-fit-") as name:
        folder = Path(name)
        _write_request(folder, parameters, data, device, seed)
        processes: list[subprocess.Popen[bytes]] = []
        try:
            for rank in range(parameters.lora_processes):
                processes.append(_start(folder, rank, parameters.lora_processes, device))
            _wait(folder, processes, progress)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        facts = json.loads((folder / "facts.json").read_text())
        return State(decode_arrays((folder / "tensors.npz").read_bytes()), facts)


def _check_devices(device: torch.device, count: int) -> None:
    present = torch.cuda.device_count() if device.type == "cuda" else count
    if present < count:
        raise ConfigurationError(
            f"`lora_processes` is {count}, but this process may see {present} GPUs; lower it, or "
            "give the worker more devices.",
            reason="bad_value",
            field="generator.parameters.lora_processes",
        )


def _write_request(
    folder: Path,
    parameters: StableDiffusionParameters,
    data: GeneratorData,
    device: torch.device,
    seed: int,
) -> None:
    samples = data.samples
    rows = (samples.x, samples.y, data.clusters, data.levels, data.weight)
    for name, array in zip(_ROWS, (*rows, samples.ids, samples.groups), strict=True):
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    own = parameters.model_dump(mode="json") | {"device": device.type}
    if parameters.path is not None:
        own["path"] = str((Settings.read().data / parameters.path).absolute())
    document = {
        "parent": os.getpid(),
        "parameters": own,
        "classes": data.classes,
        "cluster_count": data.cluster_count,
        "seed": seed,
    }
    (folder / "request.json").write_text(json.dumps(document))


def _start(folder: Path, rank: int, count: int, device: torch.device) -> subprocess.Popen[bytes]:
    environment = {
        **{name: value for name, value in os.environ.items() if not _is_ours(name)},
        LAUNCHED: "1",
        "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path),
        "RANK": str(rank),
        "WORLD_SIZE": str(count),
        # Each sees its own device only, so that it is the first of its machine to itself.
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        # Accelerate insists on an address; the processes have met by then, and none listens there.
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "NCCL_SOCKET_IFNAME": "lo",
    }
    if device.type == "cuda":
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(n) for n in range(count)]
        environment["CUDA_VISIBLE_DEVICES"] = names[rank].strip()
    with (folder / f"said-{rank}.txt").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", _PROGRAM, str(folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


def _is_ours(name: str) -> bool:
    """Tell whether a variable may hold a password; training needs none of either kind."""
    return name.startswith(("ACTIVESYNTH_", "AIRFLOW_"))


def _wait(folder: Path, processes: list[subprocess.Popen[bytes]], progress: Progress) -> None:
    """Return when all ended well; the first that does not ends the wait."""
    while True:
        ended = [process.poll() for process in processes]
        if any(code not in (None, 0) for code in ended):
            time.sleep(GRACE)  # the one that the others missed may have something to say
            raise _failure(folder, [process.poll() for process in processes])
        done = folder / "progress.json"
        if done.exists():
            progress(*json.loads(done.read_text()))
        if all(code == 0 for code in ended):
            return
        time.sleep(0.2)


def _failure(folder: Path, codes: list[int | None]) -> ActiveSynthError:
    """Return what a process refused, in its own class, or that one died."""
    for rank in range(len(codes)):
        told = folder / f"error-{rank}.json"
        if told.exists():
            facts = json.loads(told.read_text())
            kind = _KINDS.get(facts["kind"], PlatformStateError)
            return kind(facts["message"], reason=facts["reason"], field=facts["field"])
    # One that was killed comes before those that only lost it.
    rank, code = min(
        ((rank, code) for rank, code in enumerate(codes) if code), key=lambda ended: ended[1]
    )
    said = (folder / f"said-{rank}.txt").read_text(errors="replace").strip().splitlines()
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return TransientError(
        f"process {rank} of those that train the adapters ended with {how}: "
        f"{said[-1][:300] if said else 'no word'}; lower `lora_batch` if memory ran out.",
        reason="fit_process_died",
        field="generator.parameters.lora_processes",
    )


def main(folder: Path) -> int:
    """Fit as one of several; the first leaves the state in the folder."""
    request = json.loads((folder / "request.json").read_text())
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != request["parent"]:
        return 1
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    parameters = StableDiffusionParameters.model_validate(request["parameters"])
    try:
        state = _fit(folder, request, parameters, rank, count)
    except Exception as failure:
        error = _named(failure, rank)
        if error is None:
            raise
        facts = {
            "kind": type(error).__name__,
            "message": str(error),
            "reason": error.reason,
            "field": error.field,
        }
        _write(folder / f"error-{rank}.json", json.dumps(facts).encode())
        return 1
    if rank == 0:
        _write(folder / "tensors.npz", encode_arrays(state.tensors))
        _write(folder / "facts.json", json.dumps(dict(state.facts)).encode())
    return 0


def _named(failure: Exception, rank: int) -> ActiveSynthError | None:
    """Return what can be told to the parent, None for what is a bug."""
    if isinstance(failure, ActiveSynthError):
        return failure
    return lack_of_memory(failure, f"process {rank} of those that train the adapters")


def _fit(
    folder: Path,
    request: dict[str, Any],
    parameters: StableDiffusionParameters,
    rank: int,
    count: int,
) -> State:
    from torch import distributed

    from activesynth.generation.checkpoints.stable_diffusion import StableDiffusionGenerator

    x, y, clusters, levels, weight, ids, groups = (
        np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ROWS
    )
    data = GeneratorData(
        SampleSet(ids, x, y, groups),
        clusters,
        levels,
        weight,
        request["classes"],
        request["cluster_count"],
    )

    def tell(done: int, total: int) -> None:
        if rank == 0:
            _write(folder / "progress.json", json.dumps([done, total]).encode())

    distributed.init_process_group(
        "nccl" if parameters.device == "cuda" else "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=count,
        timeout=PATIENCE,
    )
    try:
        return StableDiffusionGenerator(parameters).fit(data, seed=request["seed"], progress=tell)
    finally:
        distributed.destroy_process_group()


def _write(path: Path, data: bytes) -> None:
    """Write a file that appears whole."""
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
