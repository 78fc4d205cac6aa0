"""Checkpoints over pixels: drawn by the row's seed, and verified before every use."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import State
from activesynth.errors import ConfigurationError, CorruptArtifactError, InputError, ShapeError
from activesynth.generation.checkpoints.checkpoint import CheckpointGenerator
from activesynth.generation.checkpoints.parameters import CheckpointParameters
from activesynth.generation.scoring import seeded_noise
from generation_rows import blob_data, digit_data, request
from tiny_checkpoints import PIXELS, save_unet

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_unet(tmp_path_factory.mktemp("unet"), classes=11)


def make(path: Path, **parameters: Any) -> CheckpointGenerator:
    small = {"steps": 3, "batch": 16, "calibration_rows": 32}
    return CheckpointGenerator(CheckpointParameters(path=str(path), **(small | parameters)))


@pytest.fixture(scope="module")
def state(unet: Path) -> State:
    return make(unet).fit(digit_data()[0], seed=0)


def test_a_row_is_bit_equal_in_batches_of_1_and_7_and_64(unet: Path, state: State) -> None:
    generator, labels = make(unet, null_class=10, guidance=2.0), np.arange(64) % 10
    whole = generator.generate(state, request(labels))

    for size, rows in ((1, [0, 17, 63]), (7, [0, 21, 57])):
        for first in rows:
            part = request(labels[first : first + size], first_seed=2**62 + first)
            batch = generator.generate(state, part)
            np.testing.assert_array_equal(batch.x, whole.x[first : first + size])
            np.testing.assert_array_equal(batch.confidence, whole.confidence[first : first + size])


def test_the_ddim_samples_are_those_of_its_own_formula(unet: Path, state: State) -> None:
    from diffusers.models.unets.unet_2d import UNet2DModel

    network = UNet2DModel.from_pretrained(unet / "unet").eval()
    betas = np.linspace(1e-4, 0.02, 1000)
    alphas = np.append(np.cumprod(1 - betas), 1.0)  # the last one is "after time 0"
    wanted = request([3, 5])
    x = torch.from_numpy(seeded_noise(wanted.seeds, (3, PIXELS, PIXELS))).double()
    times = [666, 333, 0]  # "leading" spacing, what DDPMScheduler's configuration says
    for time, after in zip(times, [333, 0, -1], strict=True):
        with torch.no_grad():
            noise = network(
                x.float(), torch.tensor(time), class_labels=torch.tensor([3, 5])
            ).sample.double()
        clean = (x - (1 - alphas[time]) ** 0.5 * noise) / alphas[time] ** 0.5
        x = alphas[after] ** 0.5 * clean.clamp(-1, 1) + (1 - alphas[after]) ** 0.5 * noise
    colour = (x.clamp(-1, 1).numpy().transpose(0, 2, 3, 1) + 1) * 127.5

    drawn = make(unet, solver="ddim").fit(colour_data(), seed=0)
    found = make(unet, solver="ddim").generate(drawn, wanted)

    np.testing.assert_allclose(found.x.astype(float), colour, atol=1.0)


def colour_data() -> Any:
    data = digit_data()[0]
    x = np.repeat(np.repeat(np.repeat(data.samples.x, 2, axis=1), 2, axis=2), 3, axis=3)
    return dataclasses.replace(data, samples=dataclasses.replace(data.samples, x=x))


def test_the_class_asked_for_reaches_the_network_by_its_index(unet: Path, state: State) -> None:
    swapped = (1, 0, *range(2, 10))
    plain, other = make(unet), make(unet, class_indices=swapped)

    zero = plain.generate(state, request([0])).x
    one = plain.generate(state, request([1])).x

    assert (zero != one).any()
    np.testing.assert_array_equal(other.generate(state, request([1])).x, zero)
    np.testing.assert_array_equal(other.generate(state, request([0])).x, one)


def test_guidance_moves_samples_and_one_is_plain(unet: Path, state: State) -> None:
    def drawn(**parameters: Any) -> Array:
        return make(unet, **parameters).generate(state, request([0, 1, 2])).x

    np.testing.assert_array_equal(drawn(null_class=10), drawn())
    assert (drawn(null_class=10, guidance=4.0) != drawn()).any()


def test_the_state_says_where_the_generator_comes_from(unet: Path, state: State) -> None:
    facts = state.facts

    assert facts["pipeline"] == "DDPMPipeline"
    assert facts["licence"] == "unknown"
    assert len(facts["checkpoint"]) == 64
    assert "unet/diffusion_pytorch_model.safetensors" in facts["files"]
    assert str(unet) not in repr(facts)
    assert sum(tensor.nbytes for tensor in state.tensors.values()) < 2000


def test_half_of_the_real_rows_score_over_a_half(unet: Path, state: State) -> None:
    real = digit_data()[0].samples

    scores = make(unet).confidence(state, real.x[::4], real.y[::4])

    assert np.median(scores) == pytest.approx(0.5, abs=0.1)


def test_a_checkpoint_changed_after_the_fit_is_refused(
    unet: Path, state: State, tmp_path: Path
) -> None:
    copy = shutil.copytree(unet, tmp_path / "copy")
    same = make(copy).generate(state, request([0]))
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)

    np.testing.assert_array_equal(same.x, make(unet).generate(state, request([0])).x)
    with pytest.raises(CorruptArtifactError, match=r"1 file.*diffusion_pytorch_model"):
        make(copy).generate(state, request([0]))
    with pytest.raises(CorruptArtifactError, match="digest` pins"):
        make(copy, digest=state.facts["checkpoint"]).fit(digit_data()[0], seed=0)


def test_weights_that_do_not_fit_their_configuration_are_refused(
    unet: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(unet, tmp_path / "copy")
    (copy / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights")

    with pytest.raises(ConfigurationError, match="cannot be loaded") as caught:
        make(copy).fit(digit_data()[0], seed=0)

    assert caught.value.reason == "bad_checkpoint"


def test_a_checkpoint_without_classes_is_taken_only_when_that_was_said(tmp_path: Path) -> None:
    free = save_unet(tmp_path, classes=None, channels=1)

    with pytest.raises(ConfigurationError, match="set `unconditional: true`"):
        make(free).fit(digit_data()[0], seed=0)
    generator = make(free, unconditional=True)
    batch = generator.generate(generator.fit(digit_data()[0], seed=0), request([0, 1]))

    np.testing.assert_array_equal(batch.y, [0, 1])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"class_indices": (0, 1)}, "one class for each label"),
        ({"class_indices": (*range(9), 11)}, "checkpoint classes 0 to 10"),
        ({"guidance": 3.0}, "set it to 1, or set `null_class`"),
        ({"null_class": 11}, "the last class is 10"),
    ],
)
def test_classes_that_do_not_fit_the_campaign_are_refused(
    unet: Path, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make(unet, **parameters).fit(digit_data()[0], seed=0)


def test_rows_that_are_no_images_are_refused(unet: Path, state: State) -> None:
    with pytest.raises(InputError, match="makes images"):
        make(unet).fit(blob_data(), seed=0)
    with pytest.raises(ShapeError, match=r"shape \(8, 8, 1\)"):
        make(unet).confidence(state, np.zeros((1, 9, 8, 1), np.uint8), np.zeros(1, np.int64))
    with pytest.raises(ShapeError, match=r"y must be in \[0, 10\)"):
        make(unet).confidence(state, np.zeros((1, 8, 8, 1), np.uint8), np.array([-1]))


def test_a_process_that_is_not_discrete_and_variance_preserving_is_refused(
    tmp_path: Path,
) -> None:
    other = save_unet(tmp_path, prediction_type="v_prediction")
    config = other / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("v_prediction", "flow_prediction"))

    with pytest.raises(ConfigurationError, match="prediction_type 'flow_prediction'"):
        make(other).fit(digit_data()[0], seed=0)


WITHOUT_PACKAGES = """
import sys
for name in ("transformers", "tokenizers", "peft", "accelerate"):
    sys.modules[name] = None  # an import fails, and importlib finds no such package
