"""A synthetic set made once and never looked at again: what closing the loop is compared with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from activesynth.arms.synthetic import mix
from activesynth.domain.exchange import ArmContext, ArmRows
from activesynth.domain.samples import SampleSet


class StaticArm:
    """The untargeted rows of the first iteration, kept for good (as DatasetGAN builds its set).

    No diagnosis ever decides about a row, and no later generator adds one. So that the arm draws
    on as many synthetic rows as the targeted one, they are repeated in turn, which the sampler
    cannot tell from drawing each of them more often; how many differ is among the facts.

    References:
        Zhang et al. 2021, arXiv:2104.06490.
    """

    name = "static"

    def build(self, context: ArmContext) -> ArmRows:
        """Return the real rows and the kept ones, repeated to the size of the targeted branch."""
        count = 0 if context.targeted is None else len(context.targeted)
        if context.own is None or not len(context.own) or not count:
            return mix(context, None)
        rows = mix(context, repeated(context.own, count))
        return replace(rows, facts={"static": {"distinct": min(count, len(context.own))}})


def repeated(rows: SampleSet, count: int) -> SampleSet:
    """Return ``count`` rows: all in turn, over and over; a repetition's id says which."""
    turns = np.arange(count) // len(rows)
    taken = rows.take(np.arange(count) % len(rows))
    ids = [f"{one}#{n}" if n else one for one, n in zip(taken.ids.tolist(), turns, strict=True)]
    return SampleSet(np.array(ids), taken.x, taken.y, taken.groups, taken.columns)
