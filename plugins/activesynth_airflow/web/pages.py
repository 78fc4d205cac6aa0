"""Pages for people: what every campaign needs from them and what it achieved."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from activesynth_airflow.web import views
from activesynth_airflow.web.access import ANNOTATE, DAG, READING, Annotator
from activesynth_airflow.web.door import Doors
from activesynth_airflow.web.rendering import page

router = APIRouter(dependencies=READING)


@router.get("/campaigns")
def campaigns(request: Request, doors: Doors) -> Response:
    """Show each campaign: its state, its head, its last lift, and what waits for whom."""
    return page(request, "campaigns.html", campaigns=views.campaigns(doors))


@router.get("/campaigns/{campaign}")
def campaign(request: Request, campaign: str, doors: Doors, before: int | None = None) -> Response:
    """Show what one campaign achieved over its iterations; listed are those below ``before``."""
    return page(request, "campaign.html", **views.campaign(doors, campaign, before))


@router.get("/campaigns/{campaign}/iterations/{number}")
def iteration(request: Request, campaign: str, number: int, doors: Doors) -> Response:
    """Show one iteration: before and after, the decision, the candidates, the cost."""
    return page(request, "iteration.html", **views.iteration(doors, campaign, number))


@router.get("/campaigns/{campaign}/samples/{sample}")
def sample(request: Request, campaign: str, sample: str, doors: Doors) -> Response:
    """Show where a sample came from, what became of it, and what it moved."""
    return page(request, "sample.html", **views.sample(doors, campaign, sample))


@router.get("/runs/{dag_id}/{run_id}")
def run(request: Request, dag_id: str, run_id: str, doors: Doors) -> Response:
    """Show the iteration of a DAG run: what Airflow shows as a tab of the run."""
    found: dict[str, Any] | None = doors.platform.reader.run(run_id) if dag_id == DAG else None
    if found is None:
        return page(
            request,
            "error.html",
            404,
            title="No iteration yet",
            message=f"run {run_id} has opened no iteration; its task `begin` does.",
            reason="unknown_iteration",
        )
    if found["state"] != "committed":
        return page(request, "running.html", **views.running(doors, found))
    campaign = str(found["campaign"])
    return page(
        request, "iteration.html", **views.iteration(doors, campaign, int(found["iteration"]))
    )


@router.get("/campaigns/{campaign}/annotate", dependencies=[ANNOTATE])
def annotate(request: Request, campaign: str, annotator: Annotator, doors: Doors) -> Response:
    """Show the desk at which questions are answered; it asks the API for them."""
    classes = doors.manifest(campaign).classes
    return page(request, "annotate.html", campaign=campaign, annotator=annotator, classes=classes)


@router.get("/campaigns/{campaign}/weaknesses")
def weaknesses(request: Request, campaign: str, doors: Doors) -> Response:
    """Show what people declared, and take declarations."""
    return page(request, "weaknesses.html", **views.weaknesses(doors, campaign))


@router.get("/campaigns/{campaign}/recall")
def recall(request: Request, campaign: str, doors: Doors, which: str = "") -> Response:
    """Show what was recalled, and let a batch be looked at and recalled."""
    return page(request, "recall.html", which=which[:300], **views.recalls(doors, campaign))


@router.get("/campaigns/{campaign}/versions/{digest}")
def version(request: Request, campaign: str, digest: str, doors: Doors) -> Response:
    """Show a dataset version: its ancestors, its samples, and the models that learnt from it."""
    found = views.version(doors, campaign, digest)
    if found is None:
        raise HTTPException(404)
    return page(request, "version.html", **found)
