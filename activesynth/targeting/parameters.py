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


class TypiClustParameters(BaseModel):
    """``neighbours`` is how many nearest rows of its cluster tell how typical a row is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    neighbours: Annotated[int, Field(ge=1, le=1000)] = 20


class ProbCoverParameters(BaseModel):
    """``radius`` of the balls in embedding space; none takes the largest at which most are pure.

    A ball is pure when k-means with as many clusters as classes puts all its rows into one
    cluster; a share ``purity`` of the balls must be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    radius: Annotated[float, Field(gt=0.0)] | None = None
    purity: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95


class MixedParameters(BaseModel):
    """``share`` of the rows is drawn in proportion to entropy, the rest evenly from the others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
