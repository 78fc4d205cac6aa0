"""Two people in two terminals on one queue in a real database."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from activesynth.annotation.terminal import annotate_in_terminal
from activesynth.domain.records import IterationRecord, QueueItem
from activesynth.domain.samples import SampleSet
from activesynth.lineage.lineage import Lineage
from activesynth.modalities.image import ImageModality
from fakes import MemoryObjects, make_pictures
from lineage_cases import make_campaign

ITEMS = 5
CLASSES = ("bag", "boot", "coat")


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def opened(lineage: Lineage, objects: MemoryObjects) -> IterationRecord:
    ids = np.array([f"s{n}" for n in range(ITEMS)])
    rows = SampleSet(ids, make_pictures(ITEMS), np.full(ITEMS, -1), ids)
    shard = objects.put(rows.encode())
    make_campaign(lineage.store)
    opened = lineage.store.open_iteration("digits", "run-0", {})
    items = [
        QueueItem(f"i{n}", f"s{n}", "label", shard, n, None, second=True) for n in range(ITEMS)
    ]
    lineage.queue.enqueue(opened.ref, items)
    return opened


def sit_down(
    lineage: Lineage,
    objects: MemoryObjects,
    who: str,
    keys: list[str],
    said: list[str],
    *,
    meanwhile: Callable[[], object] = lambda: None,
    is_second: bool = False,
) -> int:
    """Type ``keys`` into a terminal; ``meanwhile`` happens while the first picture is shown."""
    first = [True]

    def read_key() -> str:
        if first.pop() if first else False:
            meanwhile()
        return keys.pop(0) if keys else "q"

    return annotate_in_terminal(
        lineage.queue,
        objects,
        ImageModality(),
        CLASSES,
        "digits",
        who,
        read_key,
        said.append,
        is_second=is_second,
    )


def given(lineage: Lineage, opened: IterationRecord) -> dict[str, tuple[str, int | None]]:
    return {a.item: (a.annotator, a.label) for a in lineage.queue.answers(opened.ref)}


def test_two_people_in_two_terminals_never_see_the_same_picture(
    lineage: Lineage, objects: MemoryObjects, opened: IterationRecord
) -> None:
    ada_saw: list[str] = []
    bob_saw: list[str] = []

    def bob() -> None:
        assert sit_down(lineage, objects, "bob", ["1"] * ITEMS, bob_saw) == ITEMS - 1

    count = sit_down(lineage, objects, "ada", ["2"], ada_saw, meanwhile=bob)

    assert count == 1
    assert given(lineage, opened) == {"i0": ("ada", 2)} | {
        f"i{n}": ("bob", 1) for n in range(1, ITEMS)
    }
    assert "[s0]" not in "".join(bob_saw)
    assert "nobody else has" in "".join(bob_saw)
    assert "Not saved" not in "".join([*ada_saw, *bob_saw])


def test_who_leaves_lets_go_and_what_was_taken_back_is_shown_first(
    lineage: Lineage, objects: MemoryObjects, opened: IterationRecord
) -> None:
    sit_down(lineage, objects, "ada", ["2", "1", "u", "u", "0", "1", "q"], [])

    assert given(lineage, opened) == {"i0": ("ada", 0), "i1": ("ada", 1)}
    assert [i.id for i in lineage.queue.next_items("digits", "bob", 9)] == ["i2", "i3", "i4"]


def test_second_opinions_are_asked_in_the_terminal_without_the_first_answer(
    lineage: Lineage, objects: MemoryObjects, opened: IterationRecord
) -> None:
    said: list[str] = []
    sit_down(lineage, objects, "ada", ["2", "r"], [])
    before = given(lineage, opened)

    count = sit_down(lineage, objects, "bob", ["1", "u", "0", "s"], said, is_second=True)

    assert count == 2
    assert given(lineage, opened) == before
    assert "reject" not in "".join(said).replace("r reject", "")
    assert "nobody else has" in "".join(said)
    assert lineage.queue.next_second("digits", "ada", 9) == []
