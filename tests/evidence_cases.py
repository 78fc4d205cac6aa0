"""Evidence with planted error rates, and a diagnosis of it with small defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from activesynth.diagnosis.evidence import Evidence
from activesynth.diagnosis.profile import diagnose
from activesynth.domain.canonical import Array
from activesynth.domain.documents import Weakness, WeaknessProfile

CLASSES, CLUSTERS, ROWS = 4, 5, 400


def probs_with_errors(y: Array, is_error: Array) -> Array:
    """Return probabilities that are wrong, by the next class, exactly where ``is_error``."""
    predicted = np.where(is_error, (y + 1) % CLASSES, y)
    probs: Array = np.eye(CLASSES)[predicted] * 0.8 + 0.05
    return probs


def make_evidence(
    *,
    seed: int = 0,
    rows: int = ROWS,
    rate: float = 0.1,
    by_class: Mapping[int, float] | None = None,
    by_cluster: Mapping[int, float] | None = None,
    uncertain_rate: float | None = None,
    corrupted_rates: Mapping[str, tuple[float, ...]] | None = None,
) -> Evidence:
    rng = np.random.default_rng(seed)
    y, clusters = rng.integers(CLASSES, size=rows), rng.integers(CLUSTERS, size=rows)
    entropy = rng.random(rows)
    rates = np.full(rows, rate)
    for label, value in (by_class or {}).items():
        rates[y == label] = value
    for cluster, value in (by_cluster or {}).items():
        rates[clusters == cluster] = value
    if uncertain_rate is not None:
        rates[entropy > 0.8] = uncertain_rate
    is_error = rng.random(rows) < rates
    corrupted = {
        name: np.stack(
            [probs_with_errors(y, is_error | (rng.random(rows) < extra)) for extra in extras]
        )
        for name, extras in (corrupted_rates or {}).items()
    }
    return Evidence(
        ids=np.arange(rows).astype(str),
        y=y,
        probs=probs_with_errors(y, is_error),
        entropy=entropy,
        mutual_information=entropy / 2,
        variance=np.zeros(rows),
        clusters=clusters,
        is_a=rng.random(rows) < 0.5,
        corrupted=corrupted,
        train_clusters=np.repeat(np.arange(CLUSTERS), [60, 30, 20, 9, 1]),
    )


def run(evidence: Evidence, **changes: Any) -> WeaknessProfile:
    arguments: dict[str, Any] = {
        "campaign": "toy",
        "iteration": 1,
        "model": "m" * 64,
        "margin": 0.05,
        "alpha": 0.05,
        "min_support": 10,
        "delta": 0.02,
        "cluster_count": CLUSTERS,
        "tau": 0.8,
        "found_on": "A",
        "severities": (0.33, 0.66, 1.0),
        "class_names": [f"c{label}" for label in range(CLASSES)],
        "previous": {},
    }
    return diagnose(evidence, **(arguments | changes))


def by_id(profile: WeaknessProfile) -> dict[str, Weakness]:
    return {weakness.id: weakness for weakness in profile.weaknesses}
