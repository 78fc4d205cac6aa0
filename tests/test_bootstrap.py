"""The composition root: what the settings say is what every part gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from activesynth.bootstrap import open_platform
from activesynth.config.settings import Settings
from activesynth.errors import ConfigurationError
from activesynth.nn.device_choice import detected_device, fix_device
from digit_sets import digits, make_training_set
from generation_rows import blob_data


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    fix_device("auto")


def settings(database_url: str, home: Path, device: Literal["auto", "cpu", "cuda"]) -> Settings:
    return Settings(home=home, database_url=SecretStr(database_url), device=device)


def test_the_recorded_device_is_the_one_that_auto_means(database_url: str, tmp_path: Path) -> None:
    with open_platform(settings(database_url, tmp_path, "auto")) as platform:
        assert platform.device == detected_device()
        assert f"device={platform.device}" in platform.profile.splitlines()
    with open_platform(settings(database_url, tmp_path, "cpu")) as platform:
        assert platform.device == "cpu"


@pytest.mark.skipif(detected_device() == "cuda", reason="needs a machine without CUDA")
def test_the_setting_reaches_trainers_and_generators_whose_own_device_is_auto(
    database_url: str, tmp_path: Path
) -> None:
    data = make_training_set(slice(0, 60))

    with open_platform(settings(database_url, tmp_path, "cuda")) as platform:
        assert platform.device == "cuda"
        trainer = platform.parts.create("trainer", "cnn", {"pretrain_steps": 1})
        on_cpu = platform.parts.create("trainer", "cnn", {"pretrain_steps": 1, "device": "cpu"})

        with pytest.raises(ConfigurationError, match="set ACTIVESYNTH_DEVICE to cpu"):
            trainer.pretrain(digits()[0][:8], seed=0)
        with pytest.raises(ConfigurationError, match="set ACTIVESYNTH_DEVICE to cpu"):
            trainer.fit(data, None, seed=0)
        for name in ("diffusion", "vae"):
            generator = platform.parts.create("generator", name, {"steps": 1})
            with pytest.raises(ConfigurationError, match="set ACTIVESYNTH_DEVICE to cpu"):
                generator.fit(blob_data(), seed=0)
        assert on_cpu.pretrain(digits()[0][:8], seed=0).tensors
