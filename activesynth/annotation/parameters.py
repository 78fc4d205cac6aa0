"""What the annotators can be told."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Oracle(BaseModel):
    """``error_rate``: share of answers that are wrong on purpose.

    ``confidence``: how sure of another label the simulated expert must be to relabel.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    error_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    confidence: Annotated[float, Field(ge=0.0, le=1.0)] = 0.8


class Automatic(BaseModel):
    """``confidence``: the calibrated probability from which the ensemble's label is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    confidence: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
