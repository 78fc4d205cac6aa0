"""Part ``checkpoint``: UNets over pixels and diffusion transformers, asked by class."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ConfigurationError
from activesynth.generation.checkpoints.denoiser import (
    Denoiser,
    LatentDit,
    PixelUnet,
    Placement,
    load,
)
from activesynth.generation.checkpoints.folder import Folder
from activesynth.generation.checkpoints.parameters import CheckpointParameters
from activesynth.generation.checkpoints.part import DiffusersGenerator


class CheckpointGenerator(DiffusersGenerator[CheckpointParameters]):
    """A DDPM, DDIM or DiT checkpoint as it is; cluster and level are not looked at.

    Confidence: see :meth:`DiffusersGenerator.confidence`.
    """

    part = "checkpoint"
    pipelines = ("DDPMPipeline", "DDIMPipeline", "DiTPipeline")

    def load(self, folder: Folder, placement: Placement) -> Denoiser:
        """Load the UNet, or transformer and VAE."""
        if folder.pipeline == "DiTPipeline":
            from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
            from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel

            transformer = load(DiTTransformer2DModel, folder.root / "transformer", placement)
            vae = load(AutoencoderKL, folder.root / "vae", placement)
            return LatentDit(transformer, vae, placement)
        from diffusers.models.unets.unet_2d import UNet2DModel

        unet = load(UNet2DModel, folder.root / "unet", placement)
        return PixelUnet(unet, placement, self.parameters.null_class)

    def check_classes(self, denoiser: Denoiser, classes: int) -> None:
        """Refuse a checkpoint that lacks a class for a label, or "any class" for guidance.

        Raises:
            ConfigurationError: Saying which parameter has to change.
        """
        known, own = denoiser.classes, self.parameters
        if known == 0:
            if not own.unconditional:
                raise _refusal(
                    "the checkpoint knows no classes, so its samples would carry labels that "
                    "nothing made them follow; set `unconditional: true` to accept that and leave "
                    "it to the label screen, or use a class-conditional checkpoint.",
                    "unconditional",
                )
            return
        indices = self._indices(classes)
        if len(indices) != classes or max(indices) >= known:
            raise _refusal(
                f"`class_indices` has {len(indices)} entries up to {max(indices)}; the campaign "
                f"has {classes} labels and the checkpoint classes 0 to {known - 1}. Give one "
                "class for each label, in the order of the labels.",
                "class_indices",
            )
        null = own.null_class
        if null is not None and denoiser.knows_any:
            raise _refusal("the checkpoint brings its own; leave `null_class` out.", "null_class")
        if null is not None and null >= known:
            raise _refusal(f"`null_class` is {null}; the last class is {known - 1}.", "null_class")
        if own.guidance != 1.0 and denoiser.free is None:
            raise _refusal(
                f'`guidance` is {own.guidance}, but there is no class for "any" to guide away '
                "from; set it to 1, or set `null_class`.",
                "guidance",
            )

    def tokens(self, denoiser: Denoiser, labels: Array, clusters: Array, levels: Array) -> Array:
        """Return the checkpoint's class for each label, ``(n, 1)``."""
        if denoiser.classes == 0:
            return np.zeros((len(labels), 1), np.int64)
        indices = np.array(self._indices(int(labels.max(initial=0)) + 1), np.int64)
        found = indices[np.maximum(labels, 0)][:, None]
        return (
            found if denoiser.free is None else np.where(labels[:, None] < 0, denoiser.free, found)
        )

    def _indices(self, classes: int) -> tuple[int, ...]:
        given = self.parameters.class_indices
        return tuple(range(classes)) if given is None else given


def _refusal(message: str, name: str) -> ConfigurationError:
    return ConfigurationError(message, reason="bad_value", field=f"generator.parameters.{name}")
