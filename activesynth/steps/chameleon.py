"""The rows that the arm `chameleon` adds in an iteration, from the untargeted candidates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min

from activesynth.diagnosis.attributes import attribute_groups
from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.samples import SampleSet
from activesynth.steps.embed import embed_rows
from activesynth.steps.screen import embedded_encoder
from activesynth.steps.turn import Turn
from activesynth.targeting.chameleon import Guided, conformal_p_values, guided_rejection

NAME = "chameleon"


def chameleon_inputs(turn: Turn) -> Mapping[str, str]:
    """Return what :func:`chameleon` reads, by name; nothing where the arm does not run."""
    if NAME not in turn.config.evaluation.arms:
        return {}
    return {
        "chameleon.encoder": embedded_encoder(turn),
        "chameleon.train": turn.step("embed").artifacts["train"],
    }


def chameleon(turn: Turn, candidates: SampleSet, earlier: SampleSet | None, count: int) -> Guided:
    """Take ``count`` of the candidates; ``earlier`` are the rows that the arm has already.

    The group of a synthetic row is that of the nearest real row of its label.
    """
    real = load_split(turn.platform.objects, turn.manifest, "train")
    embedded = turn.artifacts.arrays(turn.step("embed").artifacts["train"])
    position = {sample: n for n, sample in enumerate(embedded["ids"].tolist())}
    vectors = embedded["vectors"][[position[sample] for sample in real.ids.tolist()]]
    encoder = turn.state(embedded_encoder(turn))
    cells = _cells(real.y, attribute_groups(real.columns))
    made = embed_rows(turn, encoder, candidates.x, vectors.shape[1])
    there = [cells]
    if earlier is not None:
        before = embed_rows(turn, encoder, earlier.x, vectors.shape[1])
        there.append(_nearest_cells(before, earlier.y, vectors, real.y, cells))
    return guided_rejection(
        conformal_p_values(vectors, real.y, made, candidates.y),
        _nearest_cells(made, candidates.y, vectors, real.y, cells),
        np.concatenate(there),
        count,
        seed=turn.seed(NAME),
    )


def _nearest_cells(made: Array, y: Array, real: Array, real_y: Array, cells: Array) -> Array:
    found = np.array([f"{label}|?" for label in y.tolist()], object)
    for label in np.unique(y).tolist():
        own, here = np.flatnonzero(real_y == label), y == label
        if len(own):
            found[here] = cells[own[pairwise_distances_argmin_min(made[here], real[own])[0]]]
    return found.astype(str)


def _cells(y: Array, attributes: Mapping[str, Array]) -> Array:
    """Return class and attribute values of each row as one text."""
    values = [np.asarray(attributes[name]).astype(str).tolist() for name in sorted(attributes)]
    return np.array(
        ["|".join(map(repr, row)) for row in zip(y.tolist(), *values, strict=True)], np.str_
    )
