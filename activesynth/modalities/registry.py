"""The modalities by name."""

from __future__ import annotations

from activesynth.domain.registry import Row

MODALITIES = {"image": Row("activesynth.modalities.image:ImageModality")}
