"""One diagnosis of one real model, as the loop would make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from activesynth.diagnosis.evidence import Evidence
from activesynth.diagnosis.profile import diagnose
from activesynth.domain.canonical import Array
from activesynth.domain.documents import WeaknessProfile
from activesynth.evaluation.splits import halves
from activesynth.index.faiss_index import FaissIndex
from activesynth.models.predictor import EnsemblePredictor
from activesynth.perturbations.image import apply
from activesynth.uncertainty.scores import (
    ensemble_variance,
    mutual_information,
    predictive_entropy,
    total_uncertainty,
)
from benchmarks.planted.data import CORRUPTIONS, SEVERITIES, Pictures, embedded

MARGIN, ALPHA, MIN_SUPPORT, DELTA, CLUSTERS, PASSES = 0.05, 0.05, 10, 0.02, 16, 10
"""The defaults of a campaign, but for fewer dropout passes."""
TAU_QUANTILE = 0.8
MILD = 0.15
"""Share of its severity at which a corruption is applied that is not planted."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every model of one seed is seen in: guide with corrupted copies, and clusters."""

    corrupted: Mapping[str, Sequence[Array]]
    guide_clusters: Array
    train_clusters: Array


def corrupted_copies(name: str, x: Array, seed: int, scale: float = 1.0) -> list[Array]:
    """Return a copy of the rows per severity, times ``scale``."""
    return [apply(name, x, severity=scale * severity, seed=seed) for severity in SEVERITIES]


def surroundings(train_x: Array, pool_x: Array, guide_x: Array, seed: int) -> Surroundings:
    """Corrupt guide mildly; cluster train, pool and guide by the codebook of train and pool."""
    known = np.concatenate([train_x, pool_x])
    vectors, guide = embedded(known, [known, guide_x], seed)
    index = FaissIndex()
    centroids = index.codebook(vectors, CLUSTERS, seed=seed)
    return Surroundings(
        {name: corrupted_copies(name, guide_x, seed, MILD) for name in CORRUPTIONS},
        index.assign(centroids, guide),
        index.assign(centroids, vectors)[: len(train_x)],
    )


def look(
    predictor: EnsemblePredictor, guide: Pictures, around: Surroundings, seed: int
) -> Evidence:
    """Return what the model does on guide, clean and corrupted."""
    draws = predictor.draws(guide.x, passes=PASSES, seed=seed)
    ids = np.arange(len(guide.y)).astype(str)
    return Evidence(
        ids=ids,
        y=guide.y,
        probs=predictor.predict_proba(guide.x),
        entropy=predictive_entropy(draws),
        mutual_information=mutual_information(draws),
        variance=ensemble_variance(draws, len(draws) // PASSES),
        clusters=around.guide_clusters,
        is_a=halves(ids, ids, seed=seed),
        corrupted={name: predicted(predictor, levels) for name, levels in around.corrupted.items()},
        train_clusters=around.train_clusters,
    )


def predicted(predictor: EnsemblePredictor, copies: Sequence[Array]) -> Array:
    """Return the model's probabilities on each copy of the rows, ``(copies, n, classes)``."""
    return np.stack([predictor.predict_proba(copy) for copy in copies])


def harshly(
    evidence: Evidence, name: str, predictor: EnsemblePredictor, guide: Pictures, seed: int
) -> Evidence:
    """Return the evidence with one corruption at its full severities."""
    copies = corrupted_copies(name, guide.x, seed)
    return replace(evidence, corrupted={**evidence.corrupted, name: predicted(predictor, copies)})


def profile_of(
    evidence: Evidence,
    classes: Sequence[str],
    *,
    margin: float = MARGIN,
    iteration: int = 0,
    previous: Mapping[str, str] | None = None,
) -> WeaknessProfile:
    """Diagnose with a campaign's defaults."""
    total = total_uncertainty(evidence.entropy, evidence.variance)
    found_on: Literal["A", "B"] = "A" if iteration % 2 == 0 else "B"
    return diagnose(
        evidence,
        campaign="planted",
        iteration=iteration,
        model="",
        margin=margin,
        alpha=ALPHA,
        min_support=MIN_SUPPORT,
        delta=DELTA,
        cluster_count=CLUSTERS,
        tau=float(np.quantile(total, TAU_QUANTILE)),
        found_on=found_on,
        severities=SEVERITIES,
        class_names=classes,
        previous=previous or {},
    )
