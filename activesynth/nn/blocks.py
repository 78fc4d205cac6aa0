"""Small networks for images: encoder, projection head and dropout head."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvBlock(nn.Sequential):
    """3x3 convolution, group normalisation, ReLU.

    Group rather than batch normalisation: averaged weights (SWA) need no second pass to set
    statistics, and no row's output depends on the rest of its batch.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        """Use eight groups, or as many as divide the channels."""
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.GroupNorm(math.gcd(outputs, 8), outputs),
            nn.ReLU(inplace=True),
        )


class ImageEncoder(nn.Module):
    """Maps images ``(n, channels, height, width)`` in ``[0, 1]`` to ``(n, features)``.

    Without dropout, and without anything that lets a row notice the rest of its batch.
    """

    def __init__(self, features: int) -> None:
        """Say how many numbers describe an image."""
        super().__init__()
        self.features = features


class ConvolutionalEncoder(ImageEncoder):
    """A convolutional encoder for images from 8x8 on.

    Halves the image until its longer side is at most 4, doubling the channels up to four times
    ``width``, then keeps a 2x2 layout: a plain mean would forget where strokes lie.
    """

    def __init__(self, channels: int, size: tuple[int, int], width: int) -> None:
        """Build for ``channels`` and ``size`` (height, width); features are ``4 * width``."""
        super().__init__(4 * width)
        side = max(size)
        # At full size the first two layers would cost as much as all others together.
        stride = 2 if side >= 20 else 1
        side = math.ceil(side / stride)
        outputs = width
        blocks: list[nn.Module] = [ConvBlock(channels, outputs, stride)]
        while side > 4:
            inputs, outputs = outputs, min(2 * outputs, 4 * width)
            blocks.append(ConvBlock(inputs, outputs, 2))
            side = math.ceil(side / 2)
        blocks.append(ConvBlock(outputs, outputs))
        self.convolutions = nn.Sequential(*blocks)
        self.out = nn.Linear(4 * outputs, self.features)

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``(n, channels, height, width)`` in ``[0, 1]`` to ``(n, features)``."""
        maps = self.convolutions(images * 2.0 - 1.0)
        pooled = functional.adaptive_avg_pool2d(maps, 2)
        features: Tensor = self.out(pooled.flatten(1))
        return features


class ProjectionHead(nn.Sequential):
    """The MLP on which the contrastive loss is taken, and which is thrown away afterwards."""

    def __init__(self, features: int, outputs: int = 64) -> None:
        """Use one hidden layer as wide as the features."""
        super().__init__(
            nn.Linear(features, features), nn.ReLU(inplace=True), nn.Linear(features, outputs)
        )


class DropoutHead(nn.Module):
    """An MLP classifier with dropout before its last layer only.

    Everything up to the dropout is deterministic, so Monte-Carlo passes share it.
    """

    def __init__(self, features: int, hidden: int, classes: int, dropout: float) -> None:
        """Drop hidden units with probability ``dropout`` in ``[0, 1)``."""
        super().__init__()
        self.dropout = dropout
        self.hidden = nn.Linear(features, hidden)
        self.out = nn.Linear(hidden, classes)

    def activations(self, features: Tensor) -> Tensor:
        """Return what dropout is applied to, ``(n, hidden)``."""
        return functional.relu(self.hidden(functional.relu(features)))

    def masks(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw masks ``(count, hidden)``: 0, or ``1 / (1 - dropout)`` where a unit stays."""
        kept = torch.rand(count, self.hidden.out_features, generator=generator) >= self.dropout
        return kept.float() / (1.0 - self.dropout)

    def forward(self, features: Tensor, masks: Tensor | None = None) -> Tensor:
        """Return logits ``(n, classes)``; without ``masks`` nothing is dropped."""
        activations = self.activations(features)
        if masks is not None:
            activations = activations * masks
        logits: Tensor = self.out(activations)
        return logits

    def passes(self, features: Tensor, masks: Tensor) -> Tensor:
        """Return logits of every pass, ``(passes, n, classes)``, one mask per pass.

        Masking a unit and masking its outgoing weights are the same, so all passes are one
        matrix product.
        """
        weights = (masks[:, None, :] * self.out.weight).flatten(0, 1)
        stacked = self.activations(features) @ weights.T
        logits = stacked.view(len(features), len(masks), -1) + self.out.bias
        return logits.transpose(0, 1)


class Classifier(nn.Module):
    """One ensemble member: an encoder and a dropout head."""

    def __init__(self, trunk: ImageEncoder, hidden: int, classes: int, dropout: float) -> None:
        """Put a head with ``hidden`` units on ``trunk``."""
        super().__init__()
        self.trunk = trunk
        self.head = DropoutHead(trunk.features, hidden, classes, dropout)

    def forward(self, images: Tensor, masks: Tensor | None = None) -> Tensor:
        """Return logits ``(n, classes)`` for images in ``[0, 1]``."""
        logits: Tensor = self.head(self.trunk(images), masks)
        return logits
