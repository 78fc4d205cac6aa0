"""The shape of the networks, as it is written beside their weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, Self, TypeVar

import torch

from activesynth.domain.canonical import Array, Tensors
from activesynth.errors import CorruptArtifactError, ShapeError
from activesynth.models.parameters import EnsembleParameters
from activesynth.nn.blocks import Classifier, ImageEncoder
from activesynth.nn.tensors import build, load_arrays

P = TypeVar("P", bound=EnsembleParameters)


def image_size(x: Array) -> tuple[int, int, int]:
    """Return height, width and channels of images ``(n, height, width, channels)``."""
    height, width, channels = map(int, x.shape[1:])
    return height, width, channels


@dataclass(frozen=True, slots=True)
class Architecture(ABC, Generic[P]):
    """What rebuilding the networks needs; a subclass adds the sizes of its kind of encoder."""

    height: int
    width: int
    channels: int
    hidden: int
    classes: int
    dropout: float

    @classmethod
    @abstractmethod
    def for_images(cls, x: Array, parameters: P, classes: int) -> Self:
        """Describe networks for images ``(n, height, width, channels)``.

        Raises:
            InputError: If the encoder does not take images of this size.
        """

    @abstractmethod
    def make_encoder(self) -> ImageEncoder:
        """Return an encoder on the current default device."""

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """Read what :meth:`facts` wrote.

        Raises:
            CorruptArtifactError: If the description is missing or incomplete.
        """
        try:
            return cls(**facts["architecture"])
        except (KeyError, TypeError) as error:
            raise CorruptArtifactError(
                f"the state does not describe an image ensemble: {error}; was it fitted by "
                "another trainer?"
            ) from error

    def check(self, x: Array) -> None:
        """Refuse images of another size than the networks were built for.

        Raises:
            ShapeError: With both sizes.
        """
        size = (self.height, self.width, self.channels)
        if x.shape[1:] != size:
            raise ShapeError(
                f"the model was trained on images (height, width, channels) {size}, got "
                f"{x.shape[1:]}; resize them the same way."
            )

    def facts(self) -> dict[str, Any]:
        """Return the description as JSON values."""
        return asdict(self)

    def make_member(self) -> Classifier:
        """Return a classifier on the current default device."""
        return Classifier(self.make_encoder(), self.hidden, self.classes, self.dropout)

    def load_encoder(self, tensors: Tensors, prefix: str, device: torch.device) -> ImageEncoder:
        """Rebuild the encoder whose weights are named ``prefix...``, in evaluation mode."""
        encoder = build(self.make_encoder, device, torch.Generator())
        load_arrays(encoder, tensors, prefix)
        return encoder.eval()

    def load_member(self, tensors: Tensors, prefix: str, device: torch.device) -> Classifier:
        """Rebuild the classifier whose weights are named ``prefix...``, in evaluation mode."""
        member = build(self.make_member, device, torch.Generator())
        load_arrays(member, tensors, prefix)
        return member.eval()
