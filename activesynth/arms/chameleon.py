"""Candidates that pass for real and balance classes and groups, without a look at the model."""

from __future__ import annotations

from dataclasses import replace

from activesynth.arms.static import repeated
from activesynth.arms.synthetic import mix
from activesynth.domain.exchange import ArmContext, ArmRows


class ChameleonArm:
    """Untargeted candidates under rejection sampling, guided towards the smallest groups.

    Which rows those are is decided when an iteration is integrated, from all candidates; they add
    up in a branch of the arm's own. An arm that joins a running campaign has fewer rows than
    the others, which are then drawn in turn; how many differ is among the facts.

    References:
        Erfanian et al. 2024, arXiv:2402.01071.
    """

    name = "chameleon"

    def build(self, context: ArmContext) -> ArmRows:
        """Return the real rows and the arm's own branch, as large as the targeted one."""
        count = 0 if context.targeted is None else len(context.targeted)
        if context.own is None or not len(context.own) or not count:
            return mix(context, None)
        rows = mix(context, repeated(context.own, count))
        return replace(rows, facts={"chameleon": {"distinct": min(count, len(context.own))}})
