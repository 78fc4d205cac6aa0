"""A conditional variational autoencoder: the second generator, which proves the swap."""

from __future__ import annotations

import torch
from torch import Tensor

from activesynth.generation.denoiser import ConditionedMlp
from activesynth.generation.fitted import LatentModel
from activesynth.generation.latent import LatentGenerator
from activesynth.generation.parameters import VaeParameters


class LatentVae(LatentModel):
    """Encodes components into a Gaussian code and decodes them, both under the conditions.

    References:
        Kingma and Welling 2014, arXiv:1312.6114; Sohn et al. 2015 (conditional).
    """

    def __init__(self, size: int, sizes: tuple[int, ...], parameters: VaeParameters) -> None:
        """Lay out encoder and decoder for ``size`` components and a code of ``code`` numbers."""
        super().__init__()
        self.code, self.beta = parameters.code, parameters.beta
        self.noise_shape, self.score_shape = (self.code,), (1,)
        shape = (parameters.width, parameters.blocks, sizes)
        self.encoder = ConditionedMlp(size, 2 * self.code, *shape)
        self.decoder = ConditionedMlp(self.code, size, *shape)
        self.log_spread = torch.nn.Parameter(torch.zeros(size))

    def loss(self, latents: Tensor, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """Return the negative evidence lower bound per component, KL weighed by ``beta``."""
        mean, log_variance = self._encode(latents, tokens)
        noise = torch.randn(mean.shape, generator=generator).to(latents.device)
        decoded = self._decode(mean + noise * (0.5 * log_variance).exp(), tokens)
        miss = ((latents - decoded) * (-self.log_spread).exp()) ** 2
        fit = (0.5 * miss + self.log_spread).sum(dim=1)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1.0 - log_variance).sum(dim=1)
        return (fit + self.beta * divergence).mean() / latents.shape[1]

    def draw(self, noise: Tensor, tokens: Tensor) -> Tensor:
        """Decode codes drawn from the standard normal prior."""
        return self._decode(noise, tokens)

    def errors(self, latents: Tensor, noise: Tensor, tokens: Tensor) -> Tensor:
        """Return the mean squared error of decoding the mean code, ``(n,)``; needs no noise."""
        mean, _ = self._encode(latents, tokens)
        return ((latents - self._decode(mean, tokens)) ** 2).mean(dim=1)

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

    def build(self, size: int, sizes: tuple[int, ...], parameters: VaeParameters) -> LatentVae:
        """Return the model for so many components and conditions."""
        return LatentVae(size, sizes, parameters)
