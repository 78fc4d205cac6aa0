"""The trainers by name."""

from __future__ import annotations

from activesynth.domain.registry import Row

TRAINERS = {
    "cnn": Row("activesynth.models.cnn:CnnTrainer", "activesynth.models.parameters:CnnParameters"),
    "vit": Row("activesynth.models.vit:VitTrainer", "activesynth.models.parameters:VitParameters"),
}
