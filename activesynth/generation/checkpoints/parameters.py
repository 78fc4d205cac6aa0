"""What a campaign may set on a generator that is a diffusers checkpoint."""

from __future__ import annotations

import string
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from activesynth.generation.parameters import Device

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
HubId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=100)]

PLACEHOLDERS = frozenset({"class", "cluster", "level"})


class DiffusersParameters(BaseModel):
    """What all diffusers checkpoints share.

    The checkpoint is a local folder ``path``, or ``hub`` (``owner/name``) at the commit
    ``revision``; a branch or a tag would let the weights change unseen. ``digest`` pins the
    content: the ``checkpoint`` of an earlier fit's facts.

    ``steps`` of the deterministic ``solver``, "dpm" (DPM-Solver++(2M)) or "ddim"; ``guidance`` is
    the classifier-free guidance scale, 1 meaning plain conditional sampling; ``dtype`` is that of
    the weights and of their forward pass; ``batch`` rows are computed at once, always (the last
    batch is filled up), so it is part of what makes two runs bit-equal; ``calibration_rows`` real
    rows say what a typical denoising error is; ``device`` "auto" is what ``ACTIVESYNTH_DEVICE``
    says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, Field(min_length=1)] | None = None
    hub: HubId | None = None
    revision: Commit | None = None
    digest: Sha256 | None = None
    steps: Annotated[int, Field(ge=2, le=1000)] = 20
    guidance: Annotated[float, Field(ge=0.0, le=30.0)] = 1.0
    solver: Literal["dpm", "ddim"] = "dpm"
    dtype: Literal["float32", "bfloat16"] = "float32"
    batch: Annotated[int, Field(ge=1, le=1024)] = 16
    calibration_rows: Annotated[int, Field(ge=2, le=100_000)] = 256
    device: Device = "auto"

    @model_validator(mode="after")
    def _one_place(self) -> DiffusersParameters:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give either `path`, a local folder, or `hub` with a `revision`")
        if self.hub is not None and self.revision is None:
            raise ValueError(
                "a `hub` id needs `revision`, the 40 hexadecimal digits of a commit: branches move"
            )
        if self.path is not None and self.revision is not None:
            raise ValueError("`revision` belongs to `hub`; pin a local folder with `digest`")
        return self


class CheckpointParameters(DiffusersParameters):
    """A UNet over pixels, or a DiT over VAE latents.

    ``class_indices`` holds the checkpoint's class for each label of the campaign, in the order of
    the labels; without it label k is class k. ``null_class`` is the index that the checkpoint was
    trained to take as "any class", which guidance needs; a DiT brings its own.
    ``unconditional`` accepts a checkpoint without classes: it makes what it likes under the label
    asked for, and only the label screen stands between that and the training set.
    """

    class_indices: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    null_class: Annotated[int, Field(ge=0)] | None = None
    unconditional: bool = False


class StableDiffusionParameters(DiffusersParameters):
    """A text-to-image checkpoint of the Stable Diffusion 1 and 2 family, adapted by LoRA or not.

    ``class_names`` holds a name for each label of the campaign, in the order of the labels.
    ``prompt`` is filled with ``{class}``, ``{cluster}`` and ``{level}`` (low, middle, high); what
    stands between two commas is left out where its value is free.

    With ``lora_steps`` above 0 the fit trains adapters of ``lora_rank`` on the real rows, with
    batches of ``lora_batch`` and Adam at ``lora_learning_rate``; each condition is left out of the
    prompt with the probability ``condition_drop``, independently. ``lora_processes`` share each
    batch, on a GPU each (or all on the CPU); what comes out is one process's but for rounding.
    """

    class_names: Annotated[tuple[Name, ...], Field(min_length=1)]
    prompt: Annotated[str, Field(max_length=300)] = ""
    guidance: Annotated[float, Field(ge=0.0, le=30.0)] = 5.0
    lora_steps: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    lora_rank: Annotated[int, Field(ge=1, le=256)] = 8
    lora_batch: Annotated[int, Field(ge=1, le=1024)] = 4
    lora_learning_rate: Annotated[float, Field(gt=0.0, le=0.1)] = 1e-4
    lora_processes: Annotated[int, Field(ge=1, le=64)] = 1
    condition_drop: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1

    @model_validator(mode="after")
    def _known_placeholders(self) -> StableDiffusionParameters:
        try:
            parts = list(string.Formatter().parse(self.template))
        except ValueError as error:
            raise ValueError(f"`prompt` is no template: {error}") from None
        names = {name for _, name, _, _ in parts if name is not None}
        if not names <= PLACEHOLDERS or any(spec or kind for _, _, spec, kind in parts):
            raise ValueError("`prompt` knows {class}, {cluster} and {level}, without formats")
        if "class" not in names:
            raise ValueError("`prompt` needs {class}: every sample is made for a label")
        return self

    @model_validator(mode="after")
    def _equal_shares(self) -> StableDiffusionParameters:
        if self.lora_batch % self.lora_processes:
            raise ValueError(
                f"`lora_batch` {self.lora_batch} must be a multiple of `lora_processes` "
                f"{self.lora_processes}: each takes an equal share of a batch"
            )
        return self

    @property
    def template(self) -> str:
        """Return the prompt, by default with all that was trained on and nothing that was not."""
        if self.prompt:
            return self.prompt
        base = "a photo of {class}"
        return f"{base}, cluster {{cluster}}, uncertainty {{level}}" if self.lora_steps else base
