"""Between a campaign's images and a checkpoint's pictures; Pillow is the second opinion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from activesynth.domain.canonical import Array
from activesynth.generation.checkpoints.pictures import to_images, to_pictures


def smooth(rng: np.random.Generator, side: int, channels: int) -> Array:
    """Return pictures without values at the limits, where clipping would differ."""
    coarse = rng.uniform(60, 200, (2, 4, 4, channels)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, side // 4, axis=1), side // 4, axis=2)


def scaled(x: Array) -> torch.Tensor:
    return torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.mark.parametrize("side", [32, 64])
@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (48, 20)])
def test_resizing_is_pillows_antialiased_bicubic(side: int, shape: tuple[int, int]) -> None:
    x = smooth(np.random.default_rng(side), side, 3)

    found = to_images(scaled(x), (*shape, 3))

    for row, image in zip(x, found, strict=True):
        pillow = Image.fromarray(row).resize(shape[::-1], Image.Resampling.BICUBIC)
        np.testing.assert_allclose(image.astype(int), np.asarray(pillow).astype(int), atol=2)


def test_a_stripe_pattern_finer_than_the_target_becomes_grey_not_stripes() -> None:
    x = np.tile(np.array([0, 255], np.uint8), 32)[None, None, :, None] * np.ones(
        (1, 64, 1, 1), np.uint8
    )

    found = to_images(scaled(x), (16, 16, 1))

    assert abs(found[:, :, 1:-1].astype(int) - 127).max() < 20


def test_grey_is_pillows_luma() -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)

    found = to_images(scaled(x), (8, 8, 1))

    pillow = np.stack([np.asarray(Image.fromarray(row).convert("L")) for row in x])
    np.testing.assert_allclose(found[..., 0].astype(int), pillow.astype(int), atol=1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3]))
def test_an_image_of_the_checkpoints_own_shape_comes_back_unchanged(
    seed: int, channels: int
) -> None:
    x = np.random.default_rng(seed).integers(0, 256, (2, 9, 8, channels)).astype(np.uint8)

    pictures = to_pictures(x, (channels, 9, 8))

    assert pictures.dtype == torch.float32
    assert float(pictures.abs().max()) <= 1.0
    np.testing.assert_array_equal(to_images(pictures, (9, 8, channels)), x)


def test_grey_becomes_colour_and_grey_again() -> None:
    x = np.random.default_rng(1).integers(0, 256, (2, 8, 8, 1)).astype(np.uint8)

    colour = to_images(to_pictures(x, (3, 8, 8)), (8, 8, 3))

    np.testing.assert_array_equal(colour, np.repeat(x, 3, axis=3))
    np.testing.assert_array_equal(to_images(to_pictures(x, (3, 8, 8)), (8, 8, 1)), x)


def test_what_lies_beyond_the_range_is_clipped_and_not_wrapped() -> None:
    pictures = torch.tensor([-3.0, 3.0]).view(2, 1, 1, 1).expand(2, 1, 8, 8)

    found = to_images(pictures, (8, 8, 1))

    assert (found[0] == 0).all()
    assert (found[1] == 255).all()
