"""Questions to people: offered once, answered by appending, safe against stale answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from activesynth.domain.records import (
    Annotation,
    Bundle,
    IterationRecord,
    QueueItem,
    VersionRow,
)
from activesynth.errors import ConfigurationError, ConflictError, InputError
from activesynth.lineage.lineage import Lineage
from lineage_cases import ROOT, make_campaign, make_commit, make_step

ITEMS = tuple(
    QueueItem(f"item-{row}", f"sample-{row}", "label", "shard", row, None) for row in (2, 0, 1)
)


@pytest.fixture
def opened(lineage: Lineage) -> IterationRecord:
    make_campaign(lineage.store)
    return lineage.store.open_iteration("digits", "run-0", {})


def make_answer(row: int, version: int = 0, *, by: str = "ann", label: int = 3) -> Annotation:
    return Annotation(f"item-{row}", f"sample-{row}", "accept", label, by, version)


def given(lineage: Lineage, opened: IterationRecord) -> list[tuple[str, int | None, str]]:
    return [(a.item, a.label, a.annotator) for a in lineage.queue.answers(opened.ref)]


def test_offered_items_wait_in_the_order_they_were_offered(
    lineage: Lineage, opened: IterationRecord
) -> None:
    before = lineage.queue.waiting_since(opened.ref)
    lineage.queue.enqueue(opened.ref, ITEMS)

    assert before is None
    assert tuple(lineage.queue.pending("digits")) == ITEMS
    assert tuple(lineage.queue.pending("digits", limit=2)) == ITEMS[:2]
    assert lineage.queue.pending("letters") == []
    assert lineage.store.iteration(opened.ref).state == "waiting"


def test_offering_again_keeps_answers_and_the_time_of_the_first_offer(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    since = lineage.queue.waiting_since(opened.ref)
    lineage.queue.answer(make_answer(0))
    lineage.queue.enqueue(opened.ref, ITEMS)

    assert lineage.queue.waiting_since(opened.ref) == since
    assert [item.id for item in lineage.queue.pending("digits")] == ["item-2", "item-1"]


def test_an_iteration_stops_waiting_when_its_next_step_is_recorded(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    lineage.store.record_step(opened.ref, make_step("annotate"))

    assert lineage.store.iteration(opened.ref).state == "open"


def test_answers_come_back_in_queue_order_with_their_time(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    for row in (0, 1, 2):
        lineage.queue.answer(make_answer(row, label=row))

    answers = lineage.queue.answers(opened.ref)
    assert [answer.item for answer in answers] == ["item-2", "item-0", "item-1"]
    assert [answer.label for answer in answers] == [2, 0, 1]
    assert all(answer.at is not None and answer.at.tzinfo is not None for answer in answers)


def test_a_stale_answer_is_refused_and_the_same_answer_twice_counts_once(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    lineage.queue.answer(make_answer(0))
    lineage.queue.answer(make_answer(0))

    with pytest.raises(ConflictError, match="answered in between"):
        lineage.queue.answer(make_answer(0, by="bob", label=5))
    assert given(lineage, opened) == [("item-0", 3, "ann")]


def test_a_second_opinion_on_the_newest_version_replaces_the_first(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    lineage.queue.answer(make_answer(0))
    lineage.queue.answer(make_answer(0, 1, by="bob", label=5))

    assert given(lineage, opened) == [("item-0", 5, "bob")]


def test_undo_brings_back_what_stood_before(lineage: Lineage, opened: IterationRecord) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    lineage.queue.answer(make_answer(0))
    lineage.queue.answer(make_answer(0, 1, by="bob", label=5))
    lineage.queue.undo("item-0", "bob")
    after_one = given(lineage, opened)
    lineage.queue.undo("item-0", "ann")

    assert after_one == [("item-0", 3, "ann")]
    assert given(lineage, opened) == []
    again = next(item for item in lineage.queue.pending("digits") if item.id == "item-0")
    assert again.version == 4
    with pytest.raises(ConflictError, match="'ann' has no answer to item 'item-0'"):
        lineage.queue.undo("item-0", "ann")


def test_an_undo_that_names_its_answer_takes_back_that_one_and_once(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    lineage.queue.answer(make_answer(0))
    lineage.queue.answer(make_answer(0, 1, label=5))
    for _ in range(2):
        lineage.queue.undo("item-0", "ann", version=1)

    assert given(lineage, opened) == [("item-0", 3, "ann")]
    for annotator, version in (("bob", 0), ("ann", 7)):
        with pytest.raises(ConflictError, match="has no answer"):
            lineage.queue.undo("item-0", annotator, version=version)
    assert given(lineage, opened) == [("item-0", 3, "ann")]


def test_a_committed_iteration_takes_no_more_answers_and_keeps_those_it_has(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    lineage.queue.answer(make_answer(0))
    lineage.store.commit_iteration(make_commit(opened))

    late_ones: tuple[Callable[[], None], ...] = (
        lambda: lineage.queue.answer(make_answer(1)),
        lambda: lineage.queue.undo("item-0", "ann"),
    )
    for late in late_ones:
        with pytest.raises(ConflictError, match="takes no more answers"):
            late()
    assert lineage.queue.pending("digits") == []
    assert given(lineage, opened) == [("item-0", 3, "ann")]


def test_after_a_take_over_only_items_offered_again_are_asked_and_answers_still_stand(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    lineage.queue.answer(make_answer(0))
    lineage.store.fail_iteration(opened.ref, "stopped")
    taken = lineage.store.open_iteration("digits", "run-1", {})
    before = lineage.queue.pending("digits")

    lineage.queue.enqueue(taken.ref, ITEMS[1:])

    assert before == []
    assert [item.id for item in lineage.queue.pending("digits")] == ["item-1"]
    assert given(lineage, taken) == [("item-0", 3, "ann")]
    with pytest.raises(ConflictError, match="taken over"):
        lineage.queue.enqueue(opened.ref, ITEMS)


def test_questions_reopen_a_failed_iteration_and_keep_a_refresh_out(
    lineage: Lineage, opened: IterationRecord
) -> None:
    refreshed = Bundle(version=VersionRow("refreshed", ROOT, "refresh", {"train": 3}))
    lineage.store.fail_iteration(opened.ref, "screen failed")

    lineage.queue.enqueue(opened.ref, ITEMS)

    assert lineage.store.iteration(opened.ref).state == "waiting"
    assert tuple(lineage.queue.pending("digits")) == ITEMS
    with pytest.raises(ConflictError, match="waiting under run 'run-0'"):
        lineage.store.commit_version("digits", refreshed, expected_head=ROOT)


def test_an_item_of_another_iteration_cannot_be_offered_again(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    lineage.store.commit_iteration(make_commit(opened))
    following = lineage.store.open_iteration("digits", "run-1", {})

    with pytest.raises(ConflictError, match="make the id from campaign, iteration and sample"):
        lineage.queue.enqueue(following.ref, ITEMS)
    assert lineage.queue.waiting_since(following.ref) is None


def test_an_answer_must_be_about_the_item_it_names(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)

    with pytest.raises(InputError, match="asks about sample 'sample-0'"):
        lineage.queue.answer(Annotation("item-0", "sample-1", "accept", 1, "ann", 0))
    with pytest.raises(ConfigurationError, match="no annotation item 'item-9'"):
        lineage.queue.answer(make_answer(9))


def test_an_answer_of_a_task_whose_iteration_was_taken_over_is_refused(
    lineage: Lineage, opened: IterationRecord
) -> None:
    lineage.queue.enqueue(opened.ref, ITEMS)
    lineage.queue.answer(make_answer(0), holder=opened.ref)
    lineage.store.fail_iteration(opened.ref, "its run is dead")
    successor = lineage.store.open_iteration("digits", "run-1", {})
    lineage.queue.enqueue(successor.ref, ITEMS)

    with pytest.raises(ConflictError, match="taken over by run 'run-1'"):
        lineage.queue.answer(make_answer(1), holder=opened.ref)
    lineage.queue.answer(make_answer(2), holder=successor.ref)

    assert [item for item, _, _ in given(lineage, successor)] == ["item-2", "item-0"]
