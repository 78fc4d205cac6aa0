"""Split the synthetic budget over the weaknesses, and look first what the pool holds for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from activesynth.domain.documents import Plan, Weakness, WeaknessProfile
from activesynth.domain.platform import Platform
from activesynth.domain.proposals import ProposedPlan
from activesynth.domain.records import StepRecord
from activesynth.steps.costs import past_costs
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.retrieval import cost_of_both, retrieve_for
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.allocation import allocate
from activesynth.targeting.cost import seconds_per_row
from activesynth.targeting.proposal import fit_proposal, proposal_facts, proposed_plan

UNUSUAL = ("everywhere", "corruption_share", "kinds")
STEP = Step("plan", version=2)


def plan(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the plan, whose parts sum exactly to the budget, and the pool rows to ask about first.

    Which rows are retrieved is part of the result; what either way costs is a fact beside it. What
    a person proposed goes first; the facts say what was made of it.
    """
    turn = open_turn(iteration_id, platform)
    diagnosed = turn.step("diagnose").artifacts
    embedded = turn.step("embed").artifacts
    profile_digest = diagnosed["profile"]
    history = platform.lineage.benefit_history(turn.ref.campaign)
    labelled = sum(ref.rows for ref in turn.manifest.splits["train"])
    budget = round(turn.config.plan.growth * labelled)
    seed = turn.seed("plan")
    pressure = _sampler_factors(turn)
    costs = past_costs(turn) if turn.config.plan.per_second else []
    proposal = _proposal(turn)

    def compute(outputs: Outputs) -> None:
        profile = turn.artifacts.document(profile_digest, WeaknessProfile)

        def automatic(weaknesses: Sequence[Weakness], rows: int) -> Plan:
            kinds = turn.config.plan.kinds
            return allocate(
                [found for found in weaknesses if not kinds or found.target_kind in kinds],
                rows,
                history,
                labels=turn.config.selection.labels,
                explore=turn.config.plan.explore,
                seed=seed,
                pressure=pressure,
                seconds=seconds_per_row([w.id for w in profile.weaknesses], costs),
                corruption_share=turn.config.plan.corruption_share,
                everywhere=turn.config.plan.everywhere,
            )

        if proposal is None:
            result = automatic(profile.weaknesses, budget)
        else:
            fitted = fit_proposal(proposal.amounts, profile.weaknesses, budget)
            others = [found for found in profile.weaknesses if found.id not in fitted.amounts]
            left = budget - fitted.rows if proposal.rest == "automatic" else 0
            result = proposed_plan(
                fitted, proposal.number, profile.weaknesses, automatic(others, left), history
            )
            outputs.facts["proposal"] = proposal_facts(fitted, proposal.number, result, budget)
        outputs.document("plan", result)
        outputs.facts["budget"] = result.budget
        outputs.facts["is_uniform"] = result.is_uniform
        retrieved = retrieve_for(turn, result, profile)
        outputs.arrays("retrieved", retrieved)
        names, counts = np.unique(retrieved["weakness"], return_counts=True)
        outputs.facts["retrieved"] = dict(zip(names.tolist(), counts.tolist(), strict=True))
        outputs.facts["cost"] = cost_of_both(turn, len(retrieved["ids"]), result.budget)

    return execute(
        turn,
        STEP,
        inputs={
            "profile": profile_digest,
            "scores": diagnosed["scores"],
            "guide": embedded["guide"],
            "pool": embedded["pool"],
        },
        settings={
            "budget": budget,
            "labels": turn.config.selection.labels,
            "retrieve": turn.config.selection.retrieve,
            "explore": turn.config.plan.explore,
            "history": [list(row) for row in history],
            "pressure": pressure,
            # Absent unless asked for: plans that do not look at seconds keep their keys.
            **({"costs": [list(astuple(cost)) for cost in costs]} if costs else {}),
            **_unusual(turn),
            **_proposed(proposal),
        },
        compute=compute,
        seed=seed,
    )


def _unusual(turn: Turn) -> dict[str, Any]:
    """Return settings that are not at their default: plans made before them keep their keys."""
    section = turn.config.plan.model_dump(mode="json", exclude_defaults=True)
    return {name: section[name] for name in UNUSUAL if name in section}


def _proposal(turn: Turn) -> ProposedPlan | None:
    """Return what stands proposed; once this iteration has a plan, what it was made with.

    Later steps may have read that plan already: what is proposed after it waits for the next.
    """
    lineage, campaign = turn.platform.lineage, turn.ref.campaign
    for record in lineage.steps(turn.ref, STEP.name):
        used = record.facts.get("proposal")
        return None if used is None else lineage.proposed_plan(campaign, int(used["number"]))
    return lineage.standing_plan(campaign)


def _proposed(proposal: ProposedPlan | None) -> dict[str, Any]:
    """Return what a proposal asks for, and its number, so that no other one finds its plan."""
    if proposal is None:
        return {}
    asked = {"number": proposal.number, "amounts": dict(proposal.amounts), "rest": proposal.rest}
    return {"proposal": asked}


def _sampler_factors(turn: Turn) -> dict[str, float]:
    """Return how much the last committed iteration's sampler favoured each weakness."""
    rows = turn.platform.reader.metrics(turn.ref.campaign, turn.ref.number - 1)
    return {
        str(row["slice"]): float(row["value"]) for row in rows if row["name"] == "sampler_factor"
    }
