"""A small Vision Transformer: an image as a sequence of patches that attend to each other."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from activesynth.nn.blocks import ImageEncoder

Pooling = Literal["mean", "token"]
Positions = Literal["learnt", "sincos"]


class BranchEnd(nn.Linear):
    """The last layer of a residual branch: small, so that every block starts near the identity.

    Short trainings depend on it: a deep stack of random branches drowns the image
    (arXiv:1901.09321). At 0 a class token would see no image at all, and all views would be equal.
    """

    gain = 0.1


class Attention(nn.Module):
    """Multi-head self-attention over all tokens of one image."""

    def __init__(self, width: int, heads: int) -> None:
        """Share ``width`` evenly between ``heads``."""
        super().__init__()
        self.heads = heads
        self.projections = nn.Linear(width, 3 * width)
        self.out = BranchEnd(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``(n, tokens, width)`` to the same shape."""
        count, length, width = tokens.shape
        parts = self.projections(tokens).view(count, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        joined: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return joined


class TransformerBlock(nn.Module):
    """Attention and an MLP, each on normalised tokens and added to what came in (pre-norm).

    There is no dropout: what comes before the head is deterministic, so Monte-Carlo passes
    share it.
    """

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        """Use ``hidden`` units in the MLP."""
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), BranchEnd(hidden, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``(n, tokens, width)`` to the same shape."""
        tokens = tokens + self.attention(self.attention_norm(tokens))
        result: Tensor = tokens + self.mlp(self.mlp_norm(tokens))
        return result


class TransformerEncoder(ImageEncoder):
    """A Vision Transformer for images whose sides are multiples of the patch.

    References:
        Dosovitskiy et al. 2021, arXiv:2010.11929; Beyer et al. 2022, arXiv:2205.01580 (mean
        pooling and fixed positions on small data).
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        *,
        patch: int,
        width: int,
        depth: int,
        heads: int,
        mlp_ratio: float,
        pooling: Pooling,
        positions: Positions,
    ) -> None:
        """Build for ``channels`` and ``size`` (height, width); features are ``width``.

        Args:
            channels: Of the images.
            size: Height and width in pixels, multiples of ``patch``.
            patch: Side of a patch in pixels.
            width: Numbers per token, a multiple of ``heads``; of 4 for "sincos" positions.
            depth: Blocks.
            heads: Of each attention.
            mlp_ratio: Units of each MLP's hidden layer over ``width``.
            pooling: "mean" of the patches, or a learnt class "token".
            positions: "learnt", or fixed sines and cosines of row and column.
        """
        super().__init__(width)
        self.grid = (size[0] // patch, size[1] // patch)
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        tokens = self.grid[0] * self.grid[1]
        self.positions = nn.Parameter(torch.empty(tokens, width)) if positions == "learnt" else None
        self.token = nn.Parameter(torch.empty(1, width)) if pooling == "token" else None
        hidden = round(mlp_ratio * width)
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads, hidden) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(n, channels, height, width)`` in ``[0, 1]`` to ``(n, width)``."""
        tokens = self.patches(images * 2.0 - 1.0).flatten(2).transpose(1, 2)
        tokens = tokens + self._positions(tokens)
        if self.token is not None:
            tokens = torch.cat([self.token.expand(len(tokens), 1, -1), tokens], dim=1)
        tokens = self.norm(self.blocks(tokens))
        pooled = tokens[:, 0] if self.token is not None else tokens.mean(dim=1)
        features: Tensor = self.out(pooled)
        return features

    def _positions(self, tokens: Tensor) -> Tensor:
        if self.positions is not None:
            return self.positions
        # Computed anew: a buffer would have to be told apart from the weights wherever they go.
        return sine_positions(self.grid, tokens.shape[2], tokens.device)


def sine_positions(grid: tuple[int, int], width: int, device: torch.device) -> Tensor:
    """Return ``(rows * columns, width)``: a quarter each sine and cosine of row and of column.

    Wavelengths grow geometrically from 4 patches to 4 times the longer side, so that every number
    tells places of this very grid apart.
    """
    quarter = width // 4
    shares = torch.arange(quarter, device=device) / max(quarter - 1, 1)
    frequencies = math.pi / 2 * torch.exp(-math.log(max(grid)) * shares)
    rows, columns = (torch.arange(side, device=device) for side in grid)
    places = torch.cartesian_prod(rows, columns)
    angles = (places[:, :, None] * frequencies).flatten(1)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
