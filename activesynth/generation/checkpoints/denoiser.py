"""A loaded checkpoint: what it denoises, and how that becomes a picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from activesynth.domain.canonical import Array
from activesynth.errors import ConfigurationError

Network = TypeVar("Network")

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where networks compute, and in which type."""

    device: torch.device
    dtype: torch.dtype


class Denoiser(ABC):
    """Networks that restore noisy rows under a condition, and map rows to pictures.

    Attributes:
        shape: Of one row that is denoised, channels first: pixels or a VAE's latents.
        picture: Channels, height and width of the picture it becomes.
        free: Condition token of "anything", ``(k,)`` int64, or None where there is none.
        classes: How many classes the networks know; 0 is none.
        knows_any: Whether the checkpoint itself brings the class of "anything".
    """

    shape: tuple[int, int, int]
    picture: tuple[int, int, int]
    free: Array | None = None
    classes: int = 0
    knows_any: ClassVar[bool] = False

    def __init__(self, network: nn.Module, placement: Placement) -> None:
        """Keep the network and where it lies."""
        self.network, self.placement = network, placement

    def condition(self, tokens: Tensor) -> Tensor:
        """Return what :meth:`predict` wants for tokens ``(n, k)``, once per block."""
        return tokens

    @abstractmethod
    def respond(self, noisy: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """Return the network's answer, its variance channels included."""

    def predict(self, noisy: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """Return noise, v or sample, ``(n, *shape)`` float32; a learnt variance is left out."""
        answer = self.respond(noisy.to(self.placement.dtype), times, condition)
        return answer[:, : self.shape[0]].float()

    def encode(self, pictures: Tensor) -> Tensor:
        """Return rows ``(n, *shape)`` float32 of pictures in [-1, 1]."""
        return pictures

    def decode(self, rows: Tensor) -> Tensor:
        """Return pictures ``(n, *picture)`` float32 of rows."""
        return rows


class PixelUnet(Denoiser):
    """A UNet2DModel over pixels, with classes or without."""

    def __init__(self, network: nn.Module, placement: Placement, null_class: int | None) -> None:
        """Read shape and classes from the network's configuration.

        Raises:
            ConfigurationError: If it is conditioned in a way that labels cannot fill.
        """
        super().__init__(network, placement)
        config: Any = network.config
        self.shape = self.picture = (int(config.in_channels), *sides(config.sample_size))
        if config.class_embed_type is not None:
            raise ConfigurationError(
                f"the UNet takes its classes as {config.class_embed_type!r}; this generator knows "
                "learnt classes (num_class_embeds) or none.",
                reason="bad_checkpoint",
                field="generator.parameters",
            )
        self.classes = int(config.num_class_embeds or 0)
        self.free = None if null_class is None else np.array([null_class], np.int64)
        check_channels(self.picture[0])

    def respond(self, noisy: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """Ask the UNet, with the class where it knows any."""
        labels = condition[:, 0] if self.classes else None
        answer: Tensor = self.network(noisy, times, class_labels=labels).sample
        return answer


class Latents:
    """A VAE around a denoiser of its scaled latents.

    References:
        Rombach et al. 2022, arXiv:2112.10752.
    """

    def __init__(self, vae: nn.Module, placement: Placement) -> None:
        """Read the scale of the latents from the VAE's configuration."""
        config: Any = vae.config
        self.vae, self.placement = vae, placement
        self.scale, self.channels = float(config.scaling_factor), int(config.in_channels)
        self.factor = 2 ** (len(config.block_out_channels) - 1)
        check_channels(self.channels)

    def encode(self, pictures: Tensor) -> Tensor:
        """Return the mode of the posterior, scaled, without chance."""
        coder: Any = self.vae
        found = coder.encode(pictures.to(self.placement.dtype)).latent_dist.mode()
        return torch.as_tensor(found).float() * self.scale

    def decode(self, rows: Tensor) -> Tensor:
        """Return the pictures of scaled latents."""
        coder: Any = self.vae
        decoded = coder.decode((rows / self.scale).to(self.placement.dtype)).sample
        return torch.as_tensor(decoded).float()


class LatentDit(Denoiser):
    """A diffusion transformer over latents, conditioned on a class.

    References:
        Peebles and Xie 2023, arXiv:2212.09748.
    """

    knows_any = True

    def __init__(self, network: nn.Module, vae: nn.Module, placement: Placement) -> None:
        """Read shape and classes from the configurations; the last embedding is "any class"."""
        super().__init__(network, placement)
        config: Any = network.config
        self.latents = Latents(vae, placement)
        self.shape = (int(config.in_channels), *sides(config.sample_size))
        factor = self.latents.factor
        self.picture = (self.latents.channels, self.shape[1] * factor, self.shape[2] * factor)
        self.classes = int(config.num_embeds_ada_norm)
        self.free = np.array([self.classes], np.int64)

    def respond(self, noisy: Tensor, times: Tensor, condition: Tensor) -> Tensor:
        """Ask the transformer under the classes."""
        answer: Tensor = self.network(noisy, timestep=times, class_labels=condition[:, 0]).sample
        return answer

    def encode(self, pictures: Tensor) -> Tensor:
        """Return scaled latents."""
        return self.latents.encode(pictures)

    def decode(self, rows: Tensor) -> Tensor:
        """Return pictures of scaled latents."""
        return self.latents.decode(rows)


def load(kind: Callable[..., Network], folder: Path, placement: Placement) -> Network:
    """Load one component from a local folder: safetensors only, no code of the folder's.

    Global random numbers are left alone: constructors draw weights before these are read.

    Raises:
        ConfigurationError: If weights and configuration do not belong together.
    """
    reader: Any = kind
    try:
        with torch.random.fork_rng(devices=[]):
            network = reader.from_pretrained(
                str(folder), use_safetensors=True, local_files_only=True, dtype=placement.dtype
            )
        # Weights that the file lacks stay without data, and cannot be placed anywhere.
        placed: Network = network.requires_grad_(False).eval().to(placement.device)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, NotImplementedError) as error:
        raise ConfigurationError(
            f"{folder} cannot be loaded: {error}; compare the configuration with the weights.",
            reason="bad_checkpoint",
            field="generator.parameters",
        ) from error
    return placed


def sides(size: Any) -> tuple[int, int]:
    """Return height and width of a ``sample_size`` that is a number or a pair.

    Raises:
        ConfigurationError: If it is neither.
    """
    pair = (size, size) if isinstance(size, int) else tuple(size or ())
    if len(pair) != 2:
        raise ConfigurationError(
            f"the network's sample_size is {size!r}; it must be one side or height and width.",
            reason="bad_checkpoint",
            field="generator.parameters",
        )
    return int(pair[0]), int(pair[1])


def check_channels(channels: int) -> None:
    """Refuse a checkpoint whose pictures are neither grey nor colour.

    Raises:
        ConfigurationError: If there are neither 1 nor 3 channels.
    """
    if channels not in (1, 3):
        raise ConfigurationError(
            f"the checkpoint's pictures have {channels} channels; this generator handles 1 and 3.",
            reason="bad_checkpoint",
            field="generator.parameters",
        )
