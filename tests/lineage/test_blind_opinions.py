"""Second opinions: blind, another person's, and without a say in what stands."""

from __future__ import annotations

import pytest

from activesynth.domain.records import Annotation, IterationRecord, QueueItem
from activesynth.errors import ConfigurationError, ConflictError, InputError
from activesynth.lineage.canonical import canonical_state
from activesynth.lineage.lineage import Lineage
from lineage_cases import make_commit
from queue_cases import answer_to, ids, make_items, rows


@pytest.fixture
def answered(lineage: Lineage, opened: IterationRecord) -> list[QueueItem]:
    """Return five items that are asked of a second person; ada answered the first four."""
    items = make_items(5, second=True)
    lineage.queue.enqueue(opened.ref, [*items, QueueItem("x", "sx", "label", "shard", 9, None)])
    for item in items[:3]:
        lineage.queue.answer(answer_to(item, "ada", 7))
    lineage.queue.answer(Annotation(items[3].id, items[3].sample, "skip", None, "ada", 0))
    lineage.queue.answer(Annotation("x", "sx", "relabel", 7, "ada", 0))
    return items


def test_a_second_person_gets_what_another_answered_without_a_trace_of_it(
    lineage: Lineage, answered: list[QueueItem]
) -> None:
    offered = lineage.queue.next_second("digits", "bob", 9)

    assert offered == answered[:3]  # to the last field as when nobody had answered
    assert lineage.queue.next_second("digits", "ada", 9) == []
    assert lineage.queue.next_second("digits", "cleo", 9) == []
    lineage.queue.release("bob")
    assert lineage.queue.next_second("digits", "cleo", 2) == answered[:2]


def test_a_second_opinion_never_changes_what_stands_and_counts_once(
    lineage: Lineage, opened: IterationRecord, answered: list[QueueItem], database_url: str
) -> None:
    before = lineage.queue.answers(opened.ref)
    give = lineage.queue.second_opinion
    give("item-0000", "bob", "relabel", 2)
    give("item-0000", "bob", "relabel", 2)
    give("item-0001", "bob", "skip", None)

    assert lineage.queue.answers(opened.ref) == before
    assert lineage.queue.progress("digits").answered == 5
    assert ids(lineage.queue.next_second("digits", "bob", 9)) == [2]
    assert ids(lineage.queue.next_second("digits", "cleo", 9)) == [1]
    with pytest.raises(ConflictError, match="said something else about item 'item-0000'"):
        give("item-0000", "bob", "reject", None)
    given = "SELECT item, annotator, number, action, label FROM activesynth.second_opinions"
    assert rows(database_url, f"{given} ORDER BY item") == [
        ("item-0000", "bob", 0, "relabel", 2),
        ("item-0001", "bob", 0, "skip", None),
    ]


def test_a_second_opinion_is_another_persons_on_a_question_that_asks_for_it(
    lineage: Lineage, answered: list[QueueItem]
) -> None:
    give = lineage.queue.second_opinion

    with pytest.raises(ConflictError, match="'ada' gave the first answer"):
        give("item-0000", "ada", "relabel", 2)
    with pytest.raises(ConflictError, match="no first answer now"):
        give("item-0004", "bob", "relabel", 2)
    with pytest.raises(ConfigurationError, match="no second opinion is asked for item 'x'"):
        give("x", "bob", "relabel", 2)
    with pytest.raises(ConfigurationError, match="no annotation item 'y'"):
        give("y", "bob", "relabel", 2)
    with pytest.raises(InputError, match="'relabel' came without a label"):
        give("item-0000", "bob", "relabel", None)
    with pytest.raises(InputError, match="'reject' came with a label"):
        give("item-0000", "bob", "reject", 1)


def test_a_second_opinion_that_is_taken_back_is_asked_for_again(
    lineage: Lineage, answered: list[QueueItem], database_url: str
) -> None:
    lineage.queue.second_opinion("item-0001", "bob", "reject", None)
    lineage.queue.undo_second("item-0001", "bob")
    again = lineage.queue.next_second("digits", "bob", 9)
    lineage.queue.second_opinion("item-0001", "bob", "accept", 4)

    assert ids(again) == [0, 1, 2]
    with pytest.raises(ConflictError, match="'cleo' has no second opinion on item 'item-0001'"):
        lineage.queue.undo_second("item-0001", "cleo")
    kept = "SELECT action FROM activesynth.second_opinions ORDER BY number"
    assert rows(database_url, kept) == [("reject",), ("undo",), ("accept",)]


def test_second_opinions_may_come_after_the_commit_and_change_nothing_of_it(
    lineage: Lineage, opened: IterationRecord, answered: list[QueueItem], database_url: str
) -> None:
    before_commit = lineage.reader.opinions("digits")
    lineage.queue.second_opinion("item-0000", "bob", "relabel", 7)
    while_open = lineage.reader.opinions("digits")
    lineage.store.commit_iteration(make_commit(opened))
    state = canonical_state(database_url, "digits")

    offered = lineage.queue.next_second("digits", "bob", 9)
    lineage.queue.second_opinion("item-0002", "bob", "reject", None)

    assert before_commit == while_open == []
    assert ids(offered) == [1, 2]
    assert canonical_state(database_url, "digits") == state
    found = lineage.reader.opinions("digits")
    assert [(r["item"], r["annotator"], r["is_first"], r["action"], r["label"]) for r in found] == [
        ("item-0000", "ada", True, "relabel", 7),
        ("item-0000", "bob", False, "relabel", 7),
        ("item-0002", "ada", True, "relabel", 7),
        ("item-0002", "bob", False, "reject", None),
    ]


def test_who_gave_the_second_opinion_and_then_answers_first_is_one_person(
    lineage: Lineage, opened: IterationRecord, answered: list[QueueItem]
) -> None:
    lineage.queue.second_opinion("item-0000", "bob", "relabel", 2)
    lineage.queue.undo("item-0000", "ada")
    lineage.queue.answer(Annotation("item-0000", "sample-0", "relabel", 2, "bob", 2))
    offered = lineage.queue.next_second("digits", "cleo", 1)
    lineage.store.commit_iteration(make_commit(opened))

    assert ids(offered) == [0]
    assert lineage.reader.opinions("digits") == []
