"""A conditional variational autoencoder: the second generator, which proves the swap."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from activesynth.generation.denoiser import ConditionedMlp
from activesynth.generation.latent import LatentGenerator
from activesynth.generation.latent_model import LatentModel
from activesynth.generation.latents import Latents
from activesynth.generation.parameters import VaeParameters


class LatentVae(LatentModel):
    """Encodes components into a Gaussian code and decodes them, both under the conditions.

    References:
        Kingma and Welling 2014, arXiv:1312.6114; Sohn et al. 2015 (conditional).
    """

    def __init__(self, latents: Latents, sizes: tuple[int, ...], parameters: VaeParameters) -> None:
        """Lay out encoder and decoder for the components and the ``sizes`` of the conditions."""
        super().__init__()
        self.code, self.beta = parameters.code, parameters.beta
        self.noise_shape, self.score_shape = (self.code,), (1,)
        self.share = latents.scale**2 / np.sum(latents.scale**2)
        size = latents.size
        shape = (parameters.width, parameters.blocks, sizes)
        self.encoder = ConditionedMlp(size, 2 * self.code, *shape)
        self.decoder = ConditionedMlp(self.code, size, *shape)

    def loss(self, latents: Tensor, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """Return the negative evidence lower bound per component, KL weighed by ``beta``."""
        mean, log_variance = self._encode(latents, tokens)
        noise = torch.randn(mean.shape, generator=generator).to(latents.device)
        decoded = self._decode(mean + noise * (0.5 * log_variance).exp(), tokens)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance).sum(dim=1)
        return (self._miss(latents, decoded) + self.beta * divergence).mean()

    def draw(self, noise: Tensor, tokens: Tensor) -> Tensor:
        """Decode codes drawn from the standard normal prior."""
        return self._decode(noise, tokens)

    def errors(self, latents: Tensor, noise: Tensor, tokens: Tensor) -> Tensor:
        """Return the mean squared error of decoding the mean code, ``(n,)``; needs no noise."""
        mean, _ = self._encode(latents, tokens)
        return self._miss(latents, self._decode(mean, tokens))

    def _miss(self, latents: Tensor, decoded: Tensor) -> Tensor:
        share = torch.from_numpy(self.share).to(latents.device)
        return ((latents - decoded) ** 2 * share).sum(dim=1)

    def _encode(self, latents: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(latents, _now(latents), tokens).chunk(2, dim=1)
        return mean, log_variance.clamp(-10.0, 10.0)

    def _decode(self, code: Tensor, tokens: Tensor) -> Tensor:
        decoded: Tensor = self.decoder(code, _now(code), tokens)
        return decoded


def _now(values: Tensor) -> Tensor:
    return torch.zeros(len(values), device=values.device)


class VaeGenerator(LatentGenerator[VaeParameters]):
    """A conditional VAE over whitened components, under the conditions of the diffusion.

    Confidence: the error of encoding and decoding the row under its label; see
    :meth:`LatentGenerator.confidence`.
    """

    part = "vae"
    architecture = ("width", "blocks", "code")

    def build(
        self, latents: Latents, sizes: tuple[int, ...], parameters: VaeParameters
    ) -> LatentVae:
        """Return the model for so many components and conditions."""
        return LatentVae(latents, sizes, parameters)
