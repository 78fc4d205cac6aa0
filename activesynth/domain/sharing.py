"""How several people share one annotation queue: claims, blind second opinions, how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

from activesynth.domain.records import IterationRef, QueueItem

CLAIM = timedelta(minutes=10)
"""How long an item stays with whom it was handed to, counted anew each time it is asked for.

Longer than anybody looks at one picture, and short enough that what was left open over a break is
with somebody else before the others have run out of questions.
"""

QuestionKind = Literal["label", "review", "recheck"]
KINDS: tuple[QuestionKind, ...] = ("label", "review", "recheck")
"""In the order in which they are queued."""
Closing = Literal["answered", "time_over", "person"]
"""Why an iteration takes no more answers."""
OpinionAction = Literal["accept", "reject", "relabel", "skip"]


@dataclass(frozen=True, slots=True)
class QueueProgress:
    """How far the questions of a campaign's active iteration are.

    ``answered`` counts items with a standing answer, ``skipped`` and ``rejected`` those of them;
    ``answered_by_me`` those whose standing answer is of the person asked about. ``claimed`` counts
    open items that others look at now. ``seconds_per_answer`` is the median time between two of
    the person's last answers, None before there are two, and ``seconds_left`` what the open items
    take at that pace if nobody helps. ``iteration`` is None where none is active.
    """

    iteration: int | None = None
    open: int = 0
    answered: int = 0
    skipped: int = 0
    rejected: int = 0
    claimed: int = 0
    answered_by_me: int = 0
    seconds_per_answer: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """Return the seconds that the open items take, or None where the pace is unknown."""
        pace = self.seconds_per_answer
        return None if pace is None else pace * self.open


class SharedQueue(Protocol):
    """A part of :class:`activesynth.domain.ports.AnnotationQueue`."""

    def next_items(
        self,
        campaign: str,
        annotator: str,
        limit: int,
        *,
        kinds: Sequence[QuestionKind] | None = None,
    ) -> list[QueueItem]:
        """Claim the next open items for a person and return them, the person's own first.

        They are in queue order, of ``kinds`` only where given, and with nobody else. What the
        person held and did not answer comes first, so that a reload goes on where one was. Empty
        when nothing is open or everything open is with others.
        """
        ...

    def close(self, ref: IterationRef, why: Closing, by: str | None = None) -> None:
        """Let the iteration go on with the answers it has; closed once, it stays closed.

        Another run that takes the iteration over asks again what has no answer.

        Raises:
            ConflictError: If the iteration was taken over.
        """
        ...

    def closed(self, ref: IterationRef) -> Closing | None:
        """Return why the iteration takes no more answers, or None while it does."""
        ...

    def release(self, annotator: str) -> None:
        """Let go of all that the person holds, so that others get it at once."""
        ...

    def next_second(self, campaign: str, annotator: str, limit: int) -> list[QueueItem]:
        """Claim items for a second opinion and return them as nobody had answered them.

        They are those that were chosen for it, were answered by somebody else and wait for a
        second opinion, in committed iterations too. ``version`` is always 0: the true one would
        tell how often the item was answered.
        """
        ...

    def second_opinion(
        self, item: str, annotator: str, action: OpinionAction, label: int | None
    ) -> None:
        """Keep what a second person says about an item; the same again counts once.

        It never changes the answer that stands.

        Raises:
            ConflictError: ``own_answer`` if the standing answer is this person's,
                ``not_answered`` if none stands, ``second_given`` if this person said something
                else before (take it back first), or ``taken_over``.
            ConfigurationError: If there is no such item, or no second opinion is asked for.
            InputError: If there is a label where none belongs, or none where one does.
        """
        ...

    def undo_second(self, item: str, annotator: str) -> None:
        """Take back the person's second opinion, by appending that fact.

        Raises:
            ConflictError: ``nothing_to_undo`` if there is none.
        """
        ...

    def progress(self, campaign: str, annotator: str | None = None) -> QueueProgress:
        """Return how far the active iteration is, and how fast the person answers."""
        ...


class OpinionReader(Protocol):
    """A part of :class:`activesynth.domain.ports.LineageReader`."""

    def opinions(self, campaign: str) -> list[dict[str, Any]]:
        """Return what people said about items of committed iterations with two opinions or more.

        One row per item and person: ``item``, ``iteration``, ``kind``, ``annotator``, ``is_first``,
        ``action`` (accept, relabel or reject) and ``label``.
        """
        ...
