"""How an ensemble's scores change with its input: what guidance and attacks follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from activesynth.domain.canonical import Array
from activesynth.errors import ConfigurationError, InputError, ShapeError
from activesynth.nn.blocks import Classifier
from activesynth.nn.numerics import INFERENCE_BATCH

Score = Callable[[Tensor, Tensor], Tensor]
"""Maps the members' log probabilities ``(members, n, classes)`` and labels to ``(n,)``."""


def _log_mean(log_probs: Tensor) -> Tensor:
    return torch.logsumexp(log_probs, dim=0) - math.log(len(log_probs))


def _cross_entropy(log_probs: Tensor, labels: Tensor) -> Tensor:
    return -_log_mean(log_probs).gather(1, labels[:, None])[:, 0]


def _entropy(log_probs: Tensor, labels: Tensor) -> Tensor:
    mean = _log_mean(log_probs)
    return -(mean.exp() * mean).sum(dim=1)


def _variance(log_probs: Tensor, labels: Tensor) -> Tensor:
    return log_probs.exp().var(dim=0, unbiased=False).mean(dim=1)


SCORES: dict[str, Score] = {
    "cross_entropy": _cross_entropy,
    "entropy": _entropy,
    "variance": _variance,
}


def differentiate(
    members: Sequence[Classifier],
    images: Tensor,
    score: Score,
    labels: Tensor,
    temperature: float,
) -> tuple[Array, Array]:
    """Return scores ``(n,)`` float64 and their gradients, like ``images`` float32.

    Always ``INFERENCE_BATCH`` images ``(n, channels, height, width)`` at a time, the last batch
    filled up with black ones, for the reason given at
    :func:`activesynth.models.predictor.in_fixed_batches`. What follows the logits is float64, as
    it is there.
    """
    scores = np.empty(len(images))
    gradients = np.empty(tuple(images.shape), np.float32)
    for start in range(0, len(images), INFERENCE_BATCH):
        part = slice(start, start + INFERENCE_BATCH)
        missing = INFERENCE_BATCH - len(images[part])
        batch = functional.pad(images[part], (0, 0, 0, 0, 0, 0, 0, missing)).requires_grad_()
        asked = functional.pad(labels[part], (0, missing))
        with torch.enable_grad():
            logits = torch.stack([member(batch) for member in members]).double() / temperature
            values = score(torch.log_softmax(logits, dim=2), asked)
            (slope,) = torch.autograd.grad(values.sum(), batch)
        kept = INFERENCE_BATCH - missing
        scores[part] = values.detach()[:kept].cpu().numpy()
        gradients[part] = slope[:kept].cpu().numpy()
    return scores, gradients


def check_score(score: str) -> Score:
    """Return the score called ``score``.

    Raises:
        ConfigurationError: If there is none of that name.
    """
    if score not in SCORES:
        raise ConfigurationError(
            f"`score` is {score!r}; use one of {', '.join(SCORES)}.", reason="bad_value"
        )
    return SCORES[score]


def check_unit_images(x: Array) -> None:
    """Refuse what are no float images ``(n, height, width, channels)`` in ``[0, 1]``.

    Raises:
        InputError: Naming the first row that holds something else.
    """
    if x.ndim != 4 or not np.issubdtype(x.dtype, np.floating):
        raise InputError(
            "gradients need float images of shape (n, height, width, channels), got "
            f"{x.dtype} {x.shape}; divide uint8 images by 255.",
            reason="image_shape",
        )
    fits = ((x >= 0.0) & (x <= 1.0)).all(axis=(1, 2, 3))
    if not fits.all():
        row = int(np.argmin(fits))
        raise InputError(
            f"gradients need images in [0, 1], row {row} holds {x[row].min()} to {x[row].max()}; "
            "divide uint8 images by 255 and clip.",
            reason="not_in_unit_range",
        )


def checked_labels(score: str, y: Array | None, rows: int, classes: int) -> Array:
    """Return labels ``(rows,)`` int64: ``y`` where the score looks at them, zeros elsewhere.

    Raises:
        ShapeError: If they are missing, do not align or are beyond their range.
    """
    if score != "cross_entropy":
        return np.zeros(rows, np.int64)
    if y is None or np.shape(y) != (rows,):
        raise ShapeError(
            f"`y` must hold one label for each of {rows} rows for the score 'cross_entropy', got "
            f"{None if y is None else np.shape(y)}."
        )
    labels = np.asarray(y, np.int64)
    if rows and not (labels.min() >= 0 and labels.max() < classes):
        raise ShapeError(
            f"`y` must be in [0, {classes}), got {labels.min()} to {labels.max()}; leave rows "
            "without a label out."
        )
    return labels
