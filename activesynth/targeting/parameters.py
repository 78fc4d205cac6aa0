"""Parameters of the query strategies that have any."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ScoreParameters(BaseModel):
    """How the combined score weighs uncertainty against distance.

    ``alpha`` 1 is uncertainty alone, 0 is distance from the codebook alone. ``is_sampled`` draws
    in proportion to the score instead of taking the highest: among synthetic candidates the
    highest scores are mostly broken samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    alpha: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    is_sampled: bool = False
