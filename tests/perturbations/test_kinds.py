"""Each kind of corruption against another way to compute it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import affine_transform, shift
from scipy.stats import poisson

from activesynth.domain.canonical import Array
from activesynth.perturbations.compression import CHROMINANCE, LUMINANCE, pixelate, quantised
from activesynth.perturbations.elastic import DISPLACEMENT, elastic
from activesynth.perturbations.image import apply
from activesynth.perturbations.kernels import KERNELS
from activesynth.perturbations.movements import MOTION, ZOOM, motion_blur, zoom_blur
from activesynth.perturbations.noises import IMPULSE_RATE, PHOTONS, impulse, shot
from activesynth.perturbations.weather import BRIGHTER, DENSITY, THINNEST, brightness, fog


def make_image(height: int = 20, width: int = 24, channels: int = 3, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, channels)).astype(np.float64)


def make_smooth(height: int = 37, width: int = 43, channels: int = 3) -> Array:
    row, column = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
    waves = np.sin(row / 6.0) * np.cos(column / 8.0 + np.arange(channels))
    return np.rint(128.0 + 100.0 * waves)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("severity", [0.1, 0.4, 1.0])
def test_shot_noise_counts_photons_as_scipys_poisson_does(severity: float) -> None:
    image, white = make_image(), PHOTONS / severity**2
    image[0] = 0.0
    expected = poisson.ppf(rng().random(image.shape), image * white / 255.0) * 255.0 / white

    found = shot(image, severity, rng())

    np.testing.assert_allclose(found, np.maximum(expected, 0.0), atol=1e-9)


@pytest.mark.parametrize("severity", [0.02, 0.3])
def test_shot_noise_is_stronger_where_it_is_bright(severity: float) -> None:
    for value in (40.0, 160.0):
        noisy = shot(np.full((200, 200, 1), value), severity, rng())

        assert noisy.mean() == pytest.approx(value, rel=0.02)
        variance = 255.0 * value * severity**2 / PHOTONS
        assert noisy.var() == pytest.approx(variance, rel=0.05)


def test_impulses_hit_the_announced_share_and_further_ones_at_more_severity() -> None:
    image = np.full((200, 200, 1), 100.0)
    less, more = impulse(image, 0.3, rng()), impulse(image, 1.0, rng())

    assert set(np.unique(more)) == {0.0, 100.0, 255.0}
    assert (more != image).mean() == pytest.approx(IMPULSE_RATE, rel=0.05)
    assert (more == 0.0).sum() == pytest.approx((more == 255.0).sum(), rel=0.1)
    assert np.array_equal(more[less != image], less[less != image])


@pytest.mark.parametrize("severity", [0.1, 1.0])
def test_motion_blur_is_the_mean_of_images_along_the_way(severity: float) -> None:
    image = make_image()
    angle, length = rng().uniform(0.0, np.pi), MOTION * 20 * severity
    moments = (np.arange(16) + 0.5) / 16 - 0.5
    steps = [(length * np.sin(angle) * t, length * np.cos(angle) * t, 0.0) for t in moments]
    expected = np.mean([shift(image, step, order=1, mode="nearest") for step in steps], axis=0)

    np.testing.assert_allclose(motion_blur(image, severity, rng()), expected, atol=1e-9)


@pytest.mark.parametrize("severity", [0.1, 1.0])
def test_zoom_blur_is_the_mean_of_images_that_grow(severity: float) -> None:
    image = make_image(17, 24)
    middle = np.array([8.0, 11.5, 0.0])
    grown = []
    for t in (np.arange(16) + 0.5) / 16:
        matrix = np.array([1 / (1 + ZOOM * severity * t)] * 2 + [1.0])
        offset = middle - matrix * middle
        grown.append(affine_transform(image, matrix, offset, order=1, mode="nearest"))

    np.testing.assert_allclose(zoom_blur(image, severity, rng()), np.mean(grown, axis=0), atol=1e-9)


def test_fog_is_thick_within_its_bounds_and_differs_from_place_to_place() -> None:
    foggy = fog(np.zeros((64, 64, 1)), 1.0, rng()) / 255.0

    assert foggy.min() >= DENSITY * THINNEST
    assert foggy.max() <= DENSITY
    assert foggy.std() > 0.02
    assert np.abs(np.diff(foggy[:, :, 0], axis=0)).max() < 0.05


def test_brightness_adds_the_announced_light() -> None:
    image = make_image()

    expected = np.clip(image + 0.5 * BRIGHTER * 255, 0, 255)
    np.testing.assert_allclose(brightness(image, 0.5, rng()), expected)


def test_elastic_moves_pixels_as_far_as_announced() -> None:
    side = 40
    ramp = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), 2).astype(float)

    moved = elastic(ramp, 1.0, rng(3)) - ramp

    inside = np.sqrt((moved[6:-6, 6:-6] ** 2).sum(axis=2))
    assert inside.max() <= DISPLACEMENT * side + 1e-9
    assert inside.max() > 0.5 * DISPLACEMENT * side
    half = elastic(ramp, 0.5, rng(3)) - ramp
    np.testing.assert_allclose(half[6:-6, 6:-6], 0.5 * moved[6:-6, 6:-6], atol=1e-9)


def test_pixelate_averages_nested_blocks() -> None:
    image = make_image(16, 16)
    quarters = image.reshape(4, 4, 4, 4, 3).mean(axis=(1, 3)).repeat(4, 0).repeat(4, 1)
    halves = image.reshape(8, 2, 8, 2, 3).mean(axis=(1, 3)).repeat(2, 0).repeat(2, 1)

    np.testing.assert_allclose(pixelate(image, 1.0, rng()), quarters)
    np.testing.assert_allclose(pixelate(image, 0.5, rng()), halves)
    np.testing.assert_allclose(pixelate(image, 0.75, rng()), (halves + quarters) / 2)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [0.4, 2.0, 10.0])
def test_jpeg_agrees_with_pillow_for_the_same_tables(channels: int, scale: float) -> None:
    image = make_smooth(channels=channels)
    tables = [np.clip(np.rint(t * scale), 1, 255) for t in (LUMINANCE, CHROMINANCE)]
    file = io.BytesIO()
    picture = Image.fromarray(image.astype(np.uint8).squeeze(), "RGB" if channels == 3 else "L")
    lists = [t.astype(int).ravel().tolist() for t in tables]
    picture.save(file, "JPEG", qtables=lists[: 1 + (channels == 3)], subsampling=0)
    expected = np.asarray(Image.open(file), np.float64).reshape(image.shape)

    found = np.clip(quantised(image, *tables), 0, 255)

    # libjpeg rounds colours to whole numbers before it quantises: a coefficient may tip over.
    error = np.abs(found - expected)
    assert error.mean() < (1.0 if channels == 3 else 0.3)
    assert np.quantile(error, 0.95) < (4.0 if channels == 3 else 0.51)
    assert np.abs(found - image).mean() > 0.3


@pytest.mark.parametrize("name", sorted(KERNELS))
@pytest.mark.parametrize("shape", [(1, 9, 14, 3), (1, 250, 8, 1)])
def test_sides_may_be_odd_and_unequal(name: str, shape: tuple[int, ...]) -> None:
    x = rng(1).integers(0, 256, shape, dtype=np.uint8)

    corrupted = apply(name, x, severity=1.0, seed=0)

    assert corrupted.shape == shape
    assert not np.array_equal(corrupted, x)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_tiny_severity_does_little(name: str) -> None:
    x = make_smooth(16, 16).astype(np.uint8)[None]

    slight = np.abs(apply(name, x, severity=0.01, seed=0).astype(float) - x).mean()

    assert slight < 4.0
