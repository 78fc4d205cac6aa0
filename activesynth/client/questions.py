"""Messages of the annotation queue. No request names an annotator: the login does."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from activesynth.client.texts import Count, Given, Strict
from activesynth.domain.sharing import OpinionAction, QuestionKind

AHEAD = 24
"""Items that are claimed and loaded at once: a grid, or what is preloaded."""
Label = Annotated[int, Field(ge=0, le=100_000)]


class Wanted(Strict):
    """What to hand out: first questions, or blind second ones."""

    limit: Annotated[int, Field(ge=1, le=AHEAD)] = 8
    second: bool = False
    kinds: Annotated[list[QuestionKind], Field(max_length=3)] | None = None


class Answer(Strict):
    """An answer about one item, as the version that was shown; ``second`` for a blind one."""

    item: Given
    sample: Given
    version: Count
    action: OpinionAction
    label: Label | None = None
    second: bool = False


class Undo(Strict):
    """Which item's answer, of this person, is taken back: that to ``version``, or the latest.

    With a version it may be sent again and again, and takes back nothing else.
    """

    item: Given
    version: Count | None = None
    second: bool = False


class Nothing(Strict):
    """What is sent where nothing has to be said: a write is JSON all the same."""


class Question(BaseModel):
    """One item as it is shown; nothing in it tells what others answered."""

    id: str
    sample: str
    kind: Literal["label", "review", "recheck"]
    proposed: int | None
    version: int


class Progress(BaseModel):
    """How far the questions of the active iteration are."""

    iteration: int | None
    open: int
    answered: int
    skipped: int
    rejected: int
    claimed: int
    answered_by_me: int
    seconds_per_answer: float | None
    seconds_left: float | None


class Handed(BaseModel):
    """The next questions of this person, and how far the queue is."""

    items: list[Question]
    progress: Progress


class Saved(BaseModel):
    """An answer is on record; it stays there whatever happens next."""

    saved: str
    progress: Progress


class Finished(BaseModel):
    """The questions are closed; so many have no answer."""

    missing: int
