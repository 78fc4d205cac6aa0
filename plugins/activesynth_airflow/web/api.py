"""The REST API: the same facts as JSON, a page at a time by key."""

from __future__ import annotations

from math import inf
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.openapi.utils import get_openapi

from activesynth.client.facts import (
    Campaign,
    CampaignDesk,
    Candidate,
    Failure,
    Iteration,
    Member,
    Page,
    Row,
    Sample,
    Weakness,
)
from activesynth.client.texts import LARGEST, PRINTED
from activesynth_airflow.web import views
from activesynth_airflow.web.access import READING
from activesynth_airflow.web.door import Doors

router = APIRouter(prefix="/api/v1", dependencies=READING)

LIMIT = 200
Name = Annotated[str, Path(max_length=200, pattern=PRINTED)]
Number = Annotated[int, Path(ge=0, le=LARGEST)]
Limit = Annotated[int, Query(ge=1, le=LIMIT)]
After = Annotated[
    str, Query(max_length=200, pattern=PRINTED, description="The last key of the page before.")
]
Score = Literal[
    "confidence", "distance", "entropy", "label_probability", "mutual_information", "variance"
]
Bound = Annotated[float | None, Query(allow_inf_nan=False)]
Text = Annotated[str | None, Query(max_length=200, pattern=PRINTED)]


FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure} for status in (400, 401, 403, 404, 409, 410, 422, 500, 503)
}
WRITE_FAILURES = FAILURES | {status: {"model": Failure} for status in (411, 413, 415)}
"""Writes say their length, are bounded, and are JSON."""


def paged(model: type[Row], rows: list[dict[str, Any]], key: str, limit: int) -> Page[Row]:
    """Return rows as a page: one that is not full is the last."""
    following = str(rows[-1][key]) if len(rows) == limit else None
    return Page(items=[model.model_validate(row) for row in rows], next=following)


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> dict[str, Any]:
    """Describe this API."""
    app = request.app
    base = request.scope.get("root_path", "")
    return get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        servers=[{"url": base or "/"}],
    )


@router.get("/campaigns", responses=FAILURES)
def campaigns(doors: Doors) -> Page[Campaign]:
    """List campaigns: state, head, last lift, open questions."""
    return Page(items=[Campaign.model_validate(row) for row in views.campaigns(doors)])


@router.get("/campaigns/{campaign}", responses=FAILURES)
def desk(campaign: Name, doors: Doors) -> CampaignDesk:
    """Return the classes of a campaign and its kind of data, as an annotator needs them."""
    record, manifest = doors.platform.lineage.campaign(campaign), doors.manifest(campaign)
    return CampaignDesk(
        campaign=campaign,
        head=str(record.head),
        modality=manifest.modality,
        classes=list(manifest.classes),
    )


@router.get("/campaigns/{campaign}/iterations", responses=FAILURES)
def iterations(
    campaign: Name,
    doors: Doors,
    after: Annotated[
        int, Query(ge=-1, le=LARGEST, description="The last number of the page before.")
    ] = -1,
    limit: Limit = 60,
) -> Page[Iteration]:
    """List the committed iterations of a campaign by number."""
    doors.platform.lineage.campaign(campaign)
    rows = doors.platform.reader.iterations(campaign, after=after, limit=limit)
    return paged(Iteration, rows, "iteration", limit)


@router.get("/campaigns/{campaign}/weaknesses", responses=FAILURES)
def weaknesses(
    campaign: Name,
    doors: Doors,
    after: Annotated[
        str,
        Query(
            max_length=300,
            pattern=r"^([0-9]{1,9}:[^\x00-\x1f\x7f]*)?$",
            description="The key of the page before: iteration, colon, weakness.",
        ),
    ] = "",
    limit: Limit = 60,
) -> Page[Weakness]:
    """List the weakness history of a campaign by iteration and rank."""
    doors.platform.lineage.campaign(campaign)
    number, _, weakness = after.partition(":")
    rows = doors.platform.reader.weaknesses(
        campaign, after=(int(number), weakness) if after else None, limit=limit
    )
    is_last = len(rows) < limit
    key = "" if is_last else f"{rows[-1]['iteration']}:{rows[-1]['weakness']}"
    items = [Weakness.model_validate(row) for row in rows]
    return Page(items=items, next=key or None)


@router.get("/campaigns/{campaign}/iterations/{number}/candidates", responses=FAILURES)
def candidates(
    campaign: Name,
    number: Number,
    doors: Doors,
    after: After = "",
    limit: Limit = 60,
    verdict: Text = None,
    reason: Text = None,
    weakness: Text = None,
    label: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
    score: Annotated[Score | None, Query(description="What `least` and `most` are of.")] = None,
    least: Bound = None,
    most: Bound = None,
) -> Page[Candidate]:
    """List synthetic samples of an iteration by id, with verdict, scores and parents.

    A page by score may be short though others follow.
    """
    doors.platform.lineage.campaign(campaign)
    rows, following = doors.platform.reader.candidates(
        campaign,
        number,
        after=after,
        limit=limit,
        verdict=verdict,
        reason=reason,
        weakness=weakness,
        label=label,
        score=score,
        least=-inf if least is None else least,
        most=inf if most is None else most,
    )
    return Page(items=[Candidate.model_validate(row) for row in rows], next=following)


@router.get("/campaigns/{campaign}/samples/{sample}", responses=FAILURES)
def sample(campaign: Name, sample: Name, doors: Doors) -> Sample:
    """Return what is on record about a sample: origin, parents, versions, models, answers."""
    found = views.sample(doors, campaign, sample)
    return Sample.model_validate({**found, "first": found["first"] or None})


@router.get("/campaigns/{campaign}/versions/{digest}/members", responses=FAILURES)
def members(
    campaign: Name, digest: Name, doors: Doors, after: After = "", limit: Limit = 60
) -> Page[Member]:
    """List the recorded samples of a version by id."""
    doors.platform.lineage.campaign(campaign)
    rows = doors.platform.reader.version_members(campaign, digest, after=after, limit=limit)
    return paged(Member, rows, "sample", limit)
