"""Find where the model is weak, on guide rows it never saw."""

from __future__ import annotations

from activesynth.domain.platform import Platform
from activesynth.domain.records import StepRecord
from activesynth.steps.examine import Subject, examine, facts_of, fixed_tau, half_of
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn

STEP = Step("diagnose", version=2)


def diagnose(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the weakness profile and the guide rows' scores."""
    turn = open_turn(iteration_id, platform)
    model = turn.step("train").artifacts["model"]
    embedded = turn.step("embed").artifacts
    found_on, fixed, seed = half_of(turn.ref.number), fixed_tau(turn), turn.seed("diagnose")
    previous = platform.lineage.weakness_states(turn.ref.campaign)
    declared = _declared(turn)

    def compute(outputs: Outputs) -> None:
        subject = Subject(
            model=model,
            found_on=found_on,
            tau=fixed,
            previous=previous,
            declared=declared,
            guide_clusters=turn.artifacts.arrays(embedded["guide"])["clusters"],
            train_clusters=turn.artifacts.arrays(embedded["train"])["clusters"],
            cluster_count=len(turn.artifacts.arrays(embedded["codebook"])["centroids"]),
            seed=seed,
        )
        profile, scores = examine(turn, subject)
        outputs.document("profile", profile)
        outputs.arrays("scores", scores)
        outputs.facts.update(facts_of(profile), declared=declared)

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
            "declared": declared,
            "iteration": turn.ref.number,
            "campaign": turn.ref.campaign,
        },
        compute=compute,
        seed=seed,
    )


def _declared(turn: Turn) -> list[str]:
    """Return what is declared; once this iteration has a profile, what it was made with.

    Later steps may have read that profile already: what is declared after it waits for the next.
    """
    for record in turn.platform.lineage.steps(turn.ref, STEP.name):
        return [str(target) for target in record.facts.get("declared", [])]
    return turn.platform.lineage.declared_weaknesses(turn.ref.campaign)
