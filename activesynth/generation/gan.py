"""A conditional generative adversarial network: one pass makes a sample."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from activesynth.generation.denoiser import ConditionedMlp
from activesynth.generation.latent import LatentGenerator
from activesynth.generation.latent_model import LatentModel
from activesynth.generation.latents import Latents
from activesynth.generation.parameters import GanParameters

PENALISED = 0.25
"""How often the critic's slope is looked at; each look costs more than the rest of the step."""


class LatentGan(LatentModel):
    """A generator against a critic, and an encoder that finds the noise a row could come from.

    All three learn in the same step and from one loss: the critic is held fixed where the
    generator is judged, and the generator's samples where the critic is, so each gradient reaches
    what it is meant for. Making real rows again from their codes keeps the generator from leaving
    rows out, and the penalty on the critic's slope at real rows lets the game settle; both matter
    most with few rows.

    References:
        Goodfellow et al. 2014, arXiv:1406.2661 (the non-saturating loss); Mirza and Osindero
        2014, arXiv:1411.1784 (conditions); Larsen et al. 2016, arXiv:1512.09300 (an encoder
        beside it); Mescheder et al. 2018, arXiv:1801.04406 (the penalty, and averaged weights);
        Karras et al. 2020, arXiv:1912.04958 (the penalty now and then).
    """

    # With momentum the two players circle each other, and the averaged weights are their middle.
    betas = (0.0, 0.99)

    def __init__(self, latents: Latents, sizes: tuple[int, ...], parameters: GanParameters) -> None:
        """Lay out the networks for the components and the ``sizes`` of the conditions."""
        super().__init__()
        self.noise_shape, self.score_shape = (parameters.code,), (1,)
        self.penalty, self.rebuild = parameters.penalty, parameters.rebuild
        self.share = latents.scale**2 / np.sum(latents.scale**2)
        size = latents.size
        shape = (parameters.width, parameters.blocks, sizes)
        self.maker = ConditionedMlp(parameters.code, size, *shape)
        self.critic = ConditionedMlp(size, 1, *shape)
        self.encoder = ConditionedMlp(size, parameters.code, *shape)

    def loss(self, latents: Tensor, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """Return the sum of the critic's, the generator's and the encoder's losses."""
        rows = len(latents)
        noise = torch.randn(rows, self.noise_shape[0], generator=generator).to(latents.device)
        looks = bool(torch.rand(1, generator=generator) < PENALISED)
        twice = torch.cat([tokens, tokens])
        codes = _run(self.encoder, latents, tokens)
        made, restored = _run(self.maker, torch.cat([noise, codes]), twice).chunk(2)
        real = latents.detach().requires_grad_(looks)
        judged, doubted = _run(self.critic, torch.cat([real, made.detach()]), twice).chunk(2)
        critic = softplus(-judged).mean() + softplus(doubted).mean()
        if looks:
            (slope,) = torch.autograd.grad(judged.sum(), real, create_graph=True)
            critic = critic + 0.5 * self.penalty / PENALISED * (slope**2).sum(dim=1).mean()
        maker = softplus(-_fixed(self.critic, made, tokens)).mean()
        return critic + maker + self.rebuild * self._miss(latents, restored).mean()

    def draw(self, noise: Tensor, tokens: Tensor) -> Tensor:
        """Return what the generator makes of the noise."""
        return _run(self.maker, noise, tokens)

    def errors(self, latents: Tensor, noise: Tensor, tokens: Tensor) -> Tensor:
        """Return the error of making each row again from its code, ``(n,)``; needs no noise."""
        codes = _run(self.encoder, latents, tokens)
        return self._miss(latents, _run(self.maker, codes, tokens))

    def _miss(self, latents: Tensor, restored: Tensor) -> Tensor:
        share = torch.from_numpy(self.share).to(latents.device)
        return ((latents - restored) ** 2 * share).sum(dim=1)


def _run(network: nn.Module, values: Tensor, tokens: Tensor) -> Tensor:
    result: Tensor = network(values, torch.zeros(len(values), device=values.device), tokens)
    return result


def _fixed(network: nn.Module, values: Tensor, tokens: Tensor) -> Tensor:
    """Run a network whose weights get no gradient, though its input does."""
    weights = {name: weight.detach() for name, weight in network.named_parameters()}
    time = torch.zeros(len(values), device=values.device)
    result: Tensor = functional_call(network, weights, (values, time, tokens))
    return result


class GanGenerator(LatentGenerator[GanParameters]):
    """A conditional GAN over whitened components, under the conditions of the diffusion.

    Quick to sample; on few rows it covers less of a class than the diffusion does. Confidence: the
    error of encoding and making the row again under its label; see
    :meth:`LatentGenerator.confidence`.
    """

    part = "gan"
    architecture = ("width", "blocks", "code")

    def build(
        self, latents: Latents, sizes: tuple[int, ...], parameters: GanParameters
    ) -> LatentGan:
        """Return the model for so many components and conditions."""
        return LatentGan(latents, sizes, parameters)
