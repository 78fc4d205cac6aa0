"""The realism of an iteration's synthetic rows, where a campaign weighs them by it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.samples import SampleSet
from activesynth.steps.embed import embed_rows
from activesynth.steps.screen import embedded_encoder
from activesynth.steps.turn import Turn
from activesynth.targeting.discriminator import discriminator_quality


def realism_inputs(turn: Turn) -> Mapping[str, str]:
    """Return what :func:`realism` reads, by name; nothing where it is not asked for."""
    if turn.config.training.quality != "discriminator":
        return {}
    return {
        "encoder": embedded_encoder(turn),
        "embedded": turn.step("embed").artifacts["train"],
    }


def realism(turn: Turn, rows: SampleSet) -> tuple[Array, float]:
    """Return how real each row looks, ``(m,)`` in ``[0, 1]``, and the discriminator's AUC.

    Transformed real rows are off the manifold on purpose. They are no part of the comparison and
    count as real as the middle one of the invented rows.
    """
    read = realism_inputs(turn)
    invented = rows.columns["perturbation"] == ""
    real = turn.artifacts.arrays(read["embedded"])["vectors"]
    vectors = embed_rows(turn, turn.state(read["encoder"]), rows.x[invented], real.shape[1])
    found = discriminator_quality(real, vectors, seed=turn.seed("realism"))
    middle = float(np.median(found.realism)) if len(found.realism) else 0.5
    result = np.full(len(rows), middle)
    result[invented] = found.realism
    return result, found.auc
