"""Arms without a generator: the controls that any synthesis has to beat."""

from __future__ import annotations

import numpy as np

from activesynth.arms.synthetic import TargetedArm
from activesynth.domain.exchange import ArmContext, ArmRows
from activesynth.targeting.weighting import class_balanced, reweight_to_marginals


class RealArm:
    """Real rows, class-weighted and augmented: what a careful practitioner does first."""

    name = "real"

    def build(self, context: ArmContext) -> ArmRows:
        """Return the real rows with class-balanced sampling weights."""
        weight = class_balanced(context.real.y, context.classes)
        return ArmRows(context.real, weight, np.zeros(len(weight), dtype=bool))


class ReweightedArm:
    """Real rows under the class and cluster marginals of the targeted arm, without a generator.

    What `targeted` gains over this arm is not re-weighting.
    """

    name = "reweighted"

    def build(self, context: ArmContext) -> ArmRows:
        """Return the real rows, weighted until their marginals are the targeted arm's."""
        targeted = TargetedArm().build(context)
        if context.targeted is None or context.targeted_clusters is None:
            return targeted
        clusters = np.concatenate([context.real_clusters, context.targeted_clusters])
        weight = reweight_to_marginals(
            context.real.y,
            context.real_clusters,
            targeted.samples.y,
            clusters,
            context.classes,
            target_weight=targeted.weight,
        )
        return ArmRows(context.real, weight, np.zeros(len(weight), dtype=bool))
