"""The REST API of what operators do: declare a weakness, withdraw it, recall a batch."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from activesynth.bootstrap import open_platform
from activesynth.client.actions import (
    Batch,
    Declaration,
    Declared,
    Reach,
    Recalled,
    Standing,
    Withdrawn,
)
from activesynth.client.facts import Page
from activesynth.client.texts import LARGEST, PRINTED
from activesynth.errors import ConfigurationError
from activesynth.operations import declare as operation
from activesynth.operations.reach import reached
from activesynth.operations.recall import parse_selection, recall
from activesynth_airflow.web.access import OPERATING, READING, Annotator
from activesynth_airflow.web.api import FAILURES, WRITE_FAILURES, Limit, Name, paged
from activesynth_airflow.web.door import Doors

router = APIRouter(prefix="/api/v1/campaigns/{campaign}")

Key = Annotated[str | None, Query(max_length=300, pattern=PRINTED)]


@router.get("/declarations", dependencies=READING, responses=FAILURES)
def declarations(
    campaign: Name,
    doors: Doors,
    after: Annotated[
        int, Query(ge=0, le=LARGEST, description="The last number of the page before.")
    ] = 0,
    limit: Limit = 60,
) -> Page[Declaration]:
    """List declarations and withdrawals with their reasons, oldest first."""
    doors.platform.lineage.campaign(campaign)
    rows = doors.platform.reader.declarations(campaign, after=after, limit=limit)
    return paged(Declaration, rows, "number", limit)


@router.post("/declarations", dependencies=OPERATING, responses=WRITE_FAILURES)
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


@router.post("/withdrawals", dependencies=OPERATING, responses=WRITE_FAILURES)
def withdraw(campaign: Name, given: Withdrawn, doors: Doors) -> Standing:
    """Withdraw a declared weakness; what it did so far stays on record."""
    operation.withdraw(campaign, given.target, given.reason, doors.platform)
    return _standing(doors, campaign, given.target)


@router.get("/reach", dependencies=READING, responses=FAILURES)
def reach(
    campaign: Name,
    doors: Doors,
    iteration: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
    generator: Key = None,
    weakness: Key = None,
    annotator: Key = None,
) -> Reach:
    """Return what a batch reached: versions, models, metrics, and whether the head learnt it."""
    named = {"iteration": iteration, "generator": generator, "weakness": weakness}
    doors.platform.lineage.campaign(campaign)
    selection = parse_selection({"campaign": campaign, **named, "annotator": annotator})
    # All of it is of what is committed, which changes by what this state tells.
    state = ("reach", selection, doors.platform.reader.campaign_state(campaign))
    found = doors.pages.get(state, lambda: reached(selection, doors.platform).document())
    return Reach.model_validate(found)


@router.post("/recalls", dependencies=OPERATING, responses=WRITE_FAILURES)
def take_back(campaign: Name, batch: Batch, who: Annotator, doors: Doors) -> Recalled:
    """Recall a batch as a new version without it, or tell what that would do (``do`` false)."""
    doors.platform.lineage.campaign(campaign)
    named = batch.model_dump(exclude={"reason", "do"})
    selection = parse_selection({"campaign": campaign, **named})
    if not batch.do:
        told = recall(selection, batch.reason, doors.platform, recalled_by=who)
        return Recalled.model_validate(told.document())
    # Of its own: what it leases while it writes is let go of however it ends.
    with open_platform() as platform:
        done = recall(selection, batch.reason, platform, recalled_by=who, is_doing=True)
    return Recalled.model_validate(done.document())


def _standing(doors: Doors, campaign: str, target: str) -> Standing:
    declared = doors.platform.lineage.declared_weaknesses(campaign)
    return Standing(target=target, declared=list(declared))
