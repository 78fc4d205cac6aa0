"""A Stable Diffusion checkpoint: latents denoised under the words of a prompt."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from activesynth.domain.canonical import Array
from activesynth.errors import ConfigurationError
from activesynth.generation.checkpoints.denoiser import Denoiser, Latents, Placement, load, sides
from activesynth.generation.checkpoints.folder import Folder
from activesynth.generation.checkpoints.packages import require


class TextToImage(Denoiser):
    """A UNet2DConditionModel over latents, a CLIP text encoder and its tokenizer.

    A condition token row is the prompt's token ids, ``(length,)``; the free one is the empty
    prompt's.

    References:
        Rombach et al. 2022, arXiv:2112.10752.
    """

    def __init__(
        self,
        network: nn.Module,
        vae: nn.Module,
        encoder: nn.Module,
        tokenizer: Any,
        placement: Placement,
    ) -> None:
        """Read the shapes from the configurations.

        Raises:
            ConfigurationError: If the UNet wants more than a prompt.
        """
        super().__init__(network, placement)
        config: Any = network.config
        latents = Latents(vae, placement)
        wants = [n for n in ("class_embed_type", "addition_embed_type") if getattr(config, n, None)]
        if wants or config.in_channels != vae.config.latent_channels:  # type: ignore[union-attr]
            raise ConfigurationError(
                f"the UNet takes {config.in_channels} channels"
                + "".join(f" and a {name}" for name in wants)
                + "; this generator gives it latents and a prompt and nothing else.",
                reason="bad_checkpoint",
                field="generator.parameters",
            )
        self.latents, self.encoder, self.tokenizer = latents, encoder, tokenizer
        self.shape = (int(config.in_channels), *sides(config.sample_size))
        factor = latents.factor
        self.picture = (latents.channels, self.shape[1] * factor, self.shape[2] * factor)
        coder: Any = encoder
        self.length = int(coder.config.max_position_embeddings)
        self.free = self.tokens([""])[0]

    def tokens(self, words: list[str]) -> Array:
        """Return token ids ``(n, length)`` int64, cut and filled up to the encoder's length."""
        if not words:
            return np.zeros((0, self.length), np.int64)
        distinct, places = np.unique(np.array(words), return_inverse=True)
        ids = self.tokenizer(
            distinct.tolist(), padding="max_length", max_length=self.length, truncation=True
        )["input_ids"]
        return np.asarray(ids, np.int64)[places]

    def condition(self, tokens: Tensor) -> Tensor:
        """Return the text encoder's last hidden states, ``(n, length, width)``."""
        coder: Any = self.encoder
        states: Tensor = coder(input_ids=tokens).last_hidden_state
        return states

    def respond(self, noisy: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """Ask the UNet under the prompts."""
        answer: Tensor = self.network(noisy, times, encoder_hidden_states=condition).sample
        return answer

    def encode(self, pictures: Tensor) -> Tensor:
        """Return scaled latents."""
        return self.latents.encode(pictures)

    def decode(self, rows: Tensor) -> Tensor:
        """Return pictures of scaled latents."""
        return self.latents.decode(rows)


def load_text_to_image(folder: Folder, placement: Placement) -> TextToImage:
    """Load the four components from a local folder.

    Raises:
        ConfigurationError: If transformers is missing, or a component cannot be used.
    """
    require("transformers", "accelerate")
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel

    unet = load(UNet2DConditionModel, folder.root / "unet", placement)
    vae = load(AutoencoderKL, folder.root / "vae", placement)
    encoder = load(CLIPTextModel, folder.root / "text_encoder", placement)
    return TextToImage(unet, vae, encoder, _load_tokenizer(folder), placement)


def _load_tokenizer(folder: Folder) -> Any:
    from transformers import CLIPTokenizer

    try:
        return CLIPTokenizer.from_pretrained(
            str(folder.root / "tokenizer"), local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # the tokenizers library raises bare Exception for bad files
        raise ConfigurationError(
            f"{folder.root / 'tokenizer'} cannot be loaded: {error}; compare it with vocab.json "
            "and merges.txt of the original.",
            reason="bad_checkpoint",
            field="generator.parameters",
        ) from error
