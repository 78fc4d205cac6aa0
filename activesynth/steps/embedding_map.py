"""A map of embeddings: some real rows and candidates in the plane of the train rows."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.samples import SampleSet
from activesynth.evaluation.plane import evenly, fit_plane
from activesynth.steps.turn import Turn

MAPPED = 800
"""Rows of each kind: more are no more to see."""


def map_rows(
    turn: Turn, rows: SampleSet, vectors: Array, verdicts: dict[str, Array]
) -> dict[str, Array]:
    """Return some real rows and targeted candidates in the plane of the train rows.

    Rows ``(n,)`` of ``ids``, ``x``, ``y``, ``cluster``, ``kind`` (a split, ``accepted`` or
    ``rejected``) and ``entropy`` (NaN where none was measured); ``share`` ``(1,)`` is how much of
    the variance of train the plane shows.
    """
    embedded = turn.step("embed").artifacts
    entropy = turn.artifacts.arrays(turn.step("diagnose").artifacts["scores"])["entropy"]
    real = {split: turn.artifacts.arrays(embedded[split]) for split in ("train", "pool", "guide")}
    plane = fit_plane(real["train"]["vectors"])
    parts: list[dict[str, Array]] = []

    def add(
        kind: str, ids: Array, of: Array, cluster: Array, measured: Array, where: Array
    ) -> None:
        chosen = where[evenly(len(where), MAPPED)]
        flat = plane.project(of[chosen])
        parts.append(
            {
                "ids": ids[chosen],
                "x": flat[:, 0],
                "y": flat[:, 1],
                "cluster": cluster[chosen],
                "kind": np.full(len(chosen), kind),
                "entropy": measured[chosen],
            }
        )

    for split, found in real.items():
        count = len(found["ids"])
        measured = entropy if split == "guide" else np.full(count, np.nan)
        add(split, found["ids"], found["vectors"], found["clusters"], measured, np.arange(count))
    for kind in ("accepted", "rejected"):
        where = np.flatnonzero(verdicts["accepted"] == (kind == "accepted"))
        add(kind, rows.ids, vectors, verdicts["cluster"], verdicts["entropy"], where)
    return {
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        "share": np.array([plane.share]),
    }
