"""Split the synthetic budget over the weaknesses that were found."""

from __future__ import annotations

from activesynth.domain.documents import WeaknessProfile
from activesynth.domain.platform import Platform
from activesynth.domain.records import StepRecord
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.allocation import allocate

STEP = Step("plan")


def plan(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the plan; its parts sum exactly to the budget."""
    turn = open_turn(iteration_id, platform)
    profile_digest = turn.step("diagnose").artifacts["profile"]
    history = platform.lineage.benefit_history(turn.ref.campaign)
    labelled = sum(ref.rows for ref in turn.manifest.splits["train"])
    budget = round(turn.config.plan.growth * labelled)
    seed = turn.seed("plan")
    pressure = _sampler_factors(turn)

    def compute(outputs: Outputs) -> None:
        profile = turn.artifacts.document(profile_digest, WeaknessProfile)
        result = allocate(
            profile.weaknesses,
            budget,
            history,
            labels=turn.config.selection.labels,
            explore=turn.config.plan.explore,
            seed=seed,
            pressure=pressure,
        )
        outputs.document("plan", result)
        outputs.facts["budget"] = result.budget
        outputs.facts["is_uniform"] = result.is_uniform

    return execute(
        turn,
        STEP,
        inputs={"profile": profile_digest},
        settings={
            "budget": budget,
            "labels": turn.config.selection.labels,
            "explore": turn.config.plan.explore,
            "history": [list(row) for row in history],
            "pressure": pressure,
        },
        compute=compute,
        seed=seed,
    )


def _sampler_factors(turn: Turn) -> dict[str, float]:
    """Return how much the last committed iteration's sampler favoured each weakness."""
    rows = turn.platform.reader.metrics(turn.ref.campaign, turn.ref.number - 1)
    return {
        str(row["slice"]): float(row["value"]) for row in rows if row["name"] == "sampler_factor"
    }
