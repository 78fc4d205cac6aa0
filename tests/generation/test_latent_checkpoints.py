"""Checkpoints over latents draw what diffusers' own pipelines draw; adapters are what is stored."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import State
from activesynth.errors import ConfigurationError, CorruptArtifactError
from activesynth.generation.checkpoints.checkpoint import CheckpointGenerator
from activesynth.generation.checkpoints.clip_score import clip_score
from activesynth.generation.checkpoints.folder import open_folder
from activesynth.generation.checkpoints.parameters import (
    CheckpointParameters,
    StableDiffusionParameters,
)
from activesynth.generation.checkpoints.stable_diffusion import StableDiffusionGenerator
from activesynth.generation.scoring import seeded_noise
from generation_rows import colour_data, request
from tiny_checkpoints import NAMES, PIXELS, SMALL, save_clip, save_dit, save_stable_diffusion


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_stable_diffusion(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def trained(folder: Path) -> State:
    return make(folder, lora_steps=2).fit(colour_data(), seed=0)


def make(folder: Path, **parameters: Any) -> StableDiffusionGenerator:
    merged = SMALL | {"path": str(folder), "class_names": NAMES, "lora_rank": 2} | parameters
    return StableDiffusionGenerator(StableDiffusionParameters(**merged))


def as_images(pictures: Array) -> Array:
    return np.asarray(pictures * 255.0)


def test_samples_are_those_of_the_stable_diffusion_pipeline(folder: Path) -> None:
    import diffusers

    theirs: Any = diffusers
    pipeline = theirs.StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = theirs.DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    wanted = request([3, 5, 5])
    expected = pipeline(
        ["a photo of digit 3", "a photo of digit 5", "a photo of digit 5"],
        latents=torch.from_numpy(seeded_noise(wanted.seeds, (4, 8, 8))),
        num_inference_steps=3,
        guidance_scale=5.0,
        output_type="np",
    ).images

    generator = make(folder)
    found = generator.generate(generator.fit(colour_data(), seed=0), wanted)

    np.testing.assert_allclose(found.x.astype(float), as_images(expected), atol=1.0)
    assert (found.x[1] != found.x[2]).any()


def test_samples_are_those_of_the_dit_pipeline(tmp_path: Path) -> None:
    import diffusers

    theirs: Any = diffusers
    pipeline = theirs.DiTPipeline.from_pretrained(save_dit(tmp_path))
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(
        [7, 2],
        1.0,
        num_inference_steps=3,
        generator=torch.Generator().manual_seed(0),
        output_type="np",
    ).images

    parameters = CheckpointParameters(path=str(tmp_path), solver="ddim", **SMALL)
    generator = CheckpointGenerator(parameters)
    engine = generator._engine(open_folder(tmp_path, generator.pipelines))
    noise = torch.randn((2, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = engine._pictures(noise, torch.tensor([[7], [2]]))

    np.testing.assert_allclose(
        found.clamp(-1, 1).numpy().transpose(0, 2, 3, 1) / 2 + 0.5, expected, atol=1e-5
    )


def test_a_dit_is_guided_away_from_any_class_and_its_rows_stand_alone(tmp_path: Path) -> None:
    save_dit(tmp_path)

    def made(**parameters: Any) -> CheckpointGenerator:
        merged = SMALL | {"path": str(tmp_path)} | parameters
        return CheckpointGenerator(CheckpointParameters(**merged))

    state = made().fit(colour_data(), seed=0)
    whole = made(guidance=4.0).generate(state, request(np.arange(20) % 10))
    part = made(guidance=4.0).generate(state, request([7, 8], first_seed=2**62 + 17))

    np.testing.assert_array_equal(part.x, whole.x[17:19])
    assert (made().generate(state, request(np.arange(20) % 10)).x != whole.x).any()
    unknown = made().confidence(state, whole.x, np.full(20, -1))
    assert (unknown != made().confidence(state, whole.x, np.zeros(20, np.int64))).any()


def test_two_steps_train_the_adapters_and_nothing_else(folder: Path, trained: State) -> None:
    again = make(folder, lora_steps=2).fit(colour_data(), seed=0)
    adapters = {name for name in trained.tensors if name.startswith("lora.")}

    assert trained.facts["lora"]["rank"] == 2
    assert len(trained.facts["lora"]["loss"]) == 2
    assert all(".lora_A." in name or ".lora_B." in name for name in adapters)
    assert all(trained.tensors[name].dtype == np.float32 for name in adapters)
    assert all(trained.tensors[name].any() for name in adapters if ".lora_B." in name)
    assert {name.split(".")[0] for name in trained.tensors} == {"lora", "conditions", "calibration"}
    for name in adapters:
        np.testing.assert_array_equal(trained.tensors[name], again.tensors[name])


def test_samples_follow_the_stored_adapters(folder: Path, trained: State) -> None:
    zero = {n: np.zeros_like(t) if ".lora_B." in n else t for n, t in trained.tensors.items()}
    larger = {n: t * 1000 if ".lora_B." in n else t for n, t in trained.tensors.items()}
    plain = make(folder).fit(colour_data(), seed=0)
    prompt = {"prompt": "a photo of {class}"}

    def drawn(tensors: Any, facts: Any) -> Array:
        return make(folder, **prompt).generate(State(tensors, facts), request([1, 2])).x

    without = drawn(plain.tensors, plain.facts)

    np.testing.assert_array_equal(drawn(zero, trained.facts), without)
    assert (drawn(larger, trained.facts) != without).any()


def test_training_lowers_the_denoising_error_of_what_it_saw(folder: Path) -> None:
    data = colour_data()
    rows = data.samples.take(np.arange(8))
    few = dataclasses.replace(
        data,
        samples=rows,
        clusters=data.clusters[:8],
        levels=data.levels[:8],
        weight=np.ones(8),
    )
    brief = {"lora_batch": 4, "lora_learning_rate": 0.03, "lora_rank": 4}

    before = make(folder, lora_steps=1, **brief).fit(few, seed=0)
    after = make(folder, lora_steps=30, **brief).fit(few, seed=0)

    name = "calibration.typical"
    assert after.tensors[name][0] < 0.97 * before.tensors[name][0]


def test_an_adapter_of_another_shape_is_refused(folder: Path, trained: State) -> None:
    tensors = dict(trained.tensors)
    gone = next(name for name in tensors if name.startswith("lora."))
    del tensors[gone]

    with pytest.raises(CorruptArtifactError, match="1 of its tensors are missing") as caught:
        make(folder).generate(State(tensors, trained.facts), request([1]))

    assert gone in str(caught.value)


def test_adapters_are_not_used_on_another_base(
    folder: Path, trained: State, tmp_path: Path
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    index = copy / "scheduler" / "scheduler_config.json"
    index.write_text(index.read_text().replace("0.012", "0.013"))

    with pytest.raises(CorruptArtifactError, match=r"first 'scheduler/scheduler_config.json'"):
        make(copy).generate(trained, request([1]))


def test_cluster_and_level_reach_the_samples_of_an_adapted_checkpoint(
    folder: Path, trained: State
) -> None:
    generator = make(folder, lora_steps=2, guidance=1.0)

    free = generator.generate(trained, request([1])).x
    high = generator.generate(trained, request([1], [2], [2])).x

    assert (free != high).any()


def test_bfloat16_draws_and_trains_with_adapters_in_float32(folder: Path) -> None:
    generator = make(folder, dtype="bfloat16", lora_steps=1, steps=2, batch=2, calibration_rows=2)

    state = generator.fit(colour_data(), seed=0)
    batch = generator.generate(state, request([1, 2]))

    assert batch.x.shape == (2, PIXELS, PIXELS, 3)
    assert all(tensor.dtype != np.float16 for tensor in state.tensors.values())
    assert (batch.confidence > 0).all()


def test_names_that_are_not_one_for_each_label_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="2 names for the campaign's 10 labels"):
        make(folder, class_names=("a", "b")).fit(colour_data(), seed=0)


def test_the_clip_score_is_the_cosine_that_clip_itself_computes(tmp_path: Path) -> None:
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    folder = save_clip(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (5, PIXELS, PIXELS, 3)).astype(np.uint8)
    words = ["a photo of cat", "a dog", "", "night", "of to"]
    prepare = CLIPImageProcessorPil(size={"shortest_edge": PIXELS}, crop_size=PIXELS)
    model: Any = CLIPModel.from_pretrained(folder)
    model.eval()
    with torch.no_grad():
        logits = (
            model(
                **CLIPTokenizer.from_pretrained(folder)(
                    words, padding="max_length", max_length=24, return_tensors="pt"
                ),
                pixel_values=torch.from_numpy(np.stack(prepare(list(images))["pixel_values"])),
            ).logits_per_image
            / model.logit_scale.exp()
        )
    expected = 100 * logits.diagonal().clamp(min=0).numpy()

    found = clip_score(images, words, str(folder))

    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, atol=1e-3)
    np.testing.assert_array_equal(clip_score(images[3:4], words[3:4], str(folder)), found[3:4])
    assert clip_score(images[:0], [], str(folder)).shape == (0,)
