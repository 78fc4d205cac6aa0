"""Every key counts once, for the picture on the screen, or is refused aloud."""

from __future__ import annotations

import os
import pty
import re
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activesynth.annotation.blocks import RESET, as_blocks, as_numbers, fitted
from activesynth.annotation.keyboard import single_keys, split_keys
from activesynth.annotation.terminal import annotate_in_terminal
from activesynth.domain.canonical import Array
from activesynth.domain.ports import AnnotationQueue
from activesynth.domain.records import Annotation, IterationRef, QueueItem
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConflictError, CorruptArtifactError, TransientError
from activesynth.modalities.image import ImageModality
from fakes import MemoryObjects, MemoryQueue, make_pictures

TEN = [f"class{number}" for number in range(10)]


class Desk:
    """A queue of ``count`` items, the first half to be labelled and the rest to be reviewed."""

    def __init__(self, count: int = 4, classes: Sequence[str] = TEN) -> None:
        self.objects = MemoryObjects()
        self.classes = classes
        ids = np.array([f"s{number}" for number in range(count)])
        rows = SampleSet(ids, make_pictures(count), np.full(count, -1), ids)
        shard = self.objects.put(rows.encode())
        self.queue = MemoryQueue(
            [
                QueueItem(f"i{n}", f"s{n}", "label", shard, n, None)
                if n < count / 2
                else QueueItem(f"i{n}", f"s{n}", "review", shard, n, 7)
                for n in range(count)
            ]
        )
        self.said = ""

    def type(self, keys: str | list[str]) -> int:
        waiting = list(keys)

        def write(text: str) -> None:
            self.said += text

        return annotate_in_terminal(
            cast(AnnotationQueue, self.queue),
            self.objects,
            ImageModality(),
            self.classes,
            "toy",
            "me",
            lambda: waiting.pop(0) if waiting else "",
            write,
        )

    @property
    def answers(self) -> list[tuple[str, str, int | None]]:
        return [(a.item, a.action, a.label) for a in self.queue.given.values()]


def test_each_key_is_saved_for_the_item_on_the_screen() -> None:
    desk = Desk()

    count = desk.type("3sar")

    assert count == 4
    assert desk.answers == [
        ("i0", "relabel", 3),
        ("i1", "skip", None),
        ("i2", "accept", 7),
        ("i3", "reject", None),
    ]
    assert desk.said.endswith("No questions are open that nobody else has.\n")


def test_a_digit_on_a_review_relabels_or_confirms() -> None:
    desk = Desk()

    desk.type("0027")

    assert desk.answers[2:] == [("i2", "relabel", 2), ("i3", "accept", 7)]


def test_quitting_keeps_what_was_answered_and_nothing_more() -> None:
    for ending in ("q", "\x03", ""):
        desk = Desk()

        assert desk.type(["5", ending, "6"]) == 1
        assert desk.answers == [("i0", "relabel", 5)]


@pytest.mark.parametrize("key", ["a", "x", "A", "S", "\x1b[a", "\x1b", " ", "²", "\u0661", "é"])
def test_a_key_without_meaning_saves_nothing_and_is_named(key: str) -> None:
    desk = Desk()

    desk.type([key, "q"])

    assert desk.answers == []
    assert "means nothing here; nothing was saved" in desk.said


def test_a_digit_beyond_the_classes_is_refused() -> None:
    desk = Desk(classes=["cat", "dog"])
    desk.queue.items = desk.queue.items[:1]

    desk.type("21")

    assert desk.answers == [("i0", "relabel", 1)]
    assert "'2' means nothing" in desk.said


def test_undo_takes_back_the_last_answer_and_asks_again() -> None:
    desk = Desk()

    count = desk.type("12u3q")

    assert count == 2
    assert desk.answers == [("i0", "relabel", 1), ("i1", "relabel", 3)]


def test_undo_reaches_back_to_the_first_answer_and_no_further() -> None:
    desk = Desk()

    desk.type("12uuu4q")

    assert desk.answers == [("i0", "relabel", 4)]
    assert "nothing to undo" in desk.said


def test_many_classes_take_a_number_and_enter() -> None:
    desk = Desk(classes=[f"c{number}" for number in range(30)])

    desk.type("12\r1\x7f9\n\n3a40\r3\rq")

    assert desk.answers == [("i0", "relabel", 12), ("i1", "relabel", 9), ("i2", "relabel", 3)]
    assert desk.said.count("means nothing") == 2


def test_an_answer_from_somewhere_else_is_told_and_not_overwritten() -> None:
    desk = Desk()

    class Raced(MemoryQueue):
        def answer(self, annotation: Annotation, *, holder: IterationRef | None = None) -> None:
            if annotation.item == "i0" and "i0" not in self.given:
                theirs = Annotation("i0", "s0", "relabel", 9, "other", 0)
                MemoryQueue.answer(self, theirs)
            MemoryQueue.answer(self, annotation)

    desk.queue = Raced(desk.queue.items)

    count = desk.type("12q")

    assert desk.answers == [("i0", "relabel", 9), ("i1", "relabel", 2)]
    assert count == 1
    assert "somebody answered in between" in desk.said


