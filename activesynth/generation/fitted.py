"""A fitted model together with the maps from data to its inputs and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Progress, silent
from activesynth.errors import InputError, ShapeError
from activesynth.generation.blocks import in_blocks
from activesynth.generation.conditions import FREE, Conditions, check_column, check_finite
from activesynth.generation.latent_model import PLAIN, Course, LatentModel, SteerableModel
from activesynth.generation.latents import Latents
from activesynth.generation.scoring import content_noise


@dataclass(frozen=True, slots=True)
class Fitted:
    """Draws rows of data and measures them, in blocks of one size."""

    model: LatentModel
    latents: Latents
    conditions: Conditions

    def draw(
        self,
        noise: Array,
        tokens: Array,
        progress: Progress,
        *,
        start: Array | None = None,
        course: Course = PLAIN,
    ) -> Array:
        """Return rows like the data, one per row of ``noise``.

        ``start`` are components to begin at and ``course`` how to depart from plain sampling; only
        a :class:`SteerableModel` looks at them.

        Raises:
            InputError: If a row came out as NaN or infinite.
        """
        steps: Callable[..., Tensor] = self.model.draw
        arrays: tuple[Array, ...] = (noise, tokens)
        if isinstance(self.model, SteerableModel):
            steps = partial(self.model.draw, course=course)
            arrays = arrays if start is None else (noise, tokens, start)
        drawn = in_blocks(lambda *block: self._run(steps, *block), *arrays, progress=progress)
        _refuse_broken(drawn)
        rows = in_blocks(self.latents.restore, drawn)
        _refuse_broken(rows.reshape(len(rows), self.latents.columns))
        return rows

    def errors(self, x: Array, labels: Array) -> Array:
        """Return each row's error under its label, cluster and level free, ``(n,)`` float64."""
        free = np.full(len(x), FREE, np.int64)
        tokens = self.conditions.tokens(labels, free, free)
        noise = content_noise(x, self.model.score_shape)

        def block(rows: Array, noise: Array, tokens: Array) -> Array:
            restored = self._run(self.model.errors, self.latents.project(rows), noise, tokens)
            return restored.astype(np.float64) + self.latents.residual(rows)

        return in_blocks(block, x, noise, tokens)

    def reconstruction(self, x: Array, clusters: Array, *, seed: int) -> float:
        """Return the mean of ``||x - G(z_c)||^2`` per column, G drawing from each row's cluster.

        Label and level are free. In units of the variance of a column: two independent rows of one
        cluster lie twice the variance within it apart, so a small number says that samples of a
        cluster hardly differ. It is recorded to be looked at and nothing minimises it: its minimum
        is the mean of the cluster.
        """
        free = np.full(len(x), FREE, np.int64)
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((len(x), *self.model.noise_shape), np.float32)
        drawn = self.draw(noise, self.conditions.tokens(free, clusters, free), silent)
        gap = (x.astype(np.float64) - drawn.astype(np.float64)).reshape(len(x), -1)
        return float(np.mean((gap / self.latents.unit) ** 2))

    def check(self, x: Array, y: Array) -> None:
        """Refuse rows that are not like the data of the fit.

        Raises:
            ShapeError: If shape, dtype or labels do not fit.
            InputError: If ``x`` holds NaN or an infinity.
        """
        found = (tuple(x.shape[1:]), str(x.dtype))
        if found != (self.latents.shape, self.latents.dtype):
            raise ShapeError(
                f"x must hold rows of shape {self.latents.shape} and dtype {self.latents.dtype} "
                f"as in the fit, got {found[0]} and {found[1]}; prepare them alike."
            )
        check_column("y", y, len(x), self.conditions.sizes[0])
        check_finite("x", x)

    def _run(self, function: Callable[..., Tensor], *arrays: Array) -> Array:
        device = next(self.model.parameters()).device
        with torch.no_grad():
            result = function(*(torch.from_numpy(array).to(device) for array in arrays))
        return result.cpu().numpy()


def _refuse_broken(drawn: Array) -> None:
    broken = ~np.isfinite(drawn).all(axis=1)
    if broken.any():
        raise InputError(
            f"{int(broken.sum())} of {len(drawn)} generated rows are NaN or infinite, first "
            f"row {int(np.argmax(broken))}; the fit is unusable or `guidance` too strong. "
            "Lower `generator.parameters.guidance` or the learning rate and fit again.",
            reason="generated_not_finite",
        )
