"""The generators this room offers, by the name a campaign uses."""

from __future__ import annotations

from activesynth.domain.registry import Row

GENERATORS = {
    "diffusion": Row(
        "activesynth.generation.diffusion:DiffusionGenerator",
        "activesynth.generation.parameters:DiffusionParameters",
    ),
    "vae": Row(
        "activesynth.generation.vae:VaeGenerator",
        "activesynth.generation.parameters:VaeParameters",
    ),
    "gan": Row(
        "activesynth.generation.gan:GanGenerator",
        "activesynth.generation.parameters:GanParameters",
    ),
    "checkpoint": Row(
        "activesynth.generation.checkpoints.checkpoint:CheckpointGenerator",
        "activesynth.generation.checkpoints.parameters:CheckpointParameters",
    ),
    "stable-diffusion": Row(
        "activesynth.generation.checkpoints.stable_diffusion:StableDiffusionGenerator",
        "activesynth.generation.checkpoints.parameters:StableDiffusionParameters",
    ),
    "corruption": Row("activesynth.generation.corruption:CorruptionGenerator"),
}
