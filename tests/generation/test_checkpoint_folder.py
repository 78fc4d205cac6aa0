"""A checkpoint's folder is judged before anything of it is loaded."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from activesynth.bootstrap import catalog
from activesynth.errors import ConfigurationError, CorruptArtifactError, TransientError
from activesynth.generation.checkpoints.allowed import NETWORKS, PIPELINES
from activesynth.generation.checkpoints.folder import (
    checkpoint_digest,
    open_folder,
    verify,
)
from activesynth.generation.checkpoints.hub import locate
from activesynth.generation.checkpoints.packages import require
from activesynth.generation.checkpoints.parameters import CheckpointParameters

PIXELS = ("DDPMPipeline", "DDIMPipeline")
COMMIT = "a" * 40


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def make_folder(root: Path, **index: Any) -> Path:
    """Write a folder with the names of a DDPM checkpoint; its weights are no weights."""
    write(
        root / "model_index.json",
        {
            "_class_name": "DDPMPipeline",
            "unet": ["diffusers", "UNet2DModel"],
            "scheduler": ["diffusers", "DDPMScheduler"],
            **index,
        },
    )
    write(root / "unet" / "config.json", {"sample_size": 8})
    write(root / "unet" / "diffusion_pytorch_model.safetensors", "weights")
    write(root / "scheduler" / "scheduler_config.json", {})
    return root


def refusal(root: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        open_folder(root, PIXELS)
    return caught.value


def test_every_file_that_is_loaded_has_its_digest_and_no_other(tmp_path: Path) -> None:
    write(make_folder(tmp_path) / "unet" / "diffusion_pytorch_model.bin", "pickle")

    files = open_folder(tmp_path, PIXELS).files()

    names = ["model_index.json", "scheduler/scheduler_config.json", "unet/config.json"]
    assert sorted(files) == [*names, "unet/diffusion_pytorch_model.safetensors"]
    for name, digest in files.items():
        assert digest == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()


def test_a_folder_with_pickles_only_is_refused(tmp_path: Path) -> None:
    weights = make_folder(tmp_path) / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))

    error = refusal(tmp_path)

    assert error.reason == "pickled_weights"
    assert "only diffusion_pytorch_model.bin, and reading those could run code" in str(error)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (make_folder(tmp_path) / "unet" / "diffusion_pytorch_model.safetensors").unlink()

    assert "has no diffusion_pytorch_model.safetensors; convert" in str(refusal(tmp_path))


@pytest.mark.parametrize(
    "name", ["StableDiffusionXLPipeline", "Mine", None, ["pipeline", "Mine"], {"a": 1}]
)
def test_another_pipeline_is_refused_by_its_name(tmp_path: Path, name: Any) -> None:
    error = refusal(make_folder(tmp_path, _class_name=name))

    assert error.reason == "unknown_pipeline"
    assert f"names the pipeline {name!r}; this generator loads DDPMPipeline" in str(error)


@pytest.mark.parametrize("entry", [["mine", "Unet"], ["diffusers", "UNet3DModel"], None, "x"])
def test_a_component_of_another_class_is_refused(tmp_path: Path, entry: Any) -> None:
    error = refusal(make_folder(tmp_path, unet=entry))

    assert error.reason == "unknown_pipeline"
    assert "component 'unet' of DDPMPipeline" in str(error)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, " " * (1 << 20) + "{}"])
def test_an_index_that_is_no_small_object_is_refused(tmp_path: Path, text: str) -> None:
    write(make_folder(tmp_path) / "model_index.json", text)

    assert refusal(tmp_path).reason == "bad_checkpoint"


def test_shards_must_lie_beside_their_index(tmp_path: Path) -> None:
    unet = make_folder(tmp_path) / "unet"
    write(
        unet / "diffusion_pytorch_model.safetensors.index.json",
        {"weight_map": {"a": "../../elsewhere.bin"}},
    )

    assert "which are no safetensors files beside it" in str(refusal(tmp_path))


def test_quantised_weights_are_refused(tmp_path: Path) -> None:
    write(make_folder(tmp_path) / "unet" / "config.json", {"quantization_config": {}})

    assert "quantised" in str(refusal(tmp_path))


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path / "nowhere")

    assert error.reason == "missing_path"
    assert "is no folder on this machine" in str(error)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: []\n---\nlicense: mit\n", "apache-2.0"),
        ("---\nlicense: 'mit'\n---\n", "mit"),
        ("---\ntags: []\n---\nlicense: mit\n", "unknown"),
        ("license: mit\n", "unknown"),
    ],
)
def test_the_licence_is_the_one_in_the_head_of_the_card(
    tmp_path: Path, card: str, licence: str
) -> None:
    write(make_folder(tmp_path) / "README.md", card)

    assert open_folder(tmp_path, PIXELS).licence() == licence


def test_changed_bytes_are_refused_by_name(tmp_path: Path) -> None:
    folder = open_folder(make_folder(tmp_path), PIXELS)
    before = folder.files()
    verify(folder.files(), before)
    write(tmp_path / "unet" / "diffusion_pytorch_model.safetensors", "weightz")

    with pytest.raises(CorruptArtifactError, match=r"1 file.*diffusion_pytorch_model") as caught:
        verify(folder.files(), before)

    assert checkpoint_digest(folder.files()) in str(caught.value)


def test_a_hub_id_needs_a_commit_and_a_folder_stands_alone() -> None:
    for parameters, words in (
        ({"hub": "a/b"}, "needs `revision`, the 40 hexadecimal digits of a commit"),
        ({"hub": "a/b", "revision": "main"}, "revision"),
        ({"hub": "a/../b", "revision": COMMIT}, "hub"),
        ({}, "either `path`"),
        ({"path": "x", "hub": "a/b", "revision": COMMIT}, "either `path`"),
        ({"path": "x", "revision": COMMIT}, "pin a local folder with `digest`"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            catalog().check("generator", "checkpoint", parameters)

    catalog().check("generator", "checkpoint", {"hub": "a/b", "revision": COMMIT})


def test_a_relative_path_starts_at_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVESYNTH_DATA", "/data")

    assert locate(CheckpointParameters(path="a/b")) == Path("/data/a/b")
    assert locate(CheckpointParameters(path="/c")) == Path("/c")


LOCATE = (
    "from activesynth.generation.checkpoints.hub import locate\n"
    "from activesynth.generation.checkpoints.parameters import CheckpointParameters\n"
    "from activesynth.errors import TransientError\n"
    f"where = CheckpointParameters(hub='ada/pictures', revision={COMMIT!r})\n"
    "try:\n    print(locate(where))\n"
    "except TransientError as error:\n    print(error.reason, error)\n"
)


def located(cache: Path) -> str:
    """Return what a process without a network finds, its cache of the hub in a folder."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", LOCATE], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_cached_commit_is_found_without_a_network_and_another_is_asked_for_again(
    tmp_path: Path,
) -> None:
    assert located(tmp_path).startswith("no_download `hub` 'ada/pictures' at revision aaaa")

    snapshot = make_folder(tmp_path / "models--ada--pictures" / "snapshots" / COMMIT)

    assert located(tmp_path) == str(snapshot)
    assert TransientError.exit_code == 7


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    require("json")

    with pytest.raises(ConfigurationError, match=r"no_such_package.*pip install -r") as caught:
        require("json", "no_such_package")

    assert caught.value.reason == "missing_package"


def test_the_weights_of_every_component_that_may_be_loaded_are_looked_at_first() -> None:
    components = {name for parts in PIPELINES.values() for name in parts}

    assert components - {"scheduler", "tokenizer"} == set(NETWORKS)
