"""How the targeted synthetic rows compare with the real rows that the model is unsure about."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split, load_synthetic
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.records import MetricRow
from activesynth.evaluation.generator_objective import generator_objective, joint_cells
from activesynth.steps.embed import assign, embed_rows
from activesynth.steps.screen import embedded_encoder
from activesynth.steps.turn import Turn

FRECHET_WEIGHT = 1.0
"""Lambda. Embeddings have length 1, so the distance is of the order of the divergence."""


def objective_rows(turn: Turn, scores: dict[str, Array]) -> list[MetricRow]:
    """Return the generator's objective for the `targeted` branch; nothing with too few rows.

    Cells are combinations of class and cluster, and the real rows those of guide in the uncertain
    region. The numbers are recorded beside the others; nothing is chosen by them.
    """
    objects = turn.platform.objects
    integrated = turn.step("integrate").artifacts["targeted"]
    synthetic = load_synthetic(objects, turn.artifacts.document(integrated, DatasetManifest))
    rows = np.flatnonzero(scores["is_uncertain"])
    if synthetic is None or min(len(synthetic), len(rows)) < 2:
        return []
    embedded = turn.step("embed").artifacts
    centroids = turn.artifacts.arrays(embedded["codebook"])["centroids"]
    vectors = embed_rows(turn, turn.state(embedded_encoder(turn)), synthetic.x, centroids.shape[1])
    clusters = assign(turn, centroids, vectors)
    labels = load_split(objects, turn.manifest, "guide").y[rows]
    found = generator_objective(
        joint_cells(synthetic.y, clusters, len(centroids)),
        joint_cells(labels, scores["clusters"][rows], len(centroids)),
        vectors,
        turn.artifacts.arrays(embedded["guide"])["vectors"][rows],
        turn.classes * len(centroids),
        FRECHET_WEIGHT,
    )
    values = {
        "uncertain_divergence": found.divergence,
        "uncertain_frechet": found.frechet,
        "generator_objective": found.total,
    }
    return [
        MetricRow("targeted", "synthetic", "uncertain", name, value, n=len(synthetic))
        for name, value in values.items()
    ]
