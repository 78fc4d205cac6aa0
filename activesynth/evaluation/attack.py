"""Projected gradient descent: how little has to change for a model to err."""

from __future__ import annotations

import math

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.ports import DifferentiablePredictor
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.metrics import Accuracy
from activesynth.perturbations.image import row_seeds
from activesynth.statistics.intervals import Interval, bootstrap

EPSILON = 8.0 / 255.0
STEP = 2.0 / 255.0
STEPS = 10
BATCH = 256
LEVELS = 255


def random_start(x: Array, *, epsilon: float, seed: int | Array) -> Array:
    """Return a point of each row's ball, uniform in ``[x - epsilon, x + epsilon]`` and ``[0, 1]``.

    Args:
        x: Images as floats in ``[0, 1]``, ``(n, height, width, channels)``.
        epsilon: Radius of the ball in the maximum norm, 0 or more.
        seed: A number from which every row position derives its own seed, or one uint64 seed
            per row ``(n,)``; a row's start does not depend on the others.

    Returns:
        Shape of ``x``, float32.
    """
    seeds = row_seeds(seed, len(x)) if isinstance(seed, int | np.integer) else seed
    start = np.empty(x.shape, np.float32)
    for row, own in enumerate(seeds):
        rng = np.random.Generator(np.random.PCG64(int(own)))
        start[row] = x[row] + rng.uniform(-epsilon, epsilon, x.shape[1:])
    return np.clip(start, 0.0, 1.0)


def pgd(
    predictor: DifferentiablePredictor,
    x: Array,
    y: Array,
    *,
    seed: int | Array,
    epsilon: float = EPSILON,
    step: float = STEP,
    steps: int = STEPS,
) -> Array:
    """Return the images that an attacker with the model's gradients would send instead of ``x``.

    From a random start in the ball, ``steps`` times ``x + step * sign(gradient of the cross
    entropy)``, projected back to the ball around the clean image and to ``[0, 1]``. The defaults
    are PGD-10 at 8/255. The number found is an upper bound of the accuracy under attack: a model
    whose gradients vanish looks better than it is, so look at a larger ``epsilon`` as well.

    Args:
        predictor: Offers the gradient of the cross entropy.
        x: Images as floats in ``[0, 1]``, ``(n, height, width, channels)``.
        y: Labels, ``(n,)``.
        seed: As in :func:`random_start`.
        epsilon: Radius in the maximum norm, in ``[0, 1]``; 8/255 is eight of 255 grey levels.
        step: How far a pixel moves in one step, above 0.
        steps: How many, 1 or more.

    Returns:
        Shape of ``x``, float32, in ``[0, 1]`` and within ``epsilon`` of ``x`` up to rounding.

    Raises:
        InputError: If ``epsilon``, ``step`` or ``steps`` are out of range, or ``x`` holds values
            outside ``[0, 1]``.
        ShapeError: If rows and labels do not align, or the gradient has another shape than ``x``.

    References:
        Madry et al. 2018, arXiv:1706.06083.
    """
    _check(x, y, epsilon, step, steps)
    clean = x.astype(np.float32)
    low = np.maximum(clean - np.float32(epsilon), np.float32(0.0))
    high = np.minimum(clean + np.float32(epsilon), np.float32(1.0))
    found = np.clip(random_start(clean, epsilon=epsilon, seed=seed), low, high)
    for first in range(0, len(x), BATCH):
        rows = slice(first, first + BATCH)
        for _ in range(steps):
            _, gradient = predictor.score_and_gradient(found[rows], "cross_entropy", y[rows])
            if gradient.shape != found[rows].shape:
                raise ShapeError(
                    f"the gradient of {found[rows].shape} images has shape {gradient.shape}; "
                    "`score_and_gradient` returns one number per pixel and channel."
                )
            moved = found[rows] + np.float32(step) * np.sign(gradient).astype(np.float32)
            found[rows] = np.clip(moved, low[rows], high[rows])
    return found


def attacked_images(
    predictor: DifferentiablePredictor,
    x: Array,
    y: Array,
    *,
    seed: int | Array,
    epsilon: float = EPSILON,
    step: float = STEP,
    steps: int = STEPS,
) -> Array:
    """Return attacked copies of 8-bit images, again in 8 bits, as a file would hold them.

    Args:
        predictor: As in :func:`pgd`.
        x: Images, uint8 ``(n, height, width, channels)``.
        y: Labels, ``(n,)``.
        seed: As in :func:`pgd`.
        epsilon: As in :func:`pgd`; rounded down to whole grey levels, so the ball is never left.
        step: As in :func:`pgd`.
        steps: As in :func:`pgd`.

    Returns:
        Shape of ``x``, uint8.

    Raises:
        InputError: As in :func:`pgd`.
        ShapeError: If ``x`` is not uint8, or as in :func:`pgd`.
    """
    if x.dtype != np.uint8 or x.ndim != 4:
        raise ShapeError(
            "attacked_images needs uint8 images (n, height, width, channels), got "
            f"{x.dtype} {x.shape}; use `pgd` for floats."
        )
    clean = x.astype(np.float32) / np.float32(LEVELS)
    found = pgd(predictor, clean, y, seed=seed, epsilon=epsilon, step=step, steps=steps)
    reach = math.floor(epsilon * LEVELS + 1e-6)
    centre = x.astype(np.int64)
    levels = np.rint(found * LEVELS).astype(np.int64)
    attacked: Array = np.clip(levels, centre - reach, centre + reach).astype(np.uint8)
    return attacked


def attacked_accuracy(
    predictor: DifferentiablePredictor,
    x: Array,
    y: Array,
    groups: Array,
    *,
    seed: int,
    resamples: int,
    epsilon: float = EPSILON,
    step: float = STEP,
    steps: int = STEPS,
) -> Interval:
    """Return the accuracy on attacked 8-bit images, with a bootstrap interval over groups.

    Args:
        predictor: As in :func:`pgd`.
        x: Images, uint8 ``(n, height, width, channels)``.
        y: Labels, ``(n,)``.
        groups: What must stay together (patient, scene), ``(n,)``.
        seed: Equal seeds give equal attacks and equal intervals.
        resamples: How many resamples.
        epsilon: As in :func:`pgd`; 0 gives the clean accuracy.
        step: As in :func:`pgd`.
        steps: As in :func:`pgd`.

    Raises:
        InputError: As in :func:`pgd`.
        ShapeError: As in :func:`attacked_images`.
    """
    attacked = attacked_images(predictor, x, y, seed=seed, epsilon=epsilon, step=step, steps=steps)
    probs = predictor.predict_proba(attacked)
    return bootstrap(Accuracy(), y, probs[None], groups, resamples=resamples, seed=seed)


def _check(x: Array, y: Array, epsilon: float, step: float, steps: int) -> None:
    if not (0.0 <= epsilon <= 1.0 and step > 0.0 and steps >= 1):
        raise InputError(
            f"an attack needs epsilon in [0, 1], step > 0 and steps >= 1, got {epsilon:g}, "
            f"{step:g} and {steps}; both lengths are shares of the full range (8/255).",
            reason="attack",
        )
    if len(x) != len(y):
        raise ShapeError(f"an attack needs one label per row, got {len(x)} rows, {len(y)} labels.")
    # Written so that NaN is refused too.
    if x.size and not (x.min() >= 0.0 and x.max() <= 1.0):
        raise InputError(
            f"an attack needs images in [0, 1], got {x.min():g} to {x.max():g}; divide 8-bit "
            "pixels by 255, or use `attacked_images`.",
            reason="attack",
            field="x",
        )
