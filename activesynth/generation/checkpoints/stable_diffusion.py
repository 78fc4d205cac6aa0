"""Part ``stable-diffusion``: text-to-image checkpoints asked by prompt, adapted by LoRA or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from activesynth.domain.canonical import Array, derive_seed
from activesynth.domain.exchange import GeneratorData, State
from activesynth.domain.ports import Progress, silent
from activesynth.errors import ConfigurationError
from activesynth.generation.checkpoints.denoiser import Denoiser, Placement
from activesynth.generation.checkpoints.engine import Engine
from activesynth.generation.checkpoints.folder import Folder
from activesynth.generation.checkpoints.lora import (
    adapter_arrays,
    add_adapters,
    load_adapters,
    train_adapters,
)
from activesynth.generation.checkpoints.parameters import StableDiffusionParameters
from activesynth.generation.checkpoints.part import DiffusersGenerator
from activesynth.generation.checkpoints.prompts import prompts
from activesynth.generation.checkpoints.text import TextToImage, load_text_to_image
from activesynth.generation.checkpoints.together import fit_together, is_launched
from activesynth.generation.conditions import FREE


class StableDiffusionGenerator(DiffusersGenerator[StableDiffusionParameters]):
    """A Stable Diffusion 1 or 2 checkpoint; its safety checker is not loaded.

    Prompts name class, cluster and uncertainty level as the template says. Without LoRA nothing is
    trained, and a cluster's number means nothing to the checkpoint.

    Confidence: see :meth:`DiffusersGenerator.confidence`.
    """

    part = "stable-diffusion"
    pipelines = ("StableDiffusionPipeline",)

    def fit(self, data: GeneratorData, *, seed: int, progress: Progress = silent) -> State:
        """Fit as every checkpoint is; adapters by several processes where the parameters say so.

        Raises:
            ConfigurationError: Also if there are fewer GPUs than processes.
            TransientError: If one of the processes died.
        """
        if self.parameters.lora_steps and self.parameters.lora_processes > 1 and not is_launched():
            return fit_together(self.parameters, data, seed=seed, progress=progress)
        return super().fit(data, seed=seed, progress=progress)

    def load(self, folder: Folder, placement: Placement) -> Denoiser:
        """Load UNet, VAE, text encoder and tokenizer."""
        return load_text_to_image(folder, placement)

    def check_classes(self, denoiser: Denoiser, classes: int) -> None:
        """Refuse names that are not one for each label.

        Raises:
            ConfigurationError: With both counts.
        """
        names = self.parameters.class_names
        if len(names) != classes:
            raise ConfigurationError(
                f"`class_names` has {len(names)} names for the campaign's {classes} labels; give "
                "one for each, in the order of the labels.",
                reason="bad_value",
                field="generator.parameters.class_names",
            )

    def tokens(self, denoiser: Denoiser, labels: Array, clusters: Array, levels: Array) -> Array:
        """Return the token ids of each row's prompt."""
        if not isinstance(denoiser, TextToImage):
            raise TypeError(f"a prompt needs a text encoder, got {type(denoiser).__name__}")
        own = self.parameters
        return denoiser.tokens(prompts(own.template, own.class_names, labels, clusters, levels))

    def adapt(
        self, engine: Engine, data: GeneratorData, *, seed: int, progress: Progress
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Train adapters on the real rows, each under its own class, cluster and level."""
        own = self.parameters
        if not own.lora_steps:
            return {}, {}
        add_adapters(engine.denoiser.network, own.lora_rank, seed=derive_seed(seed, "weights"))
        known = np.stack([data.samples.y, data.clusters, data.levels], axis=1).astype(np.int64)

        def batch(rows: Array, generator: torch.Generator) -> tuple[Array, Array]:
            kept = torch.rand((len(rows), 3), generator=generator).numpy() >= own.condition_drop
            asked = np.where(kept, known[rows], FREE)
            return data.samples.x[rows], self.tokens(engine.denoiser, *asked.T)

        history = train_adapters(
            engine,
            batch,
            np.asarray(data.weight, np.float64),
            own,
            seed=derive_seed(seed, "training"),
            progress=progress,
        )
        facts = {"rank": own.lora_rank, "loss": history, "prompt": own.template}
        return adapter_arrays(engine.denoiser.network), {"lora": facts}

    def restore(self, engine: Engine, state: State) -> None:
        """Put the state's adapters back, whatever the parameters say about training now."""
        lora = state.facts.get("lora")
        if lora is not None:
            add_adapters(engine.denoiser.network, int(lora["rank"]), seed=0)
            load_adapters(engine.denoiser.network, state.tensors)
