"""The REST API of the next plan: what it may spend on and costs, proposals, and previews."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from activesynth.client.plans import Amount, Cost, Kept, Made, Planned, Rest, TakenBack
from activesynth.config.proposal import PlanProposal, PreviewRequest, parse_amounts
from activesynth.operations import propose as operation
from activesynth.operations.next_plan import next_plan
from activesynth_airflow.web.access import OPERATING, READING, Annotator
from activesynth_airflow.web.api import FAILURES, WRITE_FAILURES, Name
from activesynth_airflow.web.door import Doors
from activesynth_airflow.web.previewing import previewed

router = APIRouter(prefix="/api/v1/campaigns/{campaign}")


@router.get("/plan", dependencies=READING, responses=FAILURES)
def plan(campaign: Name, doors: Doors) -> Planned:
    """Return what the next plan may spend on, what a row costs, and what was proposed."""
    found = next_plan(campaign, doors.platform).document()
    proposals = doors.platform.reader.proposed_plans(campaign)
    return Planned.model_validate({**found, "proposals": proposals})


@router.get("/plan/cost", dependencies=READING, responses=FAILURES)
def cost(
    campaign: Name,
    doors: Doors,
    part: Annotated[
        list[Amount], Query(max_length=200, description="weakness=rows, as in class:3=12.")
    ] = [],  # noqa: B006 - FastAPI copies it
    rest: Rest = "automatic",
) -> Cost:
    """Return what a proposal would cost before it is made, by measured iterations."""
    found = next_plan(campaign, doors.platform).cost(parse_amounts(part), rest)
    return Cost(**asdict(found))


@router.post("/plan/proposals", dependencies=OPERATING, responses=WRITE_FAILURES)
def propose(campaign: Name, given: PlanProposal, who: Annotator, doors: Doors) -> Kept:
    """Propose the next iteration's plan: it takes the place of a proposal that stands."""
    kept = operation.propose(campaign, given, doors.platform, proposed_by=who)
    return Kept(number=kept.number, amounts=dict(kept.amounts), rest=kept.rest)


@router.post("/plan/withdrawal", dependencies=OPERATING, responses=WRITE_FAILURES)
def withdraw(campaign: Name, given: TakenBack, who: Annotator, doors: Doors) -> Kept:
    """Withdraw the proposal that stands; an iteration that has planned keeps its plan."""
    doors.platform.lineage.campaign(campaign)
    taken = operation.withdraw(campaign, given.reason, doors.platform, withdrawn_by=who)
    return Kept(number=taken.number, amounts=dict(taken.amounts), rest=taken.rest)


@router.post("/preview", dependencies=OPERATING, responses=WRITE_FAILURES)
def preview(campaign: Name, wanted: PreviewRequest, doors: Doors) -> Made:
    """Make up to 8 samples for a weakness; one preview at a time, and nothing is recorded."""
    # What is not there is told at once: a process takes seconds to begin.
    (name,) = next_plan(campaign, doors.platform).named({wanted.weakness: 0})
    return Made.model_validate(previewed(campaign, name, wanted.rows))
