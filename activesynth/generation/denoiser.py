"""The network that both learning generators are built from, and its conditions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ConditionedMlp(nn.Module):
    """A residual MLP whose blocks are scaled and shifted by the conditions.

    The conditions enter as learned embeddings, index 0 of each meaning "free", and as a
    sinusoidal embedding of ``time`` in ``[0, 1]``.

    References:
        Perez et al. 2018, FiLM, arXiv:1709.07871; Peebles and Xie 2023, arXiv:2212.09748.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, blocks: int, sizes: tuple[int, ...]
    ) -> None:
        """Lay out the layers; the weights are set by :func:`initialise` or from a state."""
        super().__init__()
        self.width = width
        self.embeddings = nn.ModuleList(nn.Embedding(size + 1, width) for size in sizes)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.enter = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, outputs)

    def forward(self, values: Tensor, time: Tensor, tokens: Tensor) -> Tensor:
        """Map ``(n, inputs)`` at ``time`` ``(n,)`` under ``tokens`` ``(n, k)`` to outputs."""
        condition = self.time(_sinusoid(time, self.width))
        for position, embedding in enumerate(self.embeddings):
            condition = condition + embedding(tokens[:, position])
        condition = nn.functional.silu(condition)
        hidden = self.enter(values)
        for block in self.blocks:
            hidden = block(hidden, condition)
        result: Tensor = self.leave(self.norm(hidden))
        return result


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulate = nn.Linear(width, 2 * width)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, hidden: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulate(condition).chunk(2, dim=1)
        inner = self.norm(hidden) * (1.0 + scale) + shift
        result: Tensor = hidden + self.second(nn.functional.silu(self.first(inner)))
        return result


def _sinusoid(time: Tensor, width: int) -> Tensor:
    half = width // 2
    rates = torch.exp(-math.log(10_000.0) * torch.arange(half, device=time.device) / half)
    angles = 1000.0 * time[:, None] * rates
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)


def start_at_zero(module: nn.Module) -> None:
    """Zero the last layers and the ends of the residual branches: every block starts as nothing.

    References:
        Zhang et al. 2019 (Fixup), arXiv:1901.09321.
    """
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if ".second." in name or ".leave." in name:
                parameter.zero_()
