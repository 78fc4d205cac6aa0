"""Several processes train the adapters that one would train, or end together."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from activesynth.domain.exchange import State
from activesynth.errors import ActiveSynthError, ConfigurationError, TransientError
from activesynth.generation.checkpoints.parameters import StableDiffusionParameters
from activesynth.generation.checkpoints.stable_diffusion import StableDiffusionGenerator
from activesynth.nn.memory import GpuOutOfMemoryError
from generation_rows import colour_data
from tiny_checkpoints import NAMES, SMALL, save_stable_diffusion


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_stable_diffusion(tmp_path_factory.mktemp("text"))


def make(folder: Path, **parameters: Any) -> StableDiffusionGenerator:
    merged = SMALL | {"path": str(folder), "class_names": NAMES, "device": "cpu"} | parameters
    return StableDiffusionGenerator(StableDiffusionParameters(**merged))


def adapters(state: State) -> dict[str, Any]:
    return {name: array for name, array in state.tensors.items() if name.startswith("lora.")}


def test_two_processes_train_the_adapters_that_one_trains(folder: Path) -> None:
    brief = {"lora_steps": 4, "lora_learning_rate": 0.01, "lora_rank": 2, "lora_batch": 4}
    heard: list[tuple[int, int]] = []

    one = make(folder, **brief).fit(colour_data(), seed=0)
    two = make(folder, **brief, lora_processes=2).fit(
        colour_data(), seed=0, progress=lambda done, total: heard.append((done, total))
    )

    assert adapters(one).keys() == adapters(two).keys()
    for name, wanted in adapters(one).items():
        np.testing.assert_allclose(two.tensors[name], wanted, atol=2e-4, err_msg=name)
    np.testing.assert_allclose(two.facts["lora"]["loss"], one.facts["lora"]["loss"], rtol=1e-4)
    moved = [np.abs(array).max() for name, array in adapters(two).items() if "lora_B" in name]
    assert min(moved) > 1e-3
    assert heard[-1] == (4, 4)


def children() -> list[int]:
    told = subprocess.run(
        ["pgrep", "-f", "checkpoints.together", "-P", str(os.getpid())],
        capture_output=True,
        text=True,
    )
    return [int(line) for line in told.stdout.split()]


def test_when_one_is_killed_the_others_end_and_it_can_be_tried_again(folder: Path) -> None:
    generator = make(folder, lora_steps=100_000, lora_processes=2)
    caught: list[ActiveSynthError] = []

    def fit() -> None:
        try:
            generator.fit(colour_data(), seed=0)
        except ActiveSynthError as error:
            caught.append(error)

    thread = threading.Thread(target=fit)
    thread.start()
    while len(children()) < 2 and thread.is_alive():
        time.sleep(0.1)
    os.kill(children()[-1], signal.SIGKILL)
    thread.join(120)

    assert not thread.is_alive()
    assert isinstance(caught[0], TransientError)
    assert caught[0].reason == "fit_process_died"
    assert children() == []


def test_what_a_process_refuses_is_refused(folder: Path) -> None:
    names = {"class_names": NAMES[:3]}

    with pytest.raises(ConfigurationError, match="3 names for the campaign's 10 labels") as caught:
        make(folder, lora_steps=1, lora_processes=2, **names).fit(colour_data(), seed=0)

    assert caught.value.field == "generator.parameters.class_names"


def test_memory_that_runs_out_in_one_process_is_named_and_not_tried_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What each process loads before our code: the second one's optimiser finds no memory.
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "if os.environ.get('RANK') == '1':\n"
        "    import torch\n"
        "    def step(*given, **named):\n"
        "        raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB')\n"
        "    torch.optim.Adam.step = step\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(GpuOutOfMemoryError, match=r"process 1 .* 2 GiB") as caught:
        make(folder, lora_steps=3, lora_processes=2).fit(colour_data(), seed=0)

    assert caught.value.reason == "gpu_out_of_memory"


def test_a_batch_that_cannot_be_shared_equally_is_refused(folder: Path) -> None:
    with pytest.raises(ValidationError, match="`lora_batch` 4 must be a multiple"):
        make(folder, lora_steps=1, lora_processes=3)
