"""Messages of what operators do: declare and withdraw weaknesses, recall batches."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from activesynth.client.texts import Count, Given, Reason, Strict


class Declared(Strict):
    """One weakness, named in one way; ``severity`` goes with a corruption."""

    label: Given | None = None
    cluster: Annotated[int | None, Field(ge=0, le=100_000)] = None
    corruption: Given | None = None
    severity: Annotated[float, Field(gt=0, le=1)] = 1.0
    reason: Reason


class Withdrawn(Strict):
    """A declared weakness, as the list of declarations names it."""

    target: Given
    reason: Reason


class Standing(BaseModel):
    """What stands declared now."""

    target: str
    declared: list[str]


class Declaration(BaseModel):
    """A declaration or a withdrawal on record."""

    number: int
    action: str
    target: str
    reason: str
    recorded_at: datetime


class Batch(Strict):
    """A batch, named in one way, why it is taken back, and whether to do it now."""

    iteration: Count | None = None
    generator: Given | None = None
    weakness: Given | None = None
    annotator: Given | None = None
    samples: Annotated[list[Given], Field(default_factory=list, max_length=1000)]
    reason: Reason
    do: bool = False


class ReachedVersion(BaseModel):
    """A manifest that holds samples of a batch, or was changed by answers of it."""

    digest: str
    iteration: int | None
    origin: str
    samples: int


class ReachedModel(BaseModel):
    """A model that learnt from a batch."""

    iteration: int
    role: str
    arm: str
    replicate: int
    digest: str
    trained_on: str


class ReachedMetric(BaseModel):
    """A number that tells of such a model."""

    iteration: int
    arm: str
    split: str
    name: str
    value: float
    low: float | None
    high: float | None
    n: int


class Reach(BaseModel):
    """What a batch reached; lists end after 200, ``totals`` counts all."""

    campaign: str
    selection: dict[str, Any]
    samples: int
    accepted: int
    in_head: int
    in_branches: dict[str, int]
    is_head_model: bool
    totals: dict[str, int]
    versions: list[ReachedVersion]
    models: list[ReachedModel]
    metrics: list[ReachedMetric]


class EarlierRecall(BaseModel):
    """A recall of the same batch that is on record."""

    version: str
    reason: str
    recalled_by: str


class Recalled(BaseModel):
    """What a recall did, or would do where ``is_done`` is false.

    ``version`` is the version without the batch, null where nothing of it is left.
    """

    reach: Reach
    reason: str
    recalled_by: str
    version: str | None
    synthetic: int
    copies: int
    to_pool: int
    relabelled: int
    restored: int
    trains_anew: bool
    is_done: bool
    is_nothing_left: bool
    branches: dict[str, int]
    earlier: list[EarlierRecall]