from pathlib import Path
from activesynth.bootstrap import catalog
from activesynth.errors import ConfigurationError
from generation_rows import digit_data, request
from tiny_checkpoints import CHECKPOINTS
def make(name, **more):
    small = CHECKPOINTS[name] | {"batch": 4, "calibration_rows": 4, "path": sys.argv[1]}
    return catalog().create("generator", name, small | more)
plain = make("checkpoint")
state = plain.fit(digit_data()[0], seed=0)
print(plain.generate(state, request([1, 2])).x.sum(), state.tensors["calibration.typical"][0])
folder = Path(sys.argv[1])
from activesynth.generation.checkpoints.folder import Folder
from activesynth.generation.checkpoints.text import load_text_to_image
try:
    load_text_to_image(Folder(folder, "StableDiffusionPipeline"), None)
except ConfigurationError as error:
    print(error.reason)
"""


def test_a_unet_is_drawn_alike_without_the_optional_packages(unet: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGES, str(unet)],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        },
    )
    generator = make(unet, steps=2, batch=4, calibration_rows=4)
    state = generator.fit(digit_data()[0], seed=0)
    total = generator.generate(state, request([1, 2])).x.sum()

    printed, reason = done.stdout.strip().splitlines()
    assert printed == f"{total} {state.tensors['calibration.typical'][0]}"
    assert reason == "missing_package"
