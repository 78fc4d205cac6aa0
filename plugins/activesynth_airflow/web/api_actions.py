"""The REST API of what operators do: declare a weakness, withdraw it, recall a batch."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from activesynth.bootstrap import open_platform
from activesynth.errors import ConfigurationError
from activesynth.operations import declare as operation
from activesynth.operations.reach import reached
from activesynth.operations.recall import parse_selection, recall
from activesynth_airflow.web.access import OPERATING, READING, Annotator
from activesynth_airflow.web.api import FAILURES, PRINTED, Name
from activesynth_airflow.web.door import Doors

router = APIRouter(prefix="/api/v1/campaigns/{campaign}")

Reason = Annotated[
    str, Field(min_length=1, max_length=500, pattern=PRINTED, description="Kept on record.")
]
Key = Annotated[str | None, Query(max_length=300, pattern=PRINTED)]
Given = Annotated[str, Field(min_length=1, max_length=300, pattern=PRINTED)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Declared(_Strict):
    """One weakness, named in one way; ``severity`` goes with a corruption."""

    label: Given | None = None
    cluster: Annotated[int | None, Field(ge=0, le=100_000)] = None
    corruption: Given | None = None
    severity: Annotated[float, Field(gt=0, le=1)] = 1.0
    reason: Reason


class Withdrawn(_Strict):
    """A declared weakness, as the list of declarations names it."""

    target: Given
    reason: Reason


class Standing(BaseModel):
    """What stands declared now."""

    target: str
    declared: list[str]


class Batch(_Strict):
    """A batch, named in one way, why it is taken back, and whether to do it now."""

    iteration: Annotated[int | None, Field(ge=0, le=2**31 - 1)] = None
    generator: Given | None = None
    weakness: Given | None = None
    annotator: Given | None = None
    samples: Annotated[list[Given], Field(max_length=1000)] = []
    reason: Reason
    do: bool = False


@router.get("/declarations", dependencies=READING, responses=FAILURES)
def declarations(campaign: Name, doors: Doors) -> dict[str, Any]:
    """List declarations and withdrawals with their reasons, oldest first."""
    doors.platform.lineage.campaign(campaign)
    return {"items": doors.platform.reader.declarations(campaign)}


@router.post("/declarations", dependencies=OPERATING, responses=FAILURES)
def declare(campaign: Name, given: Declared, doors: Doors) -> Standing:
    """Declare a weakness: diagnoses from the next on measure it and plan for it."""
    platform = doors.platform
    named = [given.label is not None, given.cluster is not None, given.corruption is not None]
    if sum(named) != 1:
        raise ConfigurationError(
            "name one weakness: a class, a cluster, or a corruption.",
            reason="bad_value",
            field="label",
        )
    if given.cluster is not None:
        target = operation.cluster_target(campaign, given.cluster, platform)
    elif given.corruption is not None:
        target = operation.corruption_target(campaign, given.corruption, given.severity, platform)
    else:
        target = operation.class_target(campaign, str(given.label), platform)
    operation.declare(campaign, target, given.reason, platform)
    return _standing(doors, campaign, target)


@router.post("/withdrawals", dependencies=OPERATING, responses=FAILURES)
def withdraw(campaign: Name, given: Withdrawn, doors: Doors) -> Standing:
    """Withdraw a declared weakness; what it did so far stays on record."""
    operation.withdraw(campaign, given.target, given.reason, doors.platform)
    return _standing(doors, campaign, given.target)


@router.get("/reach", dependencies=READING, responses=FAILURES)
def reach(
    campaign: Name,
    doors: Doors,
    iteration: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    generator: Key = None,
    weakness: Key = None,
    annotator: Key = None,
) -> dict[str, Any]:
    """Return what a batch reached: versions, models, metrics, and whether the head learnt it."""
    named = {"iteration": iteration, "generator": generator, "weakness": weakness}
    doors.platform.lineage.campaign(campaign)
    selection = parse_selection({"campaign": campaign, **named, "annotator": annotator})
    return reached(selection, doors.platform).document()


@router.post("/recalls", dependencies=OPERATING, responses=FAILURES)
def take_back(campaign: Name, batch: Batch, who: Annotator, doors: Doors) -> dict[str, Any]:
    """Recall a batch as a new version without it, or tell what that would do (``do`` false)."""
    doors.platform.lineage.campaign(campaign)
    named = batch.model_dump(exclude={"reason", "do"})
    selection = parse_selection({"campaign": campaign, **named})
    if not batch.do:
        return recall(selection, batch.reason, doors.platform, recalled_by=who).document()
    # Of its own: what it leases while it writes is let go of however it ends.
    with open_platform() as platform:
        done = recall(selection, batch.reason, platform, recalled_by=who, is_doing=True)
    return done.document()


def _standing(doors: Doors, campaign: str, target: str) -> Standing:
    declared = doors.platform.lineage.declared_weaknesses(campaign)
    return Standing(target=target, declared=list(declared))