def test_an_answer_that_could_not_be_saved_is_asked_for_again() -> None:
    desk = Desk()

    class Flaky(MemoryQueue):
        def answer(self, annotation: Annotation, *, holder: IterationRef | None = None) -> None:
            if annotation.label == 1:
                raise TransientError("no answer.")
            MemoryQueue.answer(self, annotation)

    desk.queue = Flaky(desk.queue.items)

    desk.type("12q")

    assert desk.answers == [("i0", "relabel", 2)]
    assert "Press the key again" in desk.said


def test_an_undo_that_is_refused_is_told() -> None:
    desk = Desk()

    class Closed(MemoryQueue):
        def undo(self, item: str, annotator: str) -> None:
            raise ConflictError("the iteration is committed")

    desk.queue = Closed(desk.queue.items)

    assert desk.type("1uq") == 1
    assert "Not undone: the iteration is committed" in desk.said


def test_a_row_that_is_not_the_sample_asked_about_is_refused() -> None:
    desk = Desk()
    other = desk.queue.items[0]
    desk.queue.items = [QueueItem("i9", "s9", "label", other.shard, 1, None)]

    with pytest.raises(CorruptArtifactError, match="do not belong together"):
        desk.type("1")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*"0123456789arsuxq", "\x1b[A", "\r"]), max_size=30))
def test_whatever_is_typed_the_queue_holds_what_was_meant(keys: list[str]) -> None:
    desk = Desk(6)
    history: list[tuple[str, int | None]] = []
    for key in keys:
        position = len(history)
        if key == "q" or position == 6:
            break
        if key == "u":
            history = history[:-1]
        elif key.isdigit():
            is_proposed = position >= 3 and key == "7"
            history.append(("accept" if is_proposed else "relabel", int(key)))
        elif key in ("s", "r"):
            history.append(("skip" if key == "s" else "reject", None))
        elif key == "a" and position >= 3:
            history.append(("accept", 7))

    desk.type(keys)

    assert sorted(desk.answers) == [(f"i{n}", *said) for n, said in enumerate(history)]


def read_back(drawing: str) -> Array:
    """Parse a drawing to pixels again."""
    rows = []
    for line in drawing.splitlines():
        cells = re.findall(r"38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m▀", line)
        numbers = np.array(cells, int)
        rows += [numbers[:, :3], numbers[:, 3:]]
    return np.stack(rows)


def test_a_drawing_shows_every_pixel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)

    drawing = as_blocks(picture, columns=12)

    assert read_back(drawing).tolist() == picture.tolist()
    assert all(line.endswith(RESET) for line in drawing.splitlines())


def test_an_odd_height_is_completed_with_black() -> None:
    drawn = read_back(as_blocks(np.full((3, 4, 3), 9, np.uint8), columns=4))

    assert drawn.shape == (4, 4, 3)
    assert (drawn[3] == 0).all()


@given(height=st.integers(1, 300), width=st.integers(1, 300), columns=st.integers(1, 80))
@settings(max_examples=60, deadline=None)
def test_a_picture_of_any_size_fits_and_keeps_its_grey(
    height: int, width: int, columns: int
) -> None:
    small = fitted(np.full((height, width, 3), 77, np.uint8), columns)

    assert 1 <= max(small.shape[:2]) <= max(columns, 1)
    assert (small == 77).all()


def test_a_large_picture_is_averaged() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[::2] = 200

    assert (fitted(picture, 2) == 100).all()


def test_typed_text_divides_into_keys_with_arrows_whole() -> None:
    assert split_keys("1\x1b[Aa\x1bOPq\x1b") == ["1", "\x1b[A", "a", "\x1bOP", "q", "\x1b"]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r", closefd=False) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        yield ours, theirs
    os.close(ours)
    os.close(theirs)


def test_keys_come_without_enter_and_the_terminal_is_restored(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    before = termios.tcgetattr(theirs)

    keys: list[str] = []

    def session_that_ends_badly() -> None:
        with single_keys() as read_key:
            os.write(ours, b"3\x1b[Ba")
            keys.extend(read_key() for _ in range(3))
            raise RuntimeError("the session ends badly")

    with pytest.raises(RuntimeError, match="ends badly"):
        session_that_ends_badly()

    assert keys == ["3", "\x1b[B", "a"]
    assert termios.tcgetattr(theirs) == before


def test_piped_input_ends_with_an_empty_key(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"1s")
    os.close(writing)
    read: Callable[[], str]

    with os.fdopen(reading) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        with single_keys() as read:
            keys = [read(), read(), read()]

    assert keys == ["1", "s", ""]


def test_a_row_without_a_picture_is_shown_as_its_numbers() -> None:
    assert as_numbers(np.array([0.25, -1.5], np.float32)) == "[ 0.25 -1.5 ]\n"
    assert len(as_numbers(np.zeros(100_000, np.float32)).splitlines()) == 1
