"""The REST API of the next plan: what it may spend on and costs, proposals, and previews."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from activesynth.config.proposal import PlanProposal, PreviewRequest, parse_amounts
from activesynth.operations import propose as operation
from activesynth.operations.next_plan import Cost, Part, next_plan
from activesynth_airflow.web.access import OPERATING, READING, Annotator
from activesynth_airflow.web.api import FAILURES, PRINTED, Name
from activesynth_airflow.web.door import Doors
from activesynth_airflow.web.previewing import previewed

router = APIRouter(prefix="/api/v1/campaigns/{campaign}")

Amount = Annotated[str, Field(min_length=1, max_length=220, pattern=PRINTED)]
Rest = Literal["automatic", "none"]


class Proposal(BaseModel):
    """A plan that somebody proposed, and what became of it."""

    number: int
    amounts: dict[str, int]
    rest: Rest
    reason: str
    proposed_by: str
    recorded_at: datetime
    used_in: int | None = Field(description="The committed iteration that used it.")
    state: Literal["standing", "used", "withdrawn", "replaced"]


class Planned(BaseModel):
    """What the next plan may spend on, what a row costs, and what was proposed."""

    campaign: str
    after: int | None = Field(description="The newest committed iteration.")
    budget: int = Field(description="Most rows that the next iteration makes.")
    labelled: int
    growth: float
    parts: list[Part]
    standing: int | None = Field(description="The number of the proposal that stands.")
    rest: Rest
    measured: int = Field(description="How many iterations the costs come from.")
    seconds_per_row: float | None
    proposals: list[Proposal] = Field(description="The newest 50, newest first.")


class Kept(BaseModel):
    """The proposal that stands now, or that was withdrawn."""

    number: int
    amounts: dict[str, int]
    rest: Rest


class TakenBack(BaseModel):
    """Why the standing proposal is withdrawn."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=PRINTED)]


class Made(BaseModel):
    """Samples that were made for a weakness and kept nowhere."""

    iteration: int = Field(description="Whose generator made them.")
    weakness: str
    title: str
    seconds: float
    labels: list[str]
    pictures: list[str] = Field(description="PNG as data URIs; none where there are no pictures.")
    values: list[str] = Field(description="Values as text where there are no pictures.")


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
    return next_plan(campaign, doors.platform).cost(parse_amounts(part), rest)


@router.post("/plan/proposals", dependencies=OPERATING, responses=FAILURES)
def propose(campaign: Name, given: PlanProposal, who: Annotator, doors: Doors) -> Kept:
    """Propose the next iteration's plan: it takes the place of a proposal that stands."""
    kept = operation.propose(campaign, given, doors.platform, proposed_by=who)
    return Kept(number=kept.number, amounts=dict(kept.amounts), rest=kept.rest)


@router.post("/plan/withdrawal", dependencies=OPERATING, responses=FAILURES)
def withdraw(campaign: Name, given: TakenBack, who: Annotator, doors: Doors) -> Kept:
    """Withdraw the proposal that stands; an iteration that has planned keeps its plan."""
    doors.platform.lineage.campaign(campaign)
    taken = operation.withdraw(campaign, given.reason, doors.platform, withdrawn_by=who)
    return Kept(number=taken.number, amounts=dict(taken.amounts), rest=taken.rest)


@router.post("/preview", dependencies=OPERATING, responses=FAILURES)
def preview(campaign: Name, wanted: PreviewRequest, doors: Doors) -> Made:
    """Make up to 8 samples for a weakness; one preview at a time, and nothing is recorded."""
    # What is not there is told at once: a process takes seconds to begin.
    (name,) = next_plan(campaign, doors.platform).named({wanted.weakness: 0})
    return Made.model_validate(previewed(campaign, name, wanted.rows))
