"""The corruptions a campaign can name under ``diagnosis.corruptions``."""

from __future__ import annotations

from collections.abc import Mapping

from activesynth.domain.registry import Row

CORRUPTIONS: Mapping[str, Row] = {
    "blur": Row("activesynth.perturbations.image:Blur"),
    "noise": Row("activesynth.perturbations.image:Noise"),
    "rotation": Row("activesynth.perturbations.image:Rotation"),
    "occlusion": Row("activesynth.perturbations.image:Occlusion"),
    "shadow": Row("activesynth.perturbations.image:Shadow"),
    "contrast": Row("activesynth.perturbations.image:Contrast"),
    "shot": Row("activesynth.perturbations.image:Shot"),
    "impulse": Row("activesynth.perturbations.image:Impulse"),
    "motion_blur": Row("activesynth.perturbations.image:MotionBlur"),
    "zoom_blur": Row("activesynth.perturbations.image:ZoomBlur"),
    "fog": Row("activesynth.perturbations.image:Fog"),
    "brightness": Row("activesynth.perturbations.image:Brightness"),
    "elastic": Row("activesynth.perturbations.image:Elastic"),
    "pixelate": Row("activesynth.perturbations.image:Pixelate"),
    "jpeg": Row("activesynth.perturbations.image:Jpeg"),
}
