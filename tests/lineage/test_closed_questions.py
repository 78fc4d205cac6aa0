"""An iteration goes on with exactly the answers on record: who comes later is told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import DBAPIError

from activesynth.domain.records import IterationRecord
from activesynth.errors import ConflictError
from activesynth.lineage.lineage import Lineage
from queue_cases import answer_to, change, make_items, rows

CLOSED = "SELECT questions_closed, questions_closed_by FROM activesynth.iterations"


def test_what_is_closed_takes_no_answer_and_hands_out_no_question(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    items = make_items(3)
    lineage.queue.enqueue(opened.ref, items)
    lineage.queue.answer(answer_to(items[0], "ada"))
    before = lineage.queue.closed(opened.ref)

    lineage.queue.close(opened.ref, "person", "ada")
    lineage.queue.close(opened.ref, "time_over")

    assert (before, lineage.queue.closed(opened.ref)) == (None, "person")
    assert rows(database_url, CLOSED) == [("person", "ada")]
    with pytest.raises(ConflictError, match="as a person decided") as refused:
        lineage.queue.answer(answer_to(items[1], "bob"))
    assert refused.value.reason == "item_closed"
    with pytest.raises(ConflictError, match="takes no more answers"):
        lineage.queue.undo(items[0].id, "ada")
    assert lineage.queue.next_items("digits", "bob", 3) == []
    assert lineage.queue.pending("digits") == []
    assert lineage.reader.open_questions() == {}
    assert lineage.queue.progress("digits").open == 0
    assert len(lineage.queue.answers(opened.ref)) == 1


def test_an_answer_that_is_on_record_is_acknowledged_again_though_questions_are_closed(
    lineage: Lineage, opened: IterationRecord
) -> None:
    [item] = make_items(1)
    lineage.queue.enqueue(opened.ref, [item])
    lineage.queue.answer(answer_to(item, "ada"))
    lineage.queue.close(opened.ref, "answered")

    lineage.queue.answer(answer_to(item, "ada"))

    assert len(lineage.queue.answers(opened.ref)) == 1


def test_a_run_that_takes_over_asks_again_and_the_old_holder_closes_nothing(
    lineage: Lineage, opened: IterationRecord
) -> None:
    items = make_items(2)
    lineage.queue.enqueue(opened.ref, items)
    lineage.queue.close(opened.ref, "person", "ada")
    lineage.store.fail_iteration(opened.ref, "given up")
    taken = lineage.store.open_iteration("digits", "another run", {})

    with pytest.raises(ConflictError):
        lineage.queue.close(opened.ref, "person", "ada")
    lineage.queue.enqueue(taken.ref, items)

    assert lineage.queue.closed(taken.ref) is None
    assert len(lineage.queue.next_items("digits", "bob", 5)) == 2


def test_only_a_person_is_named_as_who_closed(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    with pytest.raises(DBAPIError, match="questions_closed_by"):
        change(
            database_url,
            "UPDATE activesynth.iterations "
            "SET questions_closed = 'answered', questions_closed_by = 'x'",
        )


@pytest.mark.parametrize("is_of_a_task", [False, True])
def test_of_answers_that_race_with_the_closing_exactly_the_acknowledged_ones_are_read_after_it(
    lineage: Lineage, opened: IterationRecord, is_of_a_task: bool
) -> None:
    holder = opened.ref if is_of_a_task else None
    items = make_items(200)
    lineage.queue.enqueue(opened.ref, items)
    begun = threading.Event()

    def answer(number: int) -> bool:
        if number == 40:
            begun.set()
        try:
            lineage.queue.answer(answer_to(items[number], f"person-{number % 4}"), holder=holder)
        except ConflictError as error:
            return error.reason != "item_closed"
        return True

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(answer, number) for number in range(200)]
        begun.wait(30)
        lineage.queue.close(opened.ref, "time_over")
        read = {given.item for given in lineage.queue.answers(opened.ref)}
        kept = {items[n].id for n, job in enumerate(asked) if job.result()}

    assert read == kept
    assert 0 < len(kept) < 200
