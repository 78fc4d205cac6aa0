"""Arms that add synthetic rows: untargeted, or aimed at the weaknesses."""

from __future__ import annotations

import numpy as np

from activesynth.domain.ports import ArmContext, ArmRows
from activesynth.domain.samples import SampleSet, concatenate
from activesynth.targeting.weighting import class_balanced


class RandomArm:
    """Class-balanced synthetic rows made without looking at the model: the blind control."""

    name = "random"

    def build(self, context: ArmContext) -> ArmRows:
        """Return the real rows and this arm's own branch of untargeted rows."""
        return mix(context, context.untargeted)


class TargetedArm:
    """Synthetic rows made where the model is weak."""

    name = "targeted"

    def build(self, context: ArmContext) -> ArmRows:
        """Return the real rows and the targeted branch."""
        return mix(context, context.targeted)


def mix(context: ArmContext, synthetic: SampleSet | None) -> ArmRows:
    """Join class-balanced real rows with synthetic ones, the batch's real share kept.

    The synthetic share is that of the rows themselves, at most ``1 - real_share``: a few
    synthetic rows must not fill half of every batch.
    """
    real = context.real
    weight = class_balanced(real.y, context.classes)
    weight = weight / weight.sum()
    if synthetic is None or not len(synthetic):
        return ArmRows(real, weight * len(real), np.zeros(len(real), dtype=bool))
    share = synthetic_share(len(real), len(synthetic), context.real_share)
    extra = synthetic.columns["weight"] / synthetic.columns["weight"].sum()
    rows = concatenate([real, synthetic])
    weights = np.concatenate([weight * (1.0 - share), extra * share]) * len(rows)
    return ArmRows(rows, weights, np.arange(len(rows)) >= len(real))


def synthetic_share(real: int, synthetic: int, real_share: float) -> float:
    """Return the share of draws that are synthetic, in ``[0, 1 - real_share]``."""
    return min(1.0 - real_share, synthetic / (real + synthetic))
