"""Which candidates are pushed towards the base model's uncertainty, and where they begin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import GenerationRequest, Guide
from activesynth.domain.ports import DifferentiablePredictor
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConfigurationError
from activesynth.steps.fit_generator import out_of_fold
from activesynth.steps.turn import Turn
from activesynth.targeting.requests import FREE, UNCERTAIN_LEVEL, Order
from activesynth.uncertainty.region import levels
from activesynth.uncertainty.scores import predictive_entropy


@dataclass(frozen=True, slots=True)
class Steering:
    """What `guidance` of the campaign asks for.

    Attributes:
        guide: Where samples are pushed, or None.
        strength: Share of the noise levels that anchors pass through, or None to begin at noise.
        real: The rows that anchors are picked from.
        uncertain: Which of them come first, ``(n,)`` bool; None without a strength.
    """

    real: SampleSet
    guide: Guide | None = None
    strength: float | None = None
    uncertain: Array | None = None

    @property
    def is_off(self) -> bool:
        """Tell whether nothing is asked for."""
        return self.guide is None and self.strength is None

    def rows(self, order: Order) -> Array:
        """Return which candidates it is for, ``(m,)`` bool.

        Those for no particular cluster: a class, or the uncertain region. A push away from a
        cluster that was asked for would undo what was asked for, and a corrupted real row is not
        invented.
        """
        if self.is_off:
            return np.zeros(len(order), bool)
        chosen: Array = (order.perturbations == "") & (order.clusters == FREE)
        return chosen

    def apply(self, request: GenerationRequest) -> GenerationRequest:
        """Return the request with guide, strength and anchors."""
        anchors = None
        if self.strength is not None:
            anchors = pick_anchors(self.real, request.labels, request.seeds, self.uncertain)
        return replace(request, guide=self.guide, strength=self.strength, anchors=anchors)


def steering_settings(turn: Turn) -> dict[str, Any]:
    """Return what the steering depends on; nothing where it is off, as before there was any."""
    settings = turn.config.guidance
    if settings.is_off:
        return {}
    return {"guidance": settings.model_dump(mode="json")}


def steer(turn: Turn, model: str, real: SampleSet) -> Steering:
    """Build the steering of the targeted candidates from the base model.

    Raises:
        ConfigurationError: If guidance is asked for and the model offers no gradients.
    """
    settings = turn.config.guidance
    guide = None
    if settings.by != "none" and settings.scale > 0.0:
        guide = Guide(_gradient(turn, model), settings.scale)
    if settings.strength is None:
        return Steering(real, guide)
    entropy = predictive_entropy(out_of_fold(turn, model, real)[None])
    return Steering(real, guide, settings.strength, levels(entropy) == UNCERTAIN_LEVEL)


def _gradient(turn: Turn, model: str) -> Any:
    predictor = turn.predictor(model)
    score = turn.config.guidance.by
    if not isinstance(predictor, DifferentiablePredictor):
        raise ConfigurationError(
            f"`guidance.by` is {score!r}, but the trainer {turn.config.trainer.name!r} offers no "
            "gradients (`score_and_gradient`); use `cnn` or `vit`, or set it to `none`.",
            reason="no_gradients",
            field="guidance.by",
        )

    def gradient(x: Array) -> Array:
        return predictor.score_and_gradient(x, score)[1]

    return gradient


def pick_anchors(
    real: SampleSet, labels: Array, seeds: Array, preferred: Array | None = None
) -> SampleSet:
    """Pick a real row for each wanted label, by the sample's own seed.

    From the ``preferred`` rows ``(n,)`` bool where one of them has the label. A class without real
    rows cannot be transformed; any real row then stands in and keeps its own label, which the
    label screen judges.
    """
    first = np.ones(len(real), bool) if preferred is None else preferred
    chosen = []
    for label, seed in zip(labels.tolist(), seeds.tolist(), strict=True):
        same = real.y == label
        found = (np.flatnonzero(rows) for rows in (same & first, same) if rows.any())
        candidates = next(found, np.arange(len(real)))
        chosen.append(int(candidates[seed % len(candidates)]))
    return real.take(chosen)
