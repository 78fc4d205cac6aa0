"""Annotating in a terminal: a picture, a key, the answer saved at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from activesynth.annotation.answers import labelled, rejected, skipped
from activesynth.annotation.blocks import as_blocks, as_numbers
from activesynth.domain.canonical import Array
from activesynth.domain.ports import Modality, ObjectStore
from activesynth.domain.records import Annotation, QueueItem
from activesynth.domain.samples import SampleSet
from activesynth.domain.sharing import OpinionAction
from activesynth.errors import ConflictError, CorruptArtifactError, TransientError

ENDINGS = ("q", "", "\x03", "\x04")
ENTER = ("\r", "\n")
RUBOUT = ("\x7f", "\b")


Draw = Callable[[QueueItem], str]
"""Returns what is shown of an item."""


class Desk(Protocol):
    """What a terminal asks of a queue: of the database's own, or of one behind the REST API."""

    def next_items(self, campaign: str, annotator: str, limit: int, /) -> list[QueueItem]:
        """Claim the next open items, the person's own first."""
        ...

    def next_second(self, campaign: str, annotator: str, limit: int, /) -> list[QueueItem]:
        """Claim items for a second opinion."""
        ...

    def answer(self, annotation: Annotation, /) -> None:
        """Keep an answer."""
        ...

    def second_opinion(
        self, item: str, annotator: str, action: OpinionAction, label: int | None, /
    ) -> None:
        """Keep a second opinion."""
        ...

    def undo(self, item: str, annotator: str, /) -> None:
        """Take an answer back."""
        ...

    def undo_second(self, item: str, annotator: str, /) -> None:
        """Take a second opinion back."""
        ...

    def release(self, annotator: str, /) -> None:
        """Let go of what the person holds."""
        ...


def annotate_in_terminal(
    queue: Desk,
    objects: ObjectStore,
    modality: Modality,
    classes: Sequence[str],
    campaign: str,
    annotator: str,
    read_key: Callable[[], str],
    write: Callable[[str], None],
    *,
    is_second: bool = False,
) -> int:
    """Offer open questions whose rows lie in a store, as :func:`annotate_drawn`.

    Args:
        queue: Where questions wait.
        objects: Where their rows lie.
        modality: Draws the rows.
        classes: Names by label.
        campaign: Whose questions.
        annotator: Who answers.
        read_key: Returns the next key, an empty text at the end of input.
        write: Prints.
        is_second: Ask for second opinions on what others answered, without showing it.
    """
    stored = _Stored(objects, modality)
    return annotate_drawn(
        queue, stored.draw, classes, campaign, annotator, read_key, write, is_second=is_second
    )


def annotate_drawn(
    queue: Desk,
    draw: Draw,
    classes: Sequence[str],
    campaign: str,
    annotator: str,
    read_key: Callable[[], str],
    write: Callable[[str], None],
    *,
    is_second: bool = False,
) -> int:
    """Offer the campaign's open questions one by one; return how many answers stand.

    A key counts for the picture that is on the screen and is saved before the next is shown. A
    key that means nothing here is named and changes nothing. What is shown is with nobody else
    meanwhile, and what was not answered is let go at the end.

    Args:
        queue: Where questions wait.
        draw: Draws a row.
        classes: Names by label.
        campaign: Whose questions.
        annotator: Who answers.
        read_key: Returns the next key, an empty text at the end of input.
        write: Prints.
        is_second: Ask for second opinions on what others answered, without showing it.
    """
    questions = SecondQuestions(queue) if is_second else Questions(queue)
    session = _Session(questions, draw, tuple(classes), campaign, annotator, write)
    try:
        while (item := session.next_item()) is not None:
            session.show(item)
            if not session.handle(item, read_key):
                break
        else:
            write("No questions are open that nobody else has.\n")
    finally:
        with suppress(TransientError):  # then the claims end by themselves
            queue.release(annotator)
    return len(session.answered)


@dataclass(frozen=True, slots=True)
class Questions:
    """First answers: what is asked, saved and taken back."""

    queue: Desk

    def next_items(self, campaign: str, annotator: str, limit: int) -> list[QueueItem]:
        """Claim what is shown next, and what was taken back."""
        return self.queue.next_items(campaign, annotator, limit)

    def save(self, answer: Annotation) -> None:
        """Save an answer."""
        self.queue.answer(answer)

    def undo(self, item: str, annotator: str) -> None:
        """Take an answer back."""
        self.queue.undo(item, annotator)


class SecondQuestions(Questions):
    """Second opinions on what others answered."""

    __slots__ = ()

    def next_items(self, campaign: str, annotator: str, limit: int) -> list[QueueItem]:
        """Claim what is shown next, and what was taken back."""
        return self.queue.next_second(campaign, annotator, limit)

    def save(self, answer: Annotation) -> None:
        """Save an opinion."""
        self.queue.second_opinion(answer.item, answer.annotator, answer.action, answer.label)

    def undo(self, item: str, annotator: str) -> None:
        """Take an opinion back."""
        self.queue.undo_second(item, annotator)


