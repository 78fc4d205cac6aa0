"""Who may do what: Airflow's own rights, asked on every route.

Airflow authenticates nothing that a plugin mounts. So every route names one of the rights below,
and a test walks over all routes and fails on one that does not.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import (
    get_user,
    requires_access_dag,
    requires_access_pool,
)
from airflow.configuration import conf
from fastapi import Depends, Header, HTTPException, Request

DAG = "active_synthesis"
"""Whoever may see, edit or start runs of this DAG may see, annotate or act on its campaigns."""
HEADER = "X-Activesynth"
"""A header that no form and no other site can set; a page of ours sends it with every write."""

ANNOTATOR_HEADER = "X-Activesynth-Annotator"
"""Who a page was opened by, percent-encoded; answers kept in a browser are that person's."""

READ = Depends(requires_access_dag("GET", DagAccessEntity.RUN, DAG))
"""Viewers and above."""
ANNOTATE = Depends(requires_access_dag("PUT", None, DAG))
"""Who may edit the DAG: users and above."""
_START = Depends(requires_access_dag("POST", DagAccessEntity.RUN, DAG))
_OPERATE = Depends(requires_access_pool("PUT"))


def _from_our_pages(
    request: Request,
    _: Annotated[
        str | None,
        Header(alias=HEADER, description="Any value; a write without it is refused (403)."),
    ] = None,
) -> None:
    """Refuse a write that another site may have made a browser send.

    Raises:
        HTTPException: 403 without our header or from another origin, 415 for what is no JSON.
    """
    sent = request.headers
    if sent.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "writes come from pages of this server; open it and try again.")
    origin = sent.get("origin")
    # Behind a proxy the browser's origin is the address that Airflow is told to have.
    known = (sent.get("host"), urlsplit(conf.get("api", "base_url", fallback="")).netloc)
    if origin is not None and origin.partition("://")[2] not in filter(None, known):
        raise HTTPException(403, "writes come from pages of this server; open it and try again.")
    if HEADER not in sent:
        raise HTTPException(403, f"a write needs the header {HEADER}: 1.")
    kind = sent.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "a write needs a JSON body (Content-Type: application/json).")


READING: list[Any] = [READ]
ANNOTATING: list[Any] = [READ, ANNOTATE, Depends(_from_our_pages)]
"""What answers questions."""
OPERATING: list[Any] = [READ, ANNOTATE, _START, _OPERATE, Depends(_from_our_pages)]
"""What starts, declares and recalls: who may also edit pools, as operators may."""


def _name(request: Request, user: Annotated[Any, Depends(get_user)]) -> str:
    """Return who asks; refuse what a page sends that somebody else had opened.

    Raises:
        HTTPException: 403 where another person logged in since, in the same browser.
    """
    name = str(user.get_name())
    opened_by = request.headers.get(ANNOTATOR_HEADER)
    if opened_by is not None and unquote(opened_by) != name:
        raise HTTPException(
            403, f"this page was opened by another person than {name}, who is logged in now."
        )
    return name


Annotator = Annotated[str, Depends(_name)]
"""The name of the person who asks, as Airflow knows it; never one that the request names."""
