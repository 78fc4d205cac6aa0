"""A fitted image ensemble: probabilities and Monte-Carlo dropout draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor
from torch.nn import functional

from activesynth.domain.canonical import Array, derive_seed
from activesynth.models.architecture import Architecture
from activesynth.models.gradients import (
    check_score,
    check_unit_images,
    checked_labels,
    differentiate,
)
from activesynth.nn.blocks import Classifier
from activesynth.nn.images import to_pixels, to_unit
from activesynth.nn.numerics import INFERENCE_BATCH


def in_fixed_batches(compute: Callable[[Tensor], Tensor], pixels: Tensor, rows_at: int) -> Array:
    """Apply ``compute`` to images in ``[0, 1]``, always ``INFERENCE_BATCH`` at a time.

    The last batch is padded with black images whose results are dropped, because kernels choose
    their order of summation by the number of rows: so a row's result does not depend on how many
    others are asked about. ``rows_at`` is the axis of the result that counts rows.
    """
    parts = []
    with torch.inference_mode():
        for start in range(0, max(len(pixels), 1), INFERENCE_BATCH):
            batch = pixels[start : start + INFERENCE_BATCH]
            padded = functional.pad(batch, (0, 0, 0, 0, 0, 0, 0, INFERENCE_BATCH - len(batch)))
            parts.append(compute(to_unit(padded)).narrow(rows_at, 0, len(batch)).cpu())
    joined: Array = torch.cat(parts, dim=rows_at).numpy()
    return joined


class EnsemblePredictor:
    """The mean of temperature-scaled members."""

    def __init__(
        self,
        architecture: Architecture[Any],
        members: Sequence[Classifier],
        *,
        temperature: float,
        device: torch.device,
    ) -> None:
        """Take fitted members in evaluation mode."""
        self._architecture = architecture
        self._members = tuple(members)
        self._temperature = temperature
        self._device = device

    def logits(self, x: Array) -> Array:
        """Return each member's logits before scaling, ``(members, n, classes)`` float32.

        Raises:
            InputError: If ``x`` are no images (see :func:`to_pixels`).
            ShapeError: If they have another size than those trained on.
        """
        pixels = self._pixels(x)
        return np.stack([in_fixed_batches(member, pixels, 0) for member in self._members])

    def members_proba(self, x: Array) -> Array:
        """Return each member's temperature-scaled probabilities, ``(members, n, classes)``."""
        return self._scale(self.logits(x))

    def predict_proba(self, x: Array) -> Array:
        """Return calibrated mean class probabilities, ``(n, classes)`` float64, rows sum to 1."""
        mean: Array = self.members_proba(x).mean(axis=0)
        return mean

    def draws(self, x: Array, *, passes: int, seed: int) -> Array:
        """Return temperature-scaled probabilities ``(members * passes, n, classes)``, float64.

        Pass ``t`` of member ``m`` drops the same units for every row: a draw is one network, a
        sample of the posterior over functions. So a row's draws do not depend on its neighbours,
        and sums over rows within one draw have a meaning.
        """
        pixels = self._pixels(x)
        parts = []
        for number, member in enumerate(self._members):
            generator = torch.Generator().manual_seed(derive_seed("draws", seed, number))
            masks = member.head.masks(passes, generator).to(self._device)

            def run(images: Tensor, member: Classifier = member, masks: Tensor = masks) -> Tensor:
                return member.head.passes(member.trunk(images), masks)

            parts.append(self._scale(in_fixed_batches(run, pixels, 1)))
        return np.concatenate(parts)

    def score_and_gradient(
        self, x: Array, score: str, y: Array | None = None
    ) -> tuple[Array, Array]:
        """Return a score per row ``(n,)`` float64 and its gradient with respect to ``x``.

        Nothing is dropped, as in :meth:`predict_proba`, which sees the same numbers: the score of
        ``x / 255`` is that of the probabilities of the uint8 images ``x``.

        Args:
            x: Images as floats in ``[0, 1]``, ``(n, height, width, channels)``.
            score: ``cross_entropy`` of the calibrated mean prediction at ``y``, ``entropy`` of it
                (both in nats), or ``variance`` of the members' probabilities, averaged over
                classes, in ``[0, 1/4]``.
            y: Labels ``(n,)``; only ``cross_entropy`` looks at them.

        Returns:
            Scores ``(n,)`` float64, and gradients like ``x`` float32. Rows do not influence one
            another.

        Raises:
            ConfigurationError: If there is no such score.
            InputError: If ``x`` are no such images.
            ShapeError: If they have another size than those trained on, or labels do not fit.
        """
        function = check_score(score)
        check_unit_images(x)
        self._architecture.check(x)
        labels = torch.from_numpy(checked_labels(score, y, len(x), self._architecture.classes))
        images = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32))
        scores, gradients = differentiate(
            self._members,
            images.to(self._device),
            function,
            labels.to(self._device),
            self._temperature,
        )
        return scores, np.ascontiguousarray(gradients.transpose(0, 2, 3, 1))

    def _pixels(self, x: Array) -> Tensor:
        self._architecture.check(x)
        return to_pixels(x).to(self._device)

    def _scale(self, logits: Array) -> Array:
        scaled: Array = softmax(logits.astype(np.float64) / self._temperature, axis=-1)
        return scaled
