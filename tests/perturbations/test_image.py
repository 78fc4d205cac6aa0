"""Corruptions: identity, monotony, independence of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Corruption
from activesynth.domain.registry import Catalog
from activesynth.errors import ConfigurationError, InputError, ShapeError
from activesynth.perturbations.image import apply, row_seeds
from activesynth.perturbations.kernels import BLUR_SIGMA, KERNELS
from activesynth.perturbations.registry import CORRUPTIONS

NAMES = sorted(KERNELS)


def make_images(rows: int = 6, side: int = 8, channels: int = 1, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, side, side, channels), dtype=np.uint8)


def make_discs(rows: int = 12, side: int = 16) -> Array:
    """Bright discs off the centre on a dark ground: every corruption changes them visibly."""
    grid = np.arange(side)
    disc = (grid[:, None] - 0.35 * side) ** 2 + (grid[None, :] - 0.55 * side) ** 2
    image = np.where(disc < (0.3 * side) ** 2, 230, 20).astype(np.uint8)
    return np.repeat(image[None, :, :, None], rows, axis=0)


def damage(before: Array, after: Array) -> float:
    return float(np.abs(before.astype(float) - after.astype(float)).mean())


@pytest.mark.parametrize("name", NAMES)
def test_severity_zero_is_the_identity(name: str) -> None:
    x = make_images()

    assert np.array_equal(apply(name, x, severity=0.0, seed=1), x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("side", "channels"), [(8, 1), (14, 3), (32, 3)])
def test_shape_and_dtype_stay_and_the_input_is_untouched(
    name: str, side: int, channels: int
) -> None:
    x = make_images(side=side, channels=channels)
    before = x.copy()

    corrupted = apply(name, x, severity=0.7, seed=1)

    assert corrupted.shape == x.shape
    assert corrupted.dtype == np.uint8
    assert np.array_equal(x, before)
    assert not np.array_equal(corrupted, x)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [8, 28])
def test_damage_grows_with_severity(name: str, side: int) -> None:
    x = make_discs(side=side)
    damages = [damage(x, apply(name, x, severity=s, seed=3)) for s in (0, 0.2, 0.4, 0.6, 0.8, 1)]

    assert (np.diff(damages) > 0).all()


@pytest.mark.parametrize(
    "name", ["noise", "occlusion", "shadow", "contrast", "impulse", "fog", "brightness"]
)
@settings(max_examples=15, deadline=None)
@given(low=st.floats(0, 1), high=st.floats(0, 1), seed=st.integers(0, 2**31 - 1))
def test_each_pixel_moves_further_at_a_larger_severity(
    name: str, low: float, high: float, seed: int
) -> None:
    low, high = sorted((low, high))
    x = make_images(rows=2)
    less = np.abs(apply(name, x, severity=low, seed=seed).astype(int) - x)
    more = np.abs(apply(name, x, severity=high, seed=seed).astype(int) - x)

    assert (more >= less).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_row_depends_on_its_own_seed_and_not_on_the_batch(name: str) -> None:
    x = make_images(rows=5)
    seeds = np.array([11, 2**63 + 5, 13, 14, 15], dtype=np.uint64)
    together = apply(name, x, severity=0.8, seed=seeds)
    shuffled = apply(name, x[::-1].copy(), severity=0.8, seed=seeds[::-1].copy())
    alone = apply(name, x[1:2], severity=0.8, seed=seeds[1:2])

    assert np.array_equal(shuffled[::-1], together)
    assert np.array_equal(alone[0], together[1])


@pytest.mark.parametrize("name", NAMES)
def test_rows_may_each_have_their_own_severity(name: str) -> None:
    x = make_images(rows=3)
    seeds = np.array([4, 5, 6], dtype=np.uint64)
    mixed = apply(name, x, severity=np.array([0.0, 0.5, 1.0]), seed=seeds)

    for row, severity in enumerate((0.0, 0.5, 1.0)):
        rows = slice(row, row + 1)
        single = apply(name, x[rows], severity=severity, seed=seeds[rows])
        assert np.array_equal(single[0], mixed[row])


@pytest.mark.parametrize(
    "name",
    [
        "noise",
        "shot",
        "impulse",
        "motion_blur",
        "rotation",
        "elastic",
        "occlusion",
        "shadow",
        "fog",
    ],
)
def test_an_integer_seed_gives_every_position_randomness_of_its_own(name: str) -> None:
    x = make_discs(rows=12)
    first = apply(name, x, severity=1.0, seed=7)
    longer = apply(name, make_discs(rows=20), severity=1.0, seed=7)

    assert len(np.unique(first.reshape(12, -1), axis=0)) > 1
    assert np.array_equal(first, apply(name, x, severity=1.0, seed=7))
    assert np.array_equal(first, longer[:12])
    assert not np.array_equal(first, apply(name, x, severity=1.0, seed=8))


def test_row_seeds_are_distinct_and_follow_splitmix64() -> None:
    seeds = row_seeds(0, 1000)

    assert len(np.unique(seeds)) == 1000
    assert int(seeds[0]) == 0xE220A8397B1DCDAF  # the published first output for state 0


def test_noise_has_the_announced_standard_deviation() -> None:
    x = np.full((20, 28, 28, 1), 128, np.uint8)

    deviation = (apply("noise", x, severity=0.5, seed=0).astype(float) - 128).std()

    assert deviation == pytest.approx(0.15 * 255, rel=0.02)


def test_contrast_keeps_the_mean_and_scales_the_spread() -> None:
    x = make_images(rows=3, side=28)
    flat = apply("contrast", x, severity=1.0, seed=0).astype(float)

    assert np.allclose(flat.mean(axis=(1, 2, 3)), x.mean(axis=(1, 2, 3)), atol=0.3)
    assert flat.std() == pytest.approx(0.15 * x.std(), rel=0.02)


def test_blur_equals_a_gaussian_filter_of_the_announced_width() -> None:
    x = make_images(rows=1, side=20)
    expected = gaussian_filter(x[0, :, :, 0].astype(float), 20 * BLUR_SIGMA, mode="nearest")

    assert np.allclose(apply("blur", x, severity=1.0, seed=0)[0, :, :, 0], expected, atol=0.51)


def test_occlusion_hides_at_most_a_third_and_leaves_the_rest_alone() -> None:
    x = make_images(rows=10, side=30)
    changed = (apply("occlusion", x, severity=1.0, seed=0) != x).mean(axis=(1, 2, 3))

    assert (changed > 0.3).all()
    assert (changed < 0.42).all()


@pytest.mark.parametrize("name", sorted(CORRUPTIONS))
def test_every_registered_corruption_satisfies_the_port(name: str) -> None:
    corruption = Catalog({"corruption": CORRUPTIONS}).create("corruption", name)
    x = make_images()

    assert isinstance(corruption, Corruption)
    assert corruption.name == name
    expected = apply(name, x, severity=0.5, seed=2)
    assert np.array_equal(corruption.apply(x, severity=0.5, seed=2), expected)


def test_wrong_input_is_refused_with_the_way_out() -> None:
    x = make_images()
    with pytest.raises(ConfigurationError, match="there are: blur"):
        apply("snow", x, severity=0.5, seed=0)
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]"):
        apply("blur", x, severity=1.5, seed=0)
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]"):
        apply("blur", x, severity=float("nan"), seed=0)
    with pytest.raises(ShapeError, match="needs uint8 images"):
        apply("blur", x.astype(float), severity=0.5, seed=0)
    with pytest.raises(ShapeError, match="one per row"):
        apply("blur", x, severity=0.5, seed=np.arange(2))