@dataclass(slots=True)
class _Session:
    questions: Questions
    draw: Draw
    classes: tuple[str, ...]
    campaign: str
    annotator: str
    write: Callable[[str], None]
    answered: list[str] = field(default_factory=list)
    taken_back: set[str] = field(default_factory=set)
    wanted: str | None = None

    def next_item(self) -> QueueItem | None:
        """Return the item taken back last if it is open, else the first open one, read afresh."""
        # One more than what was taken back: no more is kept from others than is shown.
        limit = 1 + len(self.taken_back)
        items = self.questions.next_items(self.campaign, self.annotator, limit)
        chosen = [item for item in items if item.id == self.wanted]
        self.wanted = None
        return next(iter([*chosen, *items]), None)

    def show(self, item: QueueItem) -> None:
        """Draw the item, and say which keys there are."""
        self.write("\n" + self.draw(item))
        if item.proposed is not None and item.kind == "recheck":
            name = self.classes[item.proposed]
            self.write(f"trains as {name}, doubted   a it is right   r take it out of train\n")
        elif item.proposed is not None:
            self.write(f"proposed: {self.classes[item.proposed]}   a accept   r reject\n")
        names = "  ".join(f"{label} {name}" for label, name in enumerate(self.classes))
        confirm = "  (then Enter)" if len(self.classes) > 10 else ""
        self.write(f"{names}{confirm}\ns skip   u undo   q quit   [{item.sample[:12]}] ")

    def handle(self, item: QueueItem, read_key: Callable[[], str]) -> bool:
        """Read keys until one decides about ``item``; return False to stop."""
        typed = ""
        while True:
            key = read_key()
            if key in ENDINGS:
                return False
            if key == "u":
                return self._undo()
            if key.isascii() and key.isdigit() and len(self.classes) > 10:
                typed += key
                self.write(key)
            elif key in RUBOUT or (key in ENTER and not typed):
                typed = typed[:-1]
            elif (answer := self._meant(item, key, typed)) is not None:
                self._save(answer)
                return True
            else:
                typed = ""
                self.write(f"\n{key!r} means nothing here; nothing was saved. ")

    def _meant(self, item: QueueItem, key: str, typed: str) -> Annotation | None:
        """Return the answer a key stands for, or None."""
        if typed and key not in ENTER:
            return None  # half a number and a letter: ask again rather than guess
        if key == "s":
            return skipped(item, self.annotator)
        if key == "r":
            return rejected(item, self.annotator)
        if key == "a" and item.proposed is not None:
            return labelled(item, item.proposed, self.annotator)
        number = typed if key in ENTER else key
        if number.isascii() and number.isdigit() and int(number) < len(self.classes):
            return labelled(item, int(number), self.annotator)
        return None

    def _save(self, answer: Annotation) -> None:
        said = answer.action if answer.label is None else self.classes[answer.label]
        try:
            self.questions.save(answer)
        except ConflictError as error:
            self.write(f"\nNot saved, somebody answered in between: {error}\n")
            return
        except TransientError as error:
            self.wanted = answer.item
            self.write(f"\nNot saved, the database did not answer: {error} Press the key again.\n")
            return
        self.answered.append(answer.item)
        self.taken_back.discard(answer.item)
        self.write(f"{said}\n")

    def _undo(self) -> bool:
        if not self.answered:
            self.write("\nThere is nothing to undo.\n")
            return True
        item = self.answered[-1]
        try:
            self.questions.undo(item, self.annotator)
        except (ConflictError, TransientError) as error:
            self.write(f"\nNot undone: {error}\n")
            return True
        self.answered.pop()
        self.taken_back.add(item)
        self.wanted = item
        self.write("\nUndone.\n")
        return True


@dataclass(slots=True)
class _Stored:
    """Draws rows of shards; the last shard is kept."""

    objects: ObjectStore
    modality: Modality
    shard: tuple[str, SampleSet] | None = None

    def draw(self, item: QueueItem) -> str:
        row = self._row(item)
        picture = self.modality.as_pixels(row[None])
        return as_numbers(row) if picture is None else as_blocks(picture[0])

    def _row(self, item: QueueItem) -> Array:
        if self.shard is None or self.shard[0] != item.shard:
            self.shard = (item.shard, SampleSet.decode(self.objects.get(item.shard)))
        rows = self.shard[1]
        if item.row >= len(rows) or rows.ids[item.row] != item.sample:
            raise CorruptArtifactError(
                f"row {item.row} of shard {item.shard} is not sample {item.sample}; the queue and "
                "the store do not belong together, check which database and store are set."
            )
        row: Array = rows.x[item.row]
        return row
