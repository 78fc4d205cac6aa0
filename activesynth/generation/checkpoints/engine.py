"""Drawing and measuring rows by a loaded checkpoint, in blocks of one size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Progress, silent
from activesynth.errors import InputError
from activesynth.generation.blocks import in_blocks
from activesynth.generation.checkpoints.denoiser import Denoiser
from activesynth.generation.checkpoints.parameters import DiffusersParameters
from activesynth.generation.checkpoints.pictures import to_images, to_pictures
from activesynth.generation.checkpoints.solver import Process
from activesynth.generation.scoring import content_noise, seeded_noise

SCORE_LEVELS = (0.2, 0.4, 0.6, 0.8)
"""The noise levels, as shares of all times, at which confidence asks the denoiser."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A denoiser, its noise process, and how to use them.

    Every forward pass sees exactly ``parameters.batch`` rows: on one machine a row's bits do not
    depend on the rows beside it.
    """

    denoiser: Denoiser
    process: Process
    parameters: DiffusersParameters

    def draw(self, seeds: Array, tokens: Array, shape: tuple[int, ...], told: Progress) -> Array:
        """Return one uint8 image ``(n, *shape)`` per seed under its condition tokens ``(n, k)``.

        Raises:
            InputError: If an image came out as NaN or infinite.
        """
        noise = seeded_noise(seeds, self.denoiser.shape)

        def block(noise: Array, tokens: Array) -> Array:
            pictures = self._run(self._pictures, noise, tokens)
            _refuse_broken(pictures)
            return to_images(pictures, shape)

        return in_blocks(block, noise, tokens, rows=self.parameters.batch, progress=told)

    def errors(self, x: Array, tokens: Array, told: Progress = silent) -> Array:
        """Return how badly each image is restored under its condition, ``(n,)`` float64.

        The mean squared error of the network's own target over four fixed noise levels, under
        noise that the image's bytes determine.
        """
        noise = content_noise(x, (len(SCORE_LEVELS), *self.denoiser.shape))

        def block(x: Array, noise: Array, tokens: Array) -> Array:
            pictures = to_pictures(x, self.denoiser.picture).numpy()
            return self._run(self._misses, pictures, noise, tokens).numpy().astype(np.float64)

        return in_blocks(block, x, noise, tokens, rows=self.parameters.batch, progress=told)

    def _pictures(self, noise: Tensor, tokens: Tensor) -> Tensor:
        wanted = self.denoiser.condition(tokens)
        scale, free = self.parameters.guidance, None
        if scale != 1.0 and self.denoiser.free is not None:
            token = torch.from_numpy(self.denoiser.free).to(tokens.device)
            free = self.denoiser.condition(token.expand(len(tokens), -1))

        def guided(noisy: Tensor, times: Tensor) -> Tensor:
            answer = self.denoiser.predict(noisy, times, wanted)
            if free is None:
                return answer
            # Ho and Salimans 2022, arXiv:2207.12598; 1 is plain conditional sampling.
            return answer + (scale - 1.0) * (answer - self.denoiser.predict(noisy, times, free))

        rows = self.process.solve(
            guided, noise, steps=self.parameters.steps, solver=self.parameters.solver
        )
        return self.denoiser.decode(rows)

    def _misses(self, pictures: Tensor, noise: Tensor, tokens: Tensor) -> Tensor:
        condition, clean = self.denoiser.condition(tokens), self.denoiser.encode(pictures)
        total = torch.zeros(len(clean), device=clean.device)
        for position, level in enumerate(SCORE_LEVELS):
            times = torch.full((len(clean),), int(level * self.process.times), device=clean.device)
            fresh = noise[:, position]
            answer = self.denoiser.predict(
                self.process.noised(clean, fresh, times), times, condition
            )
            target = self.process.target(clean, fresh, times)
            total = total + ((answer - target) ** 2).mean(dim=(1, 2, 3))
        return total / len(SCORE_LEVELS)

    def _run(self, function: Callable[..., Tensor], *arrays: Array) -> Tensor:
        device = self.denoiser.placement.device
        with torch.no_grad():
            return function(*(torch.from_numpy(array).to(device) for array in arrays)).cpu()


def _refuse_broken(pictures: Tensor) -> None:
    broken = ~torch.isfinite(pictures).flatten(1).all(dim=1)
    if bool(broken.any()):
        raise InputError(
            f"{int(broken.sum())} of {len(pictures)} generated pictures are NaN or infinite; lower "
            "`generator.parameters.guidance`, use dtype float32, or look at the checkpoint.",
            reason="generated_not_finite",
        )
