"""Look at one model through guide: evidence from its predictions, and the profile of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from activesynth.diagnosis.attributes import attribute_groups
from activesynth.diagnosis.evidence import Evidence
from activesynth.diagnosis.profile import diagnose as build_profile
from activesynth.diagnosis.sweep import swept_thresholds
from activesynth.domain.canonical import Array, Tensors
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import WeaknessProfile
from activesynth.domain.ports import Corruption, Predictor
from activesynth.domain.samples import SampleSet
from activesynth.evaluation.splits import halves
from activesynth.steps.turn import Turn
from activesynth.uncertainty.region import choose_tau
from activesynth.uncertainty.scores import (
    ensemble_variance,
    mutual_information,
    predictive_entropy,
    total_uncertainty,
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined, and what it is held against.

    Attributes:
        model: Digest of the model's card.
        found_on: The half of guide that searches.
        tau: Threshold of the uncertain region, None where a quantile is taken now.
        previous: Latest state of every weakness ever seen, by id.
        declared: What people declared, as ``<kind>:<key>``.
        guide_clusters: Cluster id of each guide row, ``(n,)``.
        train_clusters: Cluster id of each train row, ``(m,)``.
        cluster_count: Number of clusters of the codebook.
        seed: Seed of the dropout passes.
    """

    model: str
    found_on: Literal["A", "B"]
    tau: float | None
    previous: Mapping[str, str]
    declared: Sequence[str]
    guide_clusters: Array
    train_clusters: Array
    cluster_count: int
    seed: int


def half_of(iteration: int) -> Literal["A", "B"]:
    """Return the half of guide that searches in an iteration; they take turns."""
    return "A" if iteration % 2 == 0 else "B"


def fixed_tau(turn: Turn) -> float | None:
    """Return the tau that the campaign fixed at iteration 0 or by its config, if it did."""
    history = turn.platform.lineage.metric_history(turn.ref.campaign, "tau", "base")
    return history[0][1] if history else turn.config.uncertainty.tau


def examine(turn: Turn, subject: Subject) -> tuple[WeaknessProfile, Tensors]:
    """Return the weakness profile of a model, and the scores of the guide rows behind it."""
    settings, uncertainty = turn.config.diagnosis, turn.config.uncertainty
    guide = load_split(turn.platform.objects, turn.manifest, "guide")
    predictor = turn.predictor(subject.model)
    draws = predictor.draws(guide.x, passes=uncertainty.passes, seed=subject.seed)
    entropy = predictive_entropy(draws)
    variance = ensemble_variance(draws, len(draws) // uncertainty.passes)
    total = total_uncertainty(entropy, variance)
    tau = choose_tau(total, subject.tau, uncertainty.tau_quantile)
    corrupted = predict_corrupted(turn, [predictor], guide, settings.corruptions)
    evidence = Evidence(
        ids=guide.ids,
        y=guide.y,
        probs=predictor.predict_proba(guide.x),
        entropy=entropy,
        mutual_information=mutual_information(draws),
        variance=variance,
        clusters=subject.guide_clusters,
        is_a=halves(guide.ids, guide.groups, seed=turn.campaign_seed("halves")),
        corrupted={name: probs[0] for name, probs in corrupted.items()},
        train_clusters=subject.train_clusters,
        corrupted_at=_declared_corruptions(turn, predictor, guide, subject.declared),
        attributes=attribute_groups(guide.columns),
        groups=guide.groups,
    )
    profile = build_profile(
        evidence,
        campaign=turn.ref.campaign,
        iteration=turn.ref.number,
        model=subject.model,
        margin=settings.margin,
        alpha=settings.alpha,
        min_support=settings.min_support,
        delta=turn.config.clusters.delta,
        cluster_count=subject.cluster_count,
        tau=tau,
        found_on=subject.found_on,
        severities=settings.severities,
        class_names=turn.manifest.classes,
        previous=subject.previous,
        declared=subject.declared,
        sweep=swept_thresholds(uncertainty.sweep, turn.classes),
    )
    scores = {
        "ids": guide.ids,
        "probs": evidence.probs,
        "entropy": entropy,
        "mutual_information": evidence.mutual_information,
        "variance": variance,
        "clusters": evidence.clusters,
        "is_a": evidence.is_a,
        "is_uncertain": total > tau,
    }
    return profile, scores


def predict_corrupted(
    turn: Turn, predictors: Sequence[Predictor], rows: SampleSet, names: Sequence[str]
) -> dict[str, Array]:
    """Predict corrupted copies of ``rows``: name to ``(predictors, severities, n, classes)``.

    The randomness of the corruption is the campaign's, so every model sees equal copies; each
    copy is made once and shown to all of them.
    """
    result: dict[str, Array] = {}
    for name in names:
        levels = [
            _predict_copies(turn, predictors, rows, name, severity)
            for severity in turn.config.diagnosis.severities
        ]
        result[name] = np.stack(levels, axis=1)
    return result


def _predict_copies(
    turn: Turn, predictors: Sequence[Predictor], rows: SampleSet, name: str, severity: float
) -> Array:
    corruption: Corruption = turn.platform.parts.create("corruption", name)
    seed = turn.campaign_seed("corruption", name)
    copies = corruption.apply(rows.x, severity=severity, seed=seed)
    return np.stack([predictor.predict_proba(copies) for predictor in predictors])


def _declared_corruptions(
    turn: Turn, predictor: Predictor, rows: SampleSet, declared: Sequence[str]
) -> dict[str, Array]:
    """Predict copies corrupted as people declared, by ``name@severity``."""
    result: dict[str, Array] = {}
    for target in declared:
        kind, _, key = target.partition(":")
        if kind == "corruption":
            name, _, severity = key.partition("@")
            result[key] = _predict_copies(turn, [predictor], rows, name, float(severity))[0]
    return result


def facts_of(profile: WeaknessProfile) -> dict[str, Any]:
    """Return the small numbers that a step keeps of a profile."""
    return {
        "tau": profile.tau,
        "uncertain_share": profile.uncertain_share,
        "weaknesses": len(profile.weaknesses),
    }
