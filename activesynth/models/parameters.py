"""Parameters of the trainers; importing this loads no framework."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class AugmentParameters(BaseModel):
    """Random changes that keep the label; largest values, both ways, drawn per image.

    ``shift`` and ``erase`` are shares of the side, ``rotation`` is in degrees, ``scale`` and
    ``contrast`` are relative, ``noise`` is a standard deviation in units of the full range.
    ``flip`` mirrors half of the images: right for photographs, wrong for digits and letters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shift: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 10.0
    scale: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    contrast: Share = 0.1
    noise: Share = 0.0
    erase: Share = 0.0
    flip: bool = False


class EnsembleParameters(BaseModel):
    """How an image ensemble is trained, whatever its encoder.

    ``hidden`` are the units of the head, ``dropout`` acts in the head only. ``steps`` count
    batches per member; weights are averaged from the share ``swa_start`` of them on. ``beta``
    weighs the KL term towards the previous model. ``temperature`` is tau of the contrastive loss.
    ``device`` is where to compute, "auto" as ``ACTIVESYNTH_DEVICE`` says; CUDA computes in
    bfloat16.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: Annotated[int, Field(ge=4, le=2048)] = 128
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5
    members: Annotated[int, Field(ge=2, le=50)] = 5
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 64
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 3e-3
    beta: Annotated[float, Field(ge=0.0)] = 0.1
    swa_start: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.6
    temperature: Annotated[float, Field(gt=0.0, le=10.0)] = 0.2
    pretrain_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 250
    pretrain_batch_size: Annotated[int, Field(ge=2, le=65_536)] = 128
    augment: AugmentParameters = AugmentParameters()
    pretrain_augment: AugmentParameters = AugmentParameters(
        shift=0.15, rotation=15.0, scale=0.2, contrast=0.3, noise=0.1, erase=0.3
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"


class CnnParameters(EnsembleParameters):
    """A small convolutional network.

    ``width`` sets the channels of the first layer; features are four times that.
    """

    width: Annotated[int, Field(ge=4, le=256)] = 24


class VitParameters(EnsembleParameters):
    """A Vision Transformer, small enough for a CPU unless told otherwise.

    Images are cut into squares of ``patch`` pixels, which must divide both sides. Each becomes a
    token of ``width`` numbers (so many features come out) and passes ``depth`` blocks of
    ``heads`` attention heads and an MLP ``mlp_ratio`` times as wide. ``pooling`` is the mean of
    the patches or a class token; ``positions`` are learnt or fixed sines and cosines.
    """

    patch: Annotated[int, Field(ge=1, le=64)] = 4
    width: Annotated[int, Field(ge=8, le=4096)] = 64
    depth: Annotated[int, Field(ge=1, le=64)] = 4
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    mlp_ratio: Annotated[float, Field(ge=0.5, le=16.0)] = 2.0
    pooling: Literal["mean", "token"] = "mean"
    positions: Literal["learnt", "sincos"] = "sincos"
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-3

    @model_validator(mode="after")
    def _width_can_be_shared(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads, {self.heads}")
        if self.positions == "sincos" and self.width % 4:
            raise ValueError(
                f"width {self.width} must be a multiple of 4 for positions sincos; or use learnt"
            )
        return self
