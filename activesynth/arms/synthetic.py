"""Arms that add synthetic rows: untargeted, or aimed at the weaknesses."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import ArmContext, ArmRows
from activesynth.domain.samples import SampleSet, concatenate
from activesynth.targeting.weighting import class_balanced


class RandomArm:
    """Class-balanced synthetic rows made without looking at the model: the blind control."""

    name = "random"

    def build(self, context: ArmContext) -> ArmRows:
        """Return the real rows and this arm's own branch of untargeted rows."""
        return mix(context, context.untargeted)


class TargetedArm:
    """Synthetic rows made where the model is weak, drawn more often where it still struggles."""

    name = "targeted"

    def build(self, context: ArmContext) -> ArmRows:
        """Return the real rows and the targeted branch, under the adaptive sampler's factors."""
        return mix(context, context.targeted, context.struggle)


def mix(context: ArmContext, synthetic: SampleSet | None, factor: Array | None = None) -> ArmRows:
    """Join class-balanced real rows, which weigh 1 on average, with weighted synthetic ones.

    However large the synthetic branch has grown, at least ``real_share`` of the draws stay real,
    and what damping takes from synthetic rows goes to the real ones, also at the cap.
    """
    real = context.real
    weight = class_balanced(real.y, context.classes)
    if factor is not None:
        weight = weight * factor[: len(real)]
        weight = weight * len(real) / weight.sum()
    if synthetic is None or not len(synthetic):
        return ArmRows(real, weight, np.zeros(len(real), dtype=bool))
    extra = synthetic.columns["weight"]
    if factor is not None:
        extra = extra * factor[len(real) :]
    allowed = weight.sum() * (1.0 - context.real_share) / context.real_share
    damping = synthetic.columns.get("damping", np.ones(len(synthetic)))
    extra = extra * min(1.0, allowed / (extra / damping).sum())
    rows = concatenate([real, synthetic])
    return ArmRows(rows, np.concatenate([weight, extra]), np.arange(len(rows)) >= len(real))
