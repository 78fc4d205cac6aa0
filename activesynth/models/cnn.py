"""The trainer of small convolutional networks."""

from __future__ import annotations

from dataclasses import dataclass

from activesynth.domain.canonical import Array
from activesynth.models.architecture import Architecture, image_size
from activesynth.models.parameters import CnnParameters
from activesynth.models.trainer import ImageTrainer
from activesynth.nn.blocks import ConvolutionalEncoder


@dataclass(frozen=True, slots=True)
class CnnArchitecture(Architecture[CnnParameters]):
    """A convolutional encoder; ``base_width`` are the channels of its first layer."""

    base_width: int

    @classmethod
    def for_images(cls, x: Array, parameters: CnnParameters, classes: int) -> CnnArchitecture:
        """Describe networks for images ``(n, height, width, channels)``."""
        p = parameters
        return cls(*image_size(x), p.hidden, classes, p.dropout, p.width)

    def make_encoder(self) -> ConvolutionalEncoder:
        """Return an encoder on the current default device."""
        return ConvolutionalEncoder(self.channels, (self.height, self.width), self.base_width)


class CnnTrainer(ImageTrainer[CnnParameters]):
    """Fits small CNNs in seconds."""

    architecture = CnnArchitecture
