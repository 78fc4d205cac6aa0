"""What a campaign may set on a generator, with the defaults that were measured on digits."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Device = Literal["auto", "cpu", "cuda"]
Width = Annotated[int, Field(ge=16, le=4096, multiple_of=16)]


class LearntParameters(BaseModel):
    """What all generators that learn in the PCA latent space share.

    As many principal components are used as explain the share ``variance``, at most
    ``components``; ``width`` and ``blocks`` are the
    size of the network; ``steps`` optimiser steps of ``batch`` rows each at ``learning_rate``
    (cosine decay to zero); ``ema`` is the decay of the averaged weights that are kept;
    ``label_drop`` is how often each condition is replaced by "free" in training, independently;
    ``device`` "auto" is what ``ACTIVESYNTH_DEVICE`` says. With ``reconstruction`` the fit also
    measures how far samples of a row's cluster are from the row (``facts["reconstruction"]``).
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
    reconstruction: bool = False

    added_later: ClassVar[frozenset[str]] = frozenset({"reconstruction"})

    def recorded(self) -> dict[str, Any]:
        """Return the parameters as a fitted state names them.

        Those ``added_later`` appear only where they differ from their default: states fitted
        before there were any keep their address.
        """
        return {
            name: value
            for name, value in self.model_dump(mode="json").items()
            if name not in self.added_later or value != type(self).model_fields[name].default
        }

    def fitted_with(self, recorded: dict[str, Any], names: tuple[str, ...]) -> Self:
        """Return these parameters with those called ``names`` as a state was fitted with them."""
        defaults = {name: type(self).model_fields[name].default for name in names}
        return self.model_copy(
            update={name: recorded.get(name, default) for name, default in defaults.items()}
        )


class DiffusionParameters(LearntParameters):
    """The latent diffusion generator.

    ``sampling_steps`` of the DPM-Solver++(2M); ``guidance`` is the classifier-free guidance
    scale, 1 meaning plain conditional sampling. ``weak_share`` keeps the weights as they were after
    that share of the training as well, and ``autoguidance`` leads away from what they would have
    made, 1 meaning not at all. It works best beside ``guidance`` 1.
    """

    sampling_steps: Annotated[int, Field(ge=2, le=1000)] = 12
    guidance: Annotated[float, Field(ge=0.0, le=20.0)] = 1.5
    weak_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    autoguidance: Annotated[float, Field(ge=0.0, le=20.0)] = 1.0

    added_later: ClassVar[frozenset[str]] = LearntParameters.added_later | {
        "weak_share",
        "autoguidance",
    }

    @model_validator(mode="after")
    def _has_something_to_lead_away_from(self) -> Self:
        if self.autoguidance != 1.0 and self.weak_share == 0.0:
            raise ValueError(
                f"autoguidance {self.autoguidance} needs the weights of an early moment; set "
                "weak_share, such as 0.2"
            )
        return self


class VaeParameters(LearntParameters):
    """The conditional variational autoencoder.

    ``code`` is the size of its latent code; ``beta`` weighs the KL term against the share of
    the variance that decoding misses. Far below the default the code carries the label itself,
    and sampling no longer follows the request; far above, samples of a class look alike.
    """

    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    code: Annotated[int, Field(ge=1, le=512)] = 8
    beta: Annotated[float, Field(ge=0.0, le=100.0)] = 0.02


class GanParameters(LearntParameters):
    """The conditional GAN.

    ``code`` is the size of the noise that it makes samples of; ``penalty`` weighs the squared
    slope of the critic at real rows: far below the default training runs in circles, far above the
    critic says nothing. ``rebuild`` weighs making real rows again against pleasing the critic.
    """

    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    learning_rate: Annotated[float, Field(gt=0.0, le=0.1)] = 3e-3
    code: Annotated[int, Field(ge=1, le=512)] = 16
    penalty: Annotated[float, Field(ge=0.0, le=1000.0)] = 0.05
    rebuild: Annotated[float, Field(ge=0.0, le=1000.0)] = 1.0
