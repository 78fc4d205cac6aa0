"""What is said about the next plan: what it may spend on, what it costs, and proposals."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from activesynth.client.texts import PRINTED

Amount = Annotated[str, Field(min_length=1, max_length=220, pattern=PRINTED)]
Rest = Literal["automatic", "none"]


class Part(BaseModel):
    """A weakness that the next plan may spend on."""

    weakness: str
    title: str
    kind: str
    state: str
    planned: int | None = Field(description="Rows that the last plan gave it.")
    proposed: int | None = Field(description="Rows that the standing proposal gives it.")
    seconds_per_row: float | None = Field(description="None where nothing was measured.")


class Cost(BaseModel):
    """What a plan costs before it starts, in rows and seconds, and ``told`` in words."""

    budget: int
    named: int
    automatic: int
    seconds: float | None
    told: str


class Proposal(BaseModel):
    """A plan that somebody proposed, and what became of it."""

    number: int
    amounts: dict[str, int]
    rest: Rest
    reason: str
    proposed_by: str
    recorded_at: datetime
    used_in: int | None = Field(description="The committed iteration that used it.")
    state: Literal["standing", "used", "withdrawn", "replaced"]


class Planned(BaseModel):
    """What the next plan may spend on, what a row costs, and what was proposed."""

    campaign: str
    after: int | None = Field(description="The newest committed iteration.")
    budget: int = Field(description="Most rows that the next iteration makes.")
    labelled: int
    growth: float
    parts: list[Part]
    standing: int | None = Field(description="The number of the proposal that stands.")
    rest: Rest
    measured: int = Field(description="How many iterations the costs come from.")
    seconds_per_row: float | None
    proposals: list[Proposal] = Field(description="The newest 50, newest first.")


class Kept(BaseModel):
    """The proposal that stands now, or that was withdrawn."""

    number: int
    amounts: dict[str, int]
    rest: Rest


class TakenBack(BaseModel):
    """Why the standing proposal is withdrawn."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=PRINTED)]


class Made(BaseModel):
    """Samples that were made for a weakness and kept nowhere."""

    iteration: int = Field(description="Whose generator made them.")
    weakness: str
    title: str
    seconds: float
    labels: list[str]
    pictures: list[str] = Field(description="PNG as data URIs; none where there are no pictures.")
    values: list[str] = Field(description="Values as text where there are no pictures.")
