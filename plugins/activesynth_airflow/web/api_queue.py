"""The REST API of the annotation queue: what to look at next, answers, and taking them back.

Whoever answers is whom Airflow authenticated: no request names an annotator.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from activesynth.client.questions import (
    Answer,
    Finished,
    Handed,
    Nothing,
    Progress,
    Question,
    Saved,
    Undo,
    Wanted,
)
from activesynth.domain.records import Annotation, QueueItem
from activesynth.errors import ConfigurationError, InputError
from activesynth.operations.finish import finish_questions
from activesynth_airflow.web.access import ANNOTATING, Annotator
from activesynth_airflow.web.api import WRITE_FAILURES, Name
from activesynth_airflow.web.door import Door, Doors

router = APIRouter(prefix="/api/v1/campaigns/{campaign}/queue", dependencies=ANNOTATING)


@router.post("/next", responses=WRITE_FAILURES)
def following(campaign: Name, wanted: Wanted, annotator: Annotator, doors: Doors) -> Handed:
    """Hand out the next questions and hold them for this person for some minutes."""
    platform = doors.platform
    platform.lineage.campaign(campaign)
    if wanted.second:
        items = platform.queue.next_second(campaign, annotator, wanted.limit)
    else:
        items = platform.queue.next_items(campaign, annotator, wanted.limit, kinds=wanted.kinds)
    return Handed(items=[_shown(item) for item in items], progress=_far(doors, campaign, annotator))


@router.post("/answers", responses=WRITE_FAILURES)
def answer(campaign: Name, given: Answer, annotator: Annotator, doors: Doors) -> Saved:
    """Keep an answer; the same one again counts once, and a stale one is refused (409)."""
    platform = doors.platform
    _check(given, len(doors.manifest(campaign).classes))
    _check_item(campaign, given.item)
    if given.second:
        platform.queue.second_opinion(given.item, annotator, given.action, given.label)
    else:
        platform.queue.answer(
            Annotation(
                item=given.item,
                sample=given.sample,
                action=given.action,
                label=given.label,
                annotator=annotator,
                item_version=given.version,
            )
        )
    return Saved(saved=given.item, progress=_far(doors, campaign, annotator))


@router.post("/undo", responses=WRITE_FAILURES)
def undo(campaign: Name, undone: Undo, annotator: Annotator, doors: Doors) -> Saved:
    """Take back this person's latest answer about an item."""
    platform = doors.platform
    platform.lineage.campaign(campaign)
    _check_item(campaign, undone.item)
    if undone.second:
        platform.queue.undo_second(undone.item, annotator)
    else:
        platform.queue.undo(undone.item, annotator, undone.version)
    return Saved(saved=undone.item, progress=_far(doors, campaign, annotator))


@router.post("/release", responses=WRITE_FAILURES)
def release(campaign: Name, _: Nothing, annotator: Annotator, doors: Doors) -> Progress:
    """Let go of what this person holds, so that others get it at once."""
    doors.platform.lineage.campaign(campaign)
    doors.platform.queue.release(annotator)
    return _far(doors, campaign, annotator)


@router.post("/finish", responses=WRITE_FAILURES)
def finish(campaign: Name, _: Nothing, annotator: Annotator, doors: Doors) -> Finished:
    """Have the waiting iteration go on with the answers it has; what has none stays unanswered."""
    return Finished(missing=finish_questions(campaign, annotator, doors.platform))


def _check(given: Answer, classes: int) -> None:
    """Refuse a label that the campaign has no class for, or one where none belongs.

    Raises:
        InputError: Naming the limit.
    """
    if (given.label is not None) != (given.action in ("accept", "relabel")):
        raise InputError(
            f"action {given.action!r} with label {given.label}: accept and relabel name a class, "
            "reject and skip do not.",
            reason="annotation_label",
            field="label",
        )
    if given.label is not None and given.label >= classes:
        raise InputError(
            f"label {given.label} is no class; there are 0 to {classes - 1}.",
            reason="annotation_label",
            field="label",
        )


def _check_item(campaign: str, item: str) -> None:
    if not item.startswith(f"{campaign}:"):
        raise ConfigurationError(
            f"campaign {campaign!r} has no annotation item {item!r}; load the queue again.",
            reason="unknown_item",
            field="item",
        )


def _shown(item: QueueItem) -> Question:
    return Question(
        id=item.id,
        sample=item.sample,
        kind=item.kind,
        proposed=item.proposed,
        version=item.version,
    )


def _far(door: Door, campaign: str, annotator: str) -> Progress:
    found = door.platform.queue.progress(campaign, annotator)
    values: dict[str, Any] = asdict(found)
    return Progress(**values, seconds_left=found.seconds_left)
