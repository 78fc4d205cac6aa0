"""An event of the outbox as a run event of OpenLineage, specification 2-0-2.

One run, complete: the version it started from goes in, the version it made comes out. Gate numbers
are told with the decision alone, inside its reason, for an event leaves after its commit.

References:
    OpenLineage, ``spec/OpenLineage.json`` 2-0-2; the facets ``version`` (1-0-1) and
    ``outputStatistics`` (1-0-2).
"""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import Any

from activesynth import __version__
from activesynth.domain.records import OutboxEvent

PRODUCER = f"urn:activesynth:{__version__}"
RUN_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
DECISION_FACET = "urn:activesynth:facet:1-0-0:iteration"
_FACETS = "https://openlineage.io/spec/facets"
_VERSION = f"{_FACETS}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
_STATISTICS = (
    f"{_FACETS}/1-0-2/OutputStatisticsOutputDatasetFacet.json"
    "#/$defs/OutputStatisticsOutputDatasetFacet"
)
_RUNS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:activesynth:run")


def run_id(event: OutboxEvent, namespace: str) -> str:
    """Return the run's UUID: the same however often and from wherever the event is sent.

    Derived from the campaign and the key of the run that committed; a refresh or a recall has no
    run of its own, and the event's key, which is unique for ever, stands for it.
    """
    campaign = event.payload.get("campaign", "")
    own = event.key if event.run_key is None else f"{campaign}/{event.run_key}"
    return str(uuid.uuid5(_RUNS, f"{namespace}/{own}"))


def run_event(event: OutboxEvent, namespace: str) -> dict[str, Any]:
    """Return the document to post: a run event with ``eventType`` ``COMPLETE``."""
    campaign = str(event.payload.get("campaign", ""))
    made = event.payload.get("version")
    run: dict[str, Any] = {"runId": run_id(event, namespace)}
    if event.decision is not None:
        run["facets"] = {"activesynth_iteration": _decision(event)}
    without_run = "recall" if event.kind == "dataset_recalled" else "refresh"
    work = without_run if event.decision is None else "iteration"
    return {
        "eventType": "COMPLETE",
        "eventTime": event.recorded_at.astimezone(UTC).isoformat(),
        "producer": PRODUCER,
        "schemaURL": RUN_EVENT,
        "run": run,
        "job": {"namespace": namespace, "name": f"{campaign}.{work}"},
        "inputs": [] if event.parent is None else [_version(namespace, campaign, event.parent)],
        "outputs": [] if made is None else [_made(namespace, campaign, str(made), event)],
    }


def _facet(schema: str, **values: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": schema, **values}


def _version(namespace: str, campaign: str, digest: str) -> dict[str, Any]:
    facets = {"version": _facet(_VERSION, datasetVersion=digest)}
    return {"namespace": namespace, "name": campaign, "facets": facets}


def _made(namespace: str, campaign: str, digest: str, event: OutboxEvent) -> dict[str, Any]:
    output = _version(namespace, campaign, digest)
    if event.rows:
        rows = sum(event.rows.values())
        output["outputFacets"] = {"outputStatistics": _facet(_STATISTICS, rowCount=rows)}
    return output


def _decision(event: OutboxEvent) -> dict[str, Any]:
    return _facet(
        DECISION_FACET,
        iteration=event.payload.get("iteration"),
        runKey=event.run_key,
        decision=event.decision,
        reason=event.reason,
    )
