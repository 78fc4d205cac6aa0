"""The REST API of predictions: the samples behind a cell of a confusion matrix."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query

from activesynth.client.facts import Page, Prediction
from activesynth.client.texts import PRINTED
from activesynth.errors import ConfigurationError
from activesynth_airflow.web.access import READING
from activesynth_airflow.web.api import FAILURES, After, Limit, Name, Number
from activesynth_airflow.web.charts import Predictions
from activesynth_airflow.web.door import Doors
from activesynth_airflow.web.pictured import guide_predictions

router = APIRouter(prefix="/api/v1/campaigns/{campaign}/iterations/{number}", dependencies=READING)

Label = Annotated[int | None, Query(ge=0, le=100_000)]


@router.get("/predictions", responses=FAILURES)
def predictions(
    campaign: Name,
    number: Number,
    doors: Doors,
    arm: Annotated[str, Query(max_length=200, pattern=PRINTED)] = "targeted",
    label: Label = None,
    predicted: Label = None,
    after: After = "",
    limit: Limit = 60,
) -> Page[Prediction]:
    """List what an arm of a committed iteration predicted on guide, by true and predicted class."""
    doors.platform.lineage.campaign(campaign)
    kept = guide_predictions(doors, campaign, number)
    found: Predictions | None = kept["predictions"] if kept else None
    if found is None or arm not in found.said:
        arms = "none" if found is None else ", ".join(sorted(found.said))
        raise ConfigurationError(
            f"iteration {number} of campaign {campaign!r} has no predictions of arm {arm!r}; "
            f"it has those of: {arms}.",
            reason="unknown_iteration",
            field="arm",
        )
    said, sure = found.said[arm]
    wanted = found.ids > after
    if label is not None:
        wanted &= found.labels == label
    if predicted is not None:
        wanted &= said == predicted
    rows = np.flatnonzero(wanted)
    rows = rows[np.argsort(found.ids[rows])][:limit]
    items = [
        Prediction(
            sample=str(found.ids[row]),
            label=int(found.labels[row]),
            predicted=int(said[row]),
            confidence=float(sure[row]),
        )
        for row in rows
    ]
    return Page(items=items, next=items[-1].sample if len(items) == limit else None)
