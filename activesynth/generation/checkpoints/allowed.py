"""Which pipelines are loaded, and which classes each of their components may be."""

from __future__ import annotations

from collections.abc import Mapping

SCHEDULERS = (
    "DDPMScheduler",
    "DDIMScheduler",
    "PNDMScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "DEISMultistepScheduler",
    "UniPCMultistepScheduler",
    "LMSDiscreteScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
)
"""All describe the same process, a discrete variance-preserving one; only the numbers are read."""

_PIXELS = {"unet": ("UNet2DModel",), "scheduler": SCHEDULERS}

PIPELINES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "DDPMPipeline": _PIXELS,
    "DDIMPipeline": _PIXELS,
    "DiTPipeline": {
        # Published checkpoints say Transformer2DModel; it is the same network.
        "transformer": ("DiTTransformer2DModel", "Transformer2DModel"),
        "vae": ("AutoencoderKL",),
        "scheduler": SCHEDULERS,
    },
    "StableDiffusionPipeline": {
        "unet": ("UNet2DConditionModel",),
        "vae": ("AutoencoderKL",),
        "text_encoder": ("CLIPTextModel",),
        "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
        "scheduler": SCHEDULERS,
    },
}
"""Class of the pipeline to its components; a safety checker beside them is not loaded."""

NETWORKS = {
    "unet": "diffusion_pytorch_model",
    "transformer": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
}
"""The components with weights, and how the name of their weight files begins."""
