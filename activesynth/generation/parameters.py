"""What a campaign may set on a generator, with the defaults that were measured on digits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Device = Literal["auto", "cpu", "cuda"]
Width = Annotated[int, Field(ge=16, le=4096, multiple_of=16)]


class LearntParameters(BaseModel):
    """What all generators that learn in the PCA latent space share.

    As many principal components are used as explain the share ``variance``, at most
    ``components``; ``width`` and ``blocks`` are the
    size of the network; ``steps`` optimiser steps of ``batch`` rows each at ``learning_rate``
    (cosine decay to zero); ``ema`` is the decay of the averaged weights that are kept;
    ``label_drop`` is how often each condition is replaced by "free" in training, independently;
    ``device`` "auto" is what ``ACTIVESYNTH_DEVICE`` says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    components: Annotated[int, Field(ge=1, le=1024)] = 64
    variance: Annotated[float, Field(gt=0.0, le=1.0)] = 0.97
    width: Width = 64
    blocks: Annotated[int, Field(ge=1, le=16)] = 2
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 1500
    batch: Annotated[int, Field(ge=2, le=8192)] = 128
    learning_rate: Annotated[float, Field(gt=0.0, le=0.1)] = 1e-3
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.995
    label_drop: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    device: Device = "auto"


class DiffusionParameters(LearntParameters):
    """The latent diffusion generator.

    ``sampling_steps`` of the DPM-Solver++(2M); ``guidance`` is the classifier-free guidance
    scale, 1 meaning plain conditional sampling.
    """

    sampling_steps: Annotated[int, Field(ge=2, le=1000)] = 12
    guidance: Annotated[float, Field(ge=0.0, le=20.0)] = 1.5


class VaeParameters(LearntParameters):
    """The conditional variational autoencoder.

    ``code`` is the size of its latent code; ``beta`` weighs the KL term against the share of
    the variance that decoding misses. Far below the default the code carries the label itself,
    and sampling no longer follows the request; far above, samples of a class look alike.
    """

    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    code: Annotated[int, Field(ge=1, le=512)] = 8
    beta: Annotated[float, Field(ge=0.0, le=100.0)] = 0.02
