"""Rows that the API returns: committed facts, as the views of the database name them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

Row = TypeVar("Row", bound=BaseModel)


class Page(BaseModel, Generic[Row]):
    """One page of rows; ``next`` is the key to go on after, null at the end."""

    items: list[Row]
    next: str | None = None


class Problem(BaseModel):
    """Why a request was not answered."""

    reason: str = Field(description="A stable code; docs/reference/errors.md lists them.")
    message: str
    field: str


class Failure(BaseModel):
    """What comes with every status of 400 and above."""

    error: Problem


class Campaign(BaseModel):
    """A campaign: its state, its head, its last decision and lift, and what waits for people.

    ``rows`` counts the rows of the head by split; ``open`` the questions without an answer;
    ``next_refresh`` is when its dataset is refreshed next, if it is.
    """

    campaign: str
    state: str
    epoch: int
    iterations: int
    config_version: int
    head: str | None
    head_model: str | None
    rows: dict[str, int] | None
    active_iteration: int | None
    active_run: str | None
    last_decision: str | None
    last_reason: str | None
    last_committed_at: datetime | None
    lift_metric: str | None
    lift_split: str | None
    lift_control: str | None
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    open: int
    next_refresh: datetime | None


class CampaignDesk(BaseModel):
    """What answering questions needs to know of a campaign: its classes, by label."""

    campaign: str
    head: str
    modality: str
    classes: list[str]


class Iteration(BaseModel):
    """A committed iteration; ``seconds`` is the sum over its steps."""

    campaign: str
    iteration: int
    run_key: str
    decision: str | None
    reason: str | None
    parent: str | None
    version: str | None
    next_run: str | None
    overrides: dict[str, Any]
    config_version: int
    fence: int
    opened_at: datetime
    committed_at: datetime | None
    seconds: float


class Weakness(BaseModel):
    """A weakness as one iteration measured it, what was made for it, and what that did."""

    campaign: str
    weakness: str
    iteration: int
    kind: str
    key: str
    title: str
    state: str
    gap: float
    low: float
    high: float
    n: int
    p_value: float | None
    confirmed: bool | None
    rank: int | None
    planned: int | None
    expected_gain: float | None
    evidence: str | None
    accepted: int
    rejected: int
    benefit: float | None
    benefit_low: float | None
    benefit_high: float | None


class Candidate(BaseModel):
    """A synthetic sample with its verdict, its scores and the real rows it was made from."""

    sample: str
    iteration: int | None
    label: int | None
    verdict: str | None
    verdict_reason: str | None
    weakness: str | None
    weakness_title: str | None
    scores: dict[str, Any] | None
    generator: str | None
    seed: int | None
    parents: list[str] | None


class Member(BaseModel):
    """A recorded sample's place in a version; the real rows of its source are not recorded."""

    sample: str
    split: str
    weight: float
    origin: str
    label: int | None
    verdict: str | None
    iteration: int | None
    weakness: str | None


class Origin(BaseModel):
    """Where a recorded sample came from."""

    origin: str
    iteration: int | None
    label: int | None
    verdict: str | None
    verdict_reason: str | None
    scores: dict[str, Any] | None
    weakness: str | None
    weakness_kind: str | None
    weakness_title: str | None
    generator: str | None
    seed: int | None
    shard: str
    row: int


class Holding(BaseModel):
    """A manifest that holds a sample; ``version_origin`` is null where it is an arm's candidate."""

    manifest: str
    split: str
    weight: float
    version_origin: str | None


class Learnt(BaseModel):
    """A model that learnt from a sample."""

    model: str
    model_role: str
    model_arm: str
    model_replicate: int
    model_iteration: int


class Moved(BaseModel):
    """A headline number of an iteration whose model learnt from a sample."""

    iteration: int
    arm: str
    split: str
    name: str
    value: float
    low: float | None
    high: float | None
    n: int


class Said(BaseModel):
    """An answer about a sample in a committed iteration."""

    campaign: str
    iteration: int
    kind: str
    proposed: int | None
    action: str
    label: int | None
    annotator: str
    item_version: int
    undoes: int | None
    answered_at: datetime


class Sample(BaseModel):
    """Everything on record about a sample; ``first`` is null for a row as its source gave it."""

    sample: str
    first: Origin | None
    parents: list[str]
    manifests: list[Holding]
    models: list[Learnt]
    moved: list[Moved]
    answers: list[Said]


class Prediction(BaseModel):
    """What an arm said of one sample of guide; ``confidence`` is its mean probability."""

    sample: str
    label: int
    predicted: int
    confidence: float
