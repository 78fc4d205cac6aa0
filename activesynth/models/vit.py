"""The trainer of small Vision Transformers."""

from __future__ import annotations

from dataclasses import dataclass

from activesynth.domain.canonical import Array
from activesynth.errors import InputError
from activesynth.models.architecture import Architecture, image_size
from activesynth.models.parameters import VitParameters
from activesynth.models.trainer import ImageTrainer
from activesynth.nn.transformer import Pooling, Positions, TransformerEncoder


@dataclass(frozen=True, slots=True)
class VitArchitecture(Architecture[VitParameters]):
    """A transformer encoder; see :class:`TransformerEncoder` for its sizes."""

    patch: int
    token_width: int
    depth: int
    heads: int
    mlp_ratio: float
    pooling: Pooling
    positions: Positions

    @classmethod
    def for_images(cls, x: Array, parameters: VitParameters, classes: int) -> VitArchitecture:
        """Describe networks for images ``(n, height, width, channels)``.

        Raises:
            InputError: If the patch does not divide both sides; reason ``patch_size``.
        """
        height, width, channels = image_size(x)
        p = parameters
        if height % p.patch or width % p.patch:
            fitting = [n for n in range(1, 65) if height % n == 0 and width % n == 0]
            raise InputError(
                f"`trainer.parameters.patch` is {p.patch}, which does not divide images of "
                f"{height} x {width} pixels; use one of {fitting}, or resize the images.",
                reason="patch_size",
                field="trainer.parameters.patch",
            )
        return cls(
            height,
            width,
            channels,
            p.hidden,
            classes,
            p.dropout,
            patch=p.patch,
            token_width=p.width,
            depth=p.depth,
            heads=p.heads,
            mlp_ratio=p.mlp_ratio,
            pooling=p.pooling,
            positions=p.positions,
        )

    def make_encoder(self) -> TransformerEncoder:
        """Return an encoder on the current default device."""
        return TransformerEncoder(
            self.channels,
            (self.height, self.width),
            patch=self.patch,
            width=self.token_width,
            depth=self.depth,
            heads=self.heads,
            mlp_ratio=self.mlp_ratio,
            pooling=self.pooling,
            positions=self.positions,
        )


class VitTrainer(ImageTrainer[VitParameters]):
    """Fits Vision Transformers: at toy size on a CPU, at any size on a GPU."""

    architecture = VitArchitecture
