"""The loss functions of training and pretraining."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def kl_to_prior(logits: Tensor, prior: Tensor) -> Tensor:
    """Return KL(new || previous) per row in nats, ``(n,)``, zero or more.

    The expectation is over the new model: it is punished for believing what the previous one
    ruled out, and may be surer than that one was.

    Args:
        logits: Of the model being trained, ``(n, classes)``.
        prior: Probabilities of the previous model, ``(n, classes)``. Clipped at 1e-4, so that one
            confident mistake of the past does not outweigh a batch. A row of zeros means that
            there is no prior for it, and gives 0.
    """
    logs = functional.log_softmax(logits, dim=1)
    divergence = (logs.exp() * (logs - prior.clamp(min=1e-4).log())).sum(dim=1)
    return torch.where(prior.sum(dim=1) > 0.5, divergence, 0.0)


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return the contrastive loss of two views of the same images, a scalar in nats.

    Row ``i`` of one view has to find row ``i`` of the other among all other rows of both.

    Args:
        first: Projections of one view, ``(n, d)``; normalised here.
        second: Projections of the other view, ``(n, d)``.
        temperature: tau; smaller values look at the hardest negatives only.

    References:
        Chen et al. 2020 (NT-Xent), arXiv:2002.05709.
    """
    count = len(first)
    both = functional.normalize(torch.cat([first, second]).float(), dim=1)
    similarity = both @ both.T / temperature
    itself = torch.eye(2 * count, dtype=torch.bool, device=both.device)
    partner = torch.arange(2 * count, device=both.device).roll(count)
    return functional.cross_entropy(similarity.masked_fill(itself, float("-inf")), partner)
