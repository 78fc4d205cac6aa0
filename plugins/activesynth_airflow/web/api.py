"""The REST API: the same facts as JSON, a page at a time by key; writes come with later rooms."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

from activesynth_airflow.web import views
from activesynth_airflow.web.access import READING
from activesynth_airflow.web.door import Doors

router = APIRouter(prefix="/api/v1", dependencies=READING)

LIMIT = 200
PRINTED = r"^[^\x00-\x1f\x7f]*$"
"""Of texts: no control characters, which Postgres cannot keep or nobody can see."""
Name = Annotated[str, Path(max_length=200, pattern=PRINTED)]
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=1, le=LIMIT)]
After = Annotated[
    str, Query(max_length=200, pattern=PRINTED, description="The last key of the page before.")
]
Text = Annotated[str | None, Query(max_length=200, pattern=PRINTED)]


class Problem(BaseModel):
    """Why a request was not answered."""

    reason: str = Field(description="A stable code; docs/reference/errors.md lists them.")
    message: str
    field: str


class Failure(BaseModel):
    """What comes with every status of 400 and above."""

    error: Problem


class Page(BaseModel):
    """One page of rows; ``next`` is the key to go on after, null at the end."""

    items: list[dict[str, Any]]
    next: str | None = None


FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": Failure} for status in (401, 403, 404, 409, 410, 422, 500, 503)
}


def paged(rows: list[dict[str, Any]], key: str, limit: int) -> Page:
    """Return rows as a page: one that is not full is the last."""
    return Page(items=rows, next=str(rows[-1][key]) if len(rows) == limit else None)


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
def campaigns(doors: Doors) -> Page:
    """List campaigns: state, head, last lift, open questions."""
    return Page(items=views.campaigns(doors))


@router.get("/campaigns/{campaign}/iterations", responses=FAILURES)
def iterations(
    campaign: Name,
    doors: Doors,
    after: Annotated[
        int, Query(ge=-1, le=2**31 - 1, description="The last number of the page before.")
    ] = -1,
    limit: Limit = 60,
) -> Page:
    """List the committed iterations of a campaign by number."""
    doors.platform.lineage.campaign(campaign)
    rows = doors.platform.reader.iterations(campaign, after=after, limit=limit)
    return paged(rows, "iteration", limit)


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
) -> Page:
    """List the weakness history of a campaign by iteration and rank."""
    doors.platform.lineage.campaign(campaign)
    number, _, weakness = after.partition(":")
    rows = doors.platform.reader.weaknesses(
        campaign, after=(int(number), weakness) if after else None, limit=limit
    )
    is_last = len(rows) < limit
    key = "" if is_last else f"{rows[-1]['iteration']}:{rows[-1]['weakness']}"
    return Page(items=rows, next=key or None)


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
    label: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
) -> Page:
    """List synthetic samples of an iteration by id, with verdict, scores and parents."""
    doors.platform.lineage.campaign(campaign)
    rows = doors.platform.reader.candidates(
        campaign,
        number,
        after=after,
        limit=limit,
        verdict=verdict,
        reason=reason,
        weakness=weakness,
        label=label,
    )
    return paged(rows, "sample", limit)


@router.get("/campaigns/{campaign}/samples/{sample}", responses=FAILURES)
def sample(campaign: Name, sample: Name, doors: Doors) -> dict[str, Any]:
    """Return what is on record about a sample: origin, parents, versions, models, answers."""
    found = views.sample(doors, campaign, sample)
    return {
        name: found[name]
        for name in ("sample", "first", "parents", "manifests", "models", "moved", "answers")
    }


@router.get("/campaigns/{campaign}/versions/{digest}/members", responses=FAILURES)
def members(
    campaign: Name, digest: Name, doors: Doors, after: After = "", limit: Limit = 60
) -> Page:
    """List the recorded samples of a version by id."""
    doors.platform.lineage.campaign(campaign)
    rows = doors.platform.reader.version_members(campaign, digest, after=after, limit=limit)
    return paged(rows, "sample", limit)
