"""Parameters of the trainers; importing this loads no framework."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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


class CnnParameters(BaseModel):
    """How the image ensemble is built and trained.

    ``width`` sets the channels of the first layer (features are four times that), ``hidden`` the
    units of the head, ``dropout`` acts in the head only. ``steps`` count batches per member;
    weights are averaged from the share ``swa_start`` of them on. ``beta`` weighs the KL term
    towards the previous model. ``temperature`` is tau of the contrastive loss. ``device`` is
    where to compute, "auto" as ``ACTIVESYNTH_DEVICE`` says; CUDA computes in bfloat16.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: Annotated[int, Field(ge=4, le=256)] = 24
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
