"""Find where the model is weak, on guide rows it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from activesynth.diagnosis.evidence import Evidence
from activesynth.diagnosis.profile import diagnose as build_profile
from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Corruption, Predictor
from activesynth.domain.records import StepRecord
from activesynth.domain.samples import SampleSet
from activesynth.evaluation.splits import halves
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn
from activesynth.uncertainty.region import choose_tau
from activesynth.uncertainty.scores import (
    ensemble_variance,
    mutual_information,
    predictive_entropy,
    total_uncertainty,
)

STEP = Step("diagnose")


def diagnose(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the weakness profile and the guide rows' scores."""
    turn = open_turn(iteration_id, platform)
    model = turn.step("train").artifacts["model"]
    embedded = turn.step("embed").artifacts
    found_on: Literal["A", "B"] = "A" if turn.ref.number % 2 == 0 else "B"
    seed = turn.seed("diagnose")
    history = platform.lineage.metric_history(turn.ref.campaign, "tau", "base")
    fixed = history[0][1] if history else turn.config.uncertainty.tau
    previous = platform.lineage.weakness_states(turn.ref.campaign)

    def compute(outputs: Outputs) -> None:
        guide = load_split(platform.objects, turn.manifest, "guide")
        predictor = turn.predictor(model)
        draws = predictor.draws(guide.x, passes=turn.config.uncertainty.passes, seed=seed)
        members = len(draws) // turn.config.uncertainty.passes
        entropy = predictive_entropy(draws)
        variance = ensemble_variance(draws, members)
        total = total_uncertainty(entropy, variance)
        tau = choose_tau(total, fixed, turn.config.uncertainty.tau_quantile)
        evidence = Evidence(
            ids=guide.ids,
            y=guide.y,
            probs=predictor.predict_proba(guide.x),
            entropy=entropy,
            mutual_information=mutual_information(draws),
            variance=variance,
            clusters=turn.artifacts.arrays(embedded["guide"])["clusters"],
            is_a=halves(guide.ids, guide.groups, seed=turn.campaign_seed("halves")),
            corrupted={
                name: found[0]
                for name, found in predict_corrupted(turn, [predictor], guide).items()
            },
            train_clusters=turn.artifacts.arrays(embedded["train"])["clusters"],
        )
        centroids = turn.artifacts.arrays(embedded["codebook"])["centroids"]
        settings = turn.config.diagnosis
        profile = build_profile(
            evidence,
            campaign=turn.ref.campaign,
            iteration=turn.ref.number,
            model=model,
            margin=settings.margin,
            alpha=settings.alpha,
            min_support=settings.min_support,
            delta=turn.config.clusters.delta,
            cluster_count=len(centroids),
            tau=tau,
            found_on=found_on,
            severities=settings.severities,
            class_names=turn.manifest.classes,
            previous=previous,
        )
        outputs.document("profile", profile)
        outputs.arrays(
            "scores",
            {
                "ids": guide.ids,
                "probs": evidence.probs,
                "entropy": entropy,
                "mutual_information": evidence.mutual_information,
                "variance": variance,
                "clusters": evidence.clusters,
                "is_a": evidence.is_a,
                "is_uncertain": total > tau,
            },
        )
        outputs.facts["tau"] = tau
        outputs.facts["uncertain_share"] = profile.uncertain_share
        outputs.facts["weaknesses"] = len(profile.weaknesses)

    return execute(
        turn,
        STEP,
        inputs={
            "parent": turn.record.parent,
            "model": model,
            "codebook": embedded["codebook"],
            "guide": embedded["guide"],
        },
        settings={
            "diagnosis": turn.config.diagnosis.model_dump(mode="json"),
            "uncertainty": turn.config.uncertainty.model_dump(mode="json"),
            "delta": turn.config.clusters.delta,
            "found_on": found_on,
            "tau": fixed,
            "previous": previous,
            "iteration": turn.ref.number,
            "campaign": turn.ref.campaign,
        },
        compute=compute,
        seed=seed,
    )


def predict_corrupted(
    turn: Turn, predictors: Sequence[Predictor], rows: SampleSet
) -> dict[str, Array]:
    """Predict corrupted copies of ``rows``: name to ``(predictors, severities, n, classes)``.

    The randomness of the corruption is the campaign's, so every model sees equal copies; they are
    made once for all predictors, because making them costs as much as predicting them.
    """
    settings = turn.config.diagnosis
    result: dict[str, Array] = {}
    for name in settings.corruptions:
        corruption: Corruption = turn.platform.parts.create("corruption", name)
        seed = turn.campaign_seed("corruption", name)
        levels = []
        for severity in settings.severities:
            copies = corruption.apply(rows.x, severity=severity, seed=seed)
            levels.append(np.stack([one.predict_proba(copies) for one in predictors]))
        result[name] = np.stack(levels, axis=1)
    return result
