from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from activesynth.errors import InputError
from activesynth.nn.images import Augmentation, to_pixels, to_unit


def make_images(count: int = 6, height: int = 12, width: int = 9) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def seeded(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pixels_keep_their_place_and_their_value() -> None:
    x = np.random.default_rng(0).integers(0, 256, (2, 8, 10, 3)).astype(np.uint8)

    images = to_unit(to_pixels(x))

    assert images.shape == (2, 3, 8, 10)
    assert images[1, 2, 5, 7] == pytest.approx(x[1, 5, 7, 2] / 255)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((2, 8, 8), np.uint8),
        ((2, 7, 8, 1), np.uint8),
        ((2, 8, 257, 1), np.uint8),
        ((2, 8, 8, 2), np.uint8),
        ((2, 8, 8, 1), np.float32),
    ],
)
def test_other_arrays_are_refused_with_what_was_found(
    shape: tuple[int, ...], dtype: type[np.generic]
) -> None:
    with pytest.raises(InputError, match="sides from 8 to 256") as caught:
        to_pixels(np.zeros(shape, dtype))

    assert caught.value.reason == "image_shape"
    assert str(shape) in str(caught.value)


def test_augmentation_without_settings_changes_nothing() -> None:
    images = make_images()

    assert torch.equal(Augmentation().apply(images, seeded()), images)


def test_augmentation_is_decided_by_its_generator() -> None:
    images = make_images()
    augmentation = Augmentation(0.1, 10.0, 0.1, 0.2, 0.1, 0.3, True)

    first = augmentation.apply(images, seeded(1))

    assert torch.equal(first, augmentation.apply(images, seeded(1)))
    assert not torch.equal(first, augmentation.apply(images, seeded(2)))


def test_augmented_images_stay_between_zero_and_one() -> None:
    changed = Augmentation(contrast=1.0, noise=0.5).apply(make_images(), seeded())

    assert changed.min() >= 0.0
    assert changed.max() <= 1.0


def test_flipping_mirrors_some_images_and_leaves_the_others() -> None:
    images = make_images(40)

    changed = Augmentation(flip=True).apply(images, seeded())

    same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(changed, images, strict=True)]
    mirrored = [
        torch.allclose(a, b.flip(2), atol=1e-5) for a, b in zip(changed, images, strict=True)
    ]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 8 < sum(mirrored) < 32


def test_warping_moves_a_ramp_by_the_drawn_angle_zoom_and_shift() -> None:
    # Bilinear sampling is exact on a linear ramp, so the interior is known in closed form.
    height, width = 24, 16
    rows, columns = np.mgrid[0:height, 0:width]
    ys, xs = rows - (height - 1) / 2, columns - (width - 1) / 2
    ramp = torch.from_numpy(0.5 + 0.01 * xs + 0.02 * ys).float().expand(3, 1, height, width)
    augmentation = Augmentation(shift=0.1, rotation=20.0, scale=0.2)

    changed = augmentation.apply(ramp, seeded(3)).numpy()[:, 0]

    drawn = torch.rand(3, 8, generator=seeded(3)).numpy() * 2 - 1
    for image, (angle, zoom, right, down) in zip(changed, drawn[:, :4], strict=True):
        turn, factor = math.radians(20.0) * angle, 1 + 0.2 * zoom
        source_x = factor * (math.cos(turn) * xs - math.sin(turn) * ys) + 0.1 * right * width
        source_y = factor * (math.sin(turn) * xs + math.cos(turn) * ys) + 0.1 * down * height
        inside = (abs(source_x) < (width - 1) / 2) & (abs(source_y) < (height - 1) / 2)
        assert inside.sum() > 100
        expected = 0.5 + 0.01 * source_x + 0.02 * source_y
        np.testing.assert_allclose(image[inside], expected[inside], atol=1e-4)


def test_erasing_blackens_one_square_no_larger_than_asked() -> None:
    images = torch.ones(50, 1, 16, 16)

    changed = Augmentation(erase=0.25).apply(images, seeded())

    black = (changed == 0).sum(dim=(1, 2, 3))
    assert black.max() == 16
    assert black.min() >= 4
