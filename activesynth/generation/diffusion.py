"""Conditional diffusion in a small latent space: the generator for when seconds must do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from activesynth.errors import InputError
from activesynth.generation.denoiser import ConditionedMlp
from activesynth.generation.latent import LatentGenerator
from activesynth.generation.latent_model import PLAIN, Course, Milestone, SteerableModel
from activesynth.generation.latents import Latents
from activesynth.generation.parameters import DiffusionParameters
from activesynth.generation.sampler import TIMES, cosine_alphas, denoise

SCORE_TIMES = (400, 550, 700, 850)
"""The noise levels, out of 1000, at which confidence asks the denoiser."""


class LatentDiffusion(SteerableModel):
    """Predicts v = a * noise - s * latents from a * latents + s * noise, a**2 + s**2 = 1.

    References:
        Ho et al. 2020, arXiv:2006.11239; Salimans and Ho 2022 (v), arXiv:2202.00512; Ho and
        Salimans 2022 (guidance), arXiv:2207.12598; Lu et al. 2022 (solver), arXiv:2211.01095;
        Karras et al. 2024 (autoguidance), arXiv:2406.02507.
    """

    def __init__(
        self, latents: Latents, sizes: tuple[int, ...], parameters: DiffusionParameters
    ) -> None:
        """Lay out the denoiser for the components and the ``sizes`` of the conditions.

        Raises:
            InputError: If autoguidance is asked for and there is no weak denoiser.
        """
        super().__init__()
        if parameters.autoguidance != 1.0 and parameters.weak_share == 0.0:
            raise InputError(
                f"`autoguidance` is {parameters.autoguidance}, but the generator was fitted "
                "without `weak_share` and has no weak weights; fit it again with one, such as 0.2.",
                reason="no_weak_weights",
            )
        size = latents.size
        self.noise_shape = (size,)
        self.score_shape = (len(SCORE_TIMES), size)
        self.steps, self.guidance = parameters.sampling_steps, parameters.guidance
        self.autoguidance, self.weak_share = parameters.autoguidance, parameters.weak_share
        shape = (size, size, parameters.width, parameters.blocks, sizes)
        self.denoiser = ConditionedMlp(*shape)
        self.weak = ConditionedMlp(*shape).requires_grad_(False) if self.weak_share else None
        self.alphas = cosine_alphas().astype(np.float32)

    @property
    def milestone(self) -> Milestone | None:
        """Remember the averaged weights after ``weak_share`` of the training, if it is set."""
        return Milestone(self.weak_share, self._keep) if self.weak is not None else None

    def _keep(self, average: Sequence[Tensor]) -> None:
        if self.weak is not None:
            for weight, averaged in zip(self.weak.parameters(), average, strict=True):
                weight.copy_(averaged)

    def loss(self, latents: Tensor, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean squared error of v at one random time per row."""
        times = torch.randint(TIMES, (len(latents),), generator=generator).to(latents.device)
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        return self._miss(latents, noise, times, tokens).mean()

    def draw(
        self, noise: Tensor, tokens: Tensor, start: Tensor | None = None, course: Course = PLAIN
    ) -> Tensor:
        """Solve the probability-flow ODE from ``noise``, guided by the conditions."""
        free = torch.zeros_like(tokens)

        def guided(noisy: Tensor, times: Tensor) -> Tensor:
            v = self._v(noisy, times, tokens)
            if self.guidance != 1.0:
                v = v + (self.guidance - 1.0) * (v - self._v(noisy, times, free))
            if self.autoguidance != 1.0 and self.weak is not None:
                v = v + (self.autoguidance - 1.0) * (v - self.weak(noisy, times / TIMES, tokens))
            return v

        return denoise(
            guided,
            noise,
            steps=self.steps,
            shift=course.shift,
            start=start,
            strength=course.strength,
        )

    def errors(self, latents: Tensor, noise: Tensor, tokens: Tensor) -> Tensor:
        """Return the mean squared error of v over the fixed noise levels, ``(n,)``."""
        total = torch.zeros(len(latents), device=latents.device)
        for position, time in enumerate(SCORE_TIMES):
            times = torch.full((len(latents),), time, device=latents.device)
            total = total + self._miss(latents, noise[:, position], times, tokens)
        return total / len(SCORE_TIMES)

    def _miss(self, latents: Tensor, noise: Tensor, times: Tensor, tokens: Tensor) -> Tensor:
        alphas = torch.from_numpy(self.alphas).to(latents.device)[times][:, None]
        signal, spread = alphas.sqrt(), (1.0 - alphas).sqrt()
        v = self._v(signal * latents + spread * noise, times, tokens)
        return ((v - (signal * noise - spread * latents)) ** 2).mean(dim=1)

    def _v(self, noisy: Tensor, times: Tensor, tokens: Tensor) -> Tensor:
        result: Tensor = self.denoiser(noisy, times / TIMES, tokens)
        return result


class DiffusionGenerator(LatentGenerator[DiffusionParameters]):
    """A latent denoiser conditioned on label, cluster and uncertainty level.

    Each row is denoised under its own conditions, the frozen codebook's id among them, and not
    pulled towards the mean of its cluster. Few rows are enough for classes and styles that were
    seen together; unseen combinations of label and cluster are not promised.

    Confidence: the row is noised to four fixed levels with noise that its own bytes determine,
    and restored under its label; see :meth:`LatentGenerator.confidence`.
    """

    part = "diffusion"
    architecture = ("width", "blocks", "weak_share")

    def build(
        self, latents: Latents, sizes: tuple[int, ...], parameters: DiffusionParameters
    ) -> LatentDiffusion:
        """Return the model for so many components and conditions."""
        return LatentDiffusion(latents, sizes, parameters)
