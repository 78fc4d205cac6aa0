"""Several people, one queue: everybody gets other items, and no answer is lost or misplaced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from activesynth.domain.effects import Unwatched
from activesynth.domain.records import Annotation, IterationRecord, QueueItem
from activesynth.errors import ConflictError, InputError
from activesynth.lineage.claims import FIRST_CLAIM, SECOND_CLAIM, claim_of_kinds, claim_values
from activesynth.lineage.lineage import Lineage, open_lineage
from activesynth.lineage.migrate import downgrade, upgrade
from activesynth.lineage.queue_progress import PACE, PROGRESS
from lineage_cases import make_campaign
from queue_cases import answer_to, change, ids, make_items, rows

PEOPLE = ("ada", "bob", "cleo", "dan")
_MANY = """
    INSERT INTO activesynth.annotation_items
        (id, campaign, iteration, fence, position, sample, kind, shard, "row", version, state,
         answered_by, second, awaits_second)
    SELECT 'many-' || g, 'digits', 0, 1, g, 'sample-' || g,
           CASE WHEN g < 4000 THEN 'label' ELSE 'review' END, 'shard', g, CASE WHEN g < 2000 THEN 1
           ELSE 0 END, CASE WHEN g < 2000 THEN 'labelled' ELSE 'open' END,
           CASE WHEN g < 2000 THEN 'dan' END, g % 2 = 0, g < 1000 AND g % 2 = 0
    FROM generate_series(0, 4999) g
"""
_MANY_ANSWERS = """
    INSERT INTO activesynth.annotations (item, item_version, sample, action, label, annotator)
    SELECT id, 0, sample, 'relabel', 3, 'dan' FROM activesynth.annotation_items
    WHERE state = 'labelled'
"""

_MANY_OPINIONS = """
    INSERT INTO activesynth.second_opinions (item, annotator, number, action, label)
    SELECT id, 'cleo', 0, 'relabel', 3 FROM activesynth.annotation_items
    WHERE state = 'labelled' AND second AND NOT awaits_second
"""


def at_once(work: Callable[[Lineage, str], Any], url: str, people: Sequence[str]) -> list[Any]:
    """Let everybody work in a thread with connections of their own."""

    def alone(who: str) -> Any:
        with closing(open_lineage(url, Unwatched())) as lineage:
            return work(lineage, who)

    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(alone, people))


def drain(lineage: Lineage, who: str) -> list[str]:
    handed: list[str] = []
    while items := lineage.queue.next_items("digits", who, 7):
        handed += [item.id for item in items]
        for item in items:
            lineage.queue.answer(answer_to(item, who))
    return handed


def test_two_people_draining_a_queue_get_disjoint_items_and_all_is_answered_once(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    items = make_items(400)
    lineage.queue.enqueue(opened.ref, items)

    ada, bob = at_once(drain, database_url, ("ada", "bob"))

    assert sorted([*ada, *bob]) == [item.id for item in items]
    assert all((ada, bob))
    assert rows(database_url, "SELECT count(*), max(item_version) FROM activesynth.annotations") \
        == [(400, 0)]  # fmt: skip
    assert rows(database_url, "SELECT * FROM activesynth.annotation_claims") == []


def test_people_who_ask_at_the_same_moment_get_different_items(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    lineage.queue.enqueue(opened.ref, make_items(200))

    def ask(own: Lineage, who: str) -> list[int]:
        found: list[int] = []
        for limit in range(1, 8):
            found = ids(own.queue.next_items("digits", who, limit))
        return found

    handed = at_once(ask, database_url, PEOPLE)

    assert [len(found) for found in handed] == [7] * 4
    # What one passes over because another looks at it in that moment comes later.
    assert len({n for found in handed for n in found}) == 28


def test_a_claim_that_came_after_the_look_is_not_taken_over(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    lineage.queue.enqueue(opened.ref, make_items(3))
    engine = create_engine(database_url)
    with engine.connect() as other, ThreadPoolExecutor(1) as pool:
        # Without its key, so that it does not lock the item, as if it had been written in between.
        other.execute(text("SET LOCAL session_replication_role = replica"))
        other.execute(
            text(
                "INSERT INTO activesynth.annotation_claims "
                "VALUES ('item-0000', 'bob', now() + interval '1 minute')"
            )
        )
        asked = pool.submit(lineage.queue.next_items, "digits", "ada", 2)
        waiting = text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        while not asked.done() and not other.execute(waiting).scalar_one():
            time.sleep(0.01)
        assert not asked.done()
        other.commit()
        handed = asked.result()
    engine.dispose()

    assert ids(handed) == [1, 2]
    held = "SELECT item, annotator FROM activesynth.annotation_claims ORDER BY item"
    assert rows(database_url, held)[0] == ("item-0000", "bob")


def test_a_reload_goes_on_where_one_was(lineage: Lineage, opened: IterationRecord) -> None:
    lineage.queue.enqueue(opened.ref, make_items(9))
    first = lineage.queue.next_items("digits", "ada", 3)
    others = lineage.queue.next_items("digits", "bob", 3)
    lineage.queue.answer(answer_to(first[1], "ada"))

    reloaded = lineage.queue.next_items("digits", "ada", 4)

    assert ids(first) == [0, 1, 2]
    assert ids(others) == [3, 4, 5]
    assert ids(reloaded) == [0, 2, 6, 7]
    assert ids(lineage.queue.next_items("digits", "ada", 1)) == [0]
    assert lineage.queue.next_items("letters", "ada", 4) == []


def test_what_is_let_go_is_the_next_of_others(lineage: Lineage, opened: IterationRecord) -> None:
    lineage.queue.enqueue(opened.ref, make_items(5))
    lineage.queue.next_items("digits", "ada", 3)
    lineage.queue.next_items("digits", "bob", 1)

    lineage.queue.release("ada")

    assert ids(lineage.queue.next_items("digits", "bob", 3)) == [3, 0, 1]


def test_a_claim_that_is_over_is_handed_on_and_the_version_decides(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    lineage.queue.enqueue(opened.ref, make_items(2))
    (slow,) = lineage.queue.next_items("digits", "ada", 1)
    [left] = rows(database_url, "SELECT claimed_until - now() FROM activesynth.annotation_claims")
    change(database_url, "UPDATE activesynth.annotation_claims SET claimed_until = now()")

    (handed_on,) = lineage.queue.next_items("digits", "bob", 1)
    lineage.queue.answer(answer_to(slow, "ada", 5))

    assert 500 < left[0].total_seconds() <= 600
    assert handed_on == slow
    with pytest.raises(ConflictError, match="answered in between"):
        lineage.queue.answer(answer_to(handed_on, "bob"))
    assert [(a.item, a.label, a.annotator) for a in lineage.queue.answers(opened.ref)] == [
        ("item-0000", 5, "ada")
    ]
    assert ids(lineage.queue.next_items("digits", "ada", 2)) == [1]


def test_ones_own_claim_that_is_over_is_ones_own_while_nobody_wants_it(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    lineage.queue.enqueue(opened.ref, make_items(3))
    lineage.queue.next_items("digits", "ada", 2)
    change(database_url, "UPDATE activesynth.annotation_claims SET claimed_until = now()")

    assert ids(lineage.queue.next_items("digits", "ada", 2)) == [0, 1]
    assert ids(lineage.queue.next_items("digits", "bob", 2)) == [2]


def test_a_stale_answer_is_refused_and_never_applied_to_a_neighbour(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    lineage.queue.enqueue(opened.ref, make_items(3))
    seen = lineage.queue.next_items("digits", "ada", 3)
    lineage.queue.answer(answer_to(seen[1], "bob", 7))

    with pytest.raises(ConflictError, match="answered in between"):
        lineage.queue.answer(answer_to(seen[1], "ada", 1))
    with pytest.raises(InputError, match="asks about sample 'sample-2'"):
        lineage.queue.answer(
            Annotation(seen[2].id, seen[1].sample, "relabel", 1, "ada", seen[2].version)
        )
    assert rows(database_url, "SELECT item, label, annotator FROM activesynth.annotations") == [
        ("item-0001", 7, "bob")
    ]
    assert ids(lineage.queue.next_items("digits", "ada", 9)) == [0, 2]


def test_only_the_wanted_kinds_are_handed_out(lineage: Lineage, opened: IterationRecord) -> None:
    kinds = ("label", "label", "review", "recheck")
    items = [
        QueueItem(f"item-{n:04d}", f"sample-{n}", kind, "shard", n, None)  # type: ignore[arg-type]
        for n, kind in enumerate(kinds)
    ]
    lineage.queue.enqueue(opened.ref, items)

    grid = lineage.queue.next_items("digits", "ada", 5, kinds=["review"])

    assert ids(grid) == [2]
    assert ids(lineage.queue.next_items("digits", "bob", 2, kinds=["recheck", "label"])) == [0, 1]
    assert ids(lineage.queue.next_items("digits", "cleo", 5, kinds=["recheck", "label"])) == [3]
    assert lineage.queue.next_items("digits", "dan", 5, kinds=["review"]) == []
    assert lineage.queue.next_items("digits", "ada", 5, kinds=[]) == []


def test_what_one_takes_back_is_ones_own_again(lineage: Lineage, opened: IterationRecord) -> None:
    lineage.queue.enqueue(opened.ref, make_items(3))
    (item,) = lineage.queue.next_items("digits", "ada", 1)
    lineage.queue.answer(answer_to(item, "ada"))

    lineage.queue.undo(item.id, "ada")

    assert ids(lineage.queue.next_items("digits", "bob", 3)) == [1, 2]
    (again,) = lineage.queue.next_items("digits", "ada", 3)
    assert (again.id, again.version) == (item.id, 2)


def test_a_take_over_in_the_middle_keeps_answers_and_claims_and_refuses_the_old_holder(
    lineage: Lineage, opened: IterationRecord
) -> None:
    items = make_items(6)
    lineage.queue.enqueue(opened.ref, items)
    held = lineage.queue.next_items("digits", "ada", 3)
    lineage.queue.answer(answer_to(held[0], "ada"))
    lineage.store.fail_iteration(opened.ref, "its run is dead")
    taken = lineage.store.open_iteration("digits", "run-1", {})
    between = lineage.queue.next_items("digits", "ada", 3)

    lineage.queue.enqueue(taken.ref, items[:5])

    assert between == []
    assert ids(lineage.queue.next_items("digits", "bob", 9)) == [3, 4]
    assert ids(lineage.queue.next_items("digits", "ada", 9)) == [1, 2]
    assert [a.item for a in lineage.queue.answers(taken.ref)] == ["item-0000"]
    done = lineage.queue.progress("digits", "ada")
    assert (done.open, done.answered, done.claimed, done.answered_by_me) == (4, 1, 2, 1)
    with pytest.raises(ConflictError, match="taken over"):
        lineage.queue.answer(answer_to(items[1], "ada"), holder=opened.ref)
    lineage.queue.answer(answer_to(held[1], "ada"))


@pytest.fixture
def many(lineage: Lineage, opened: IterationRecord, database_url: str) -> str:
    """Return the address of a database with 5,000 items of which 2,000 are answered."""
    lineage.queue.enqueue(opened.ref, [])
    change(database_url, _MANY, _MANY_ANSWERS, _MANY_OPINIONS)
    for who in PEOPLE:
        lineage.queue.next_items("digits", who, 10)
        lineage.queue.next_second("digits", who, 10)
    change(database_url, "ANALYZE")
    return database_url


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


@pytest.mark.parametrize(
    ("query", "more"),
    [
        (FIRST_CLAIM, {}),
        (claim_of_kinds(1), {"kind0": "review"}),
        (SECOND_CLAIM, {}),
        (PROGRESS, {"pace": PACE}),
    ],
    ids=["next", "next of a kind", "second", "progress"],
)
@pytest.mark.parametrize("who", ["ada", "newcomer"])
def test_what_is_asked_at_every_key_reads_a_few_rows_by_index(
    many: str, query: str, more: dict[str, Any], who: str
) -> None:
    engine = create_engine(many)
    with engine.begin() as connection:
        explained = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
        values = {**claim_values("digits", who, 10), **more}
        [explanation] = connection.execute(explained, values).scalar_one()
    engine.dispose()

    seen = list(nodes(explanation["Plan"]))
    scanned = {node["Relation Name"] for node in seen if node["Node Type"] == "Seq Scan"}
    assert scanned.isdisjoint({"annotation_items", "annotations", "second_opinions"})
    assert any("Index Scan" in node["Node Type"] for node in seen)
    # What a join keeps in memory and looks at again was read once, by the scan below it.
    for node in (node for node in seen if "Scan" in node["Node Type"]):
        touched = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        assert touched * node["Actual Loops"] <= 1000, node


def test_progress_counts_what_stands_and_knows_ones_pace(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    elsewhere = lineage.queue.progress("letters", "ada")
    lineage.queue.enqueue(opened.ref, make_items(10))
    items = lineage.queue.next_items("digits", "ada", 6)
    lineage.queue.next_items("digits", "bob", 2)
    for item in items[:4]:
        lineage.queue.answer(answer_to(item, "ada"))
    reject = Annotation(items[4].id, items[4].sample, "reject", None, "ada", 0)
    skip = Annotation(items[5].id, items[5].sample, "skip", None, "cleo", 0)
    lineage.queue.answer(reject)
    lineage.queue.answer(skip)
    lineage.queue.undo(items[0].id, "ada")
    change(
        database_url,
        "UPDATE activesynth.annotations SET answered_at = '2026-01-01 12:00:00Z'::timestamptz "
        "+ interval '1 second' * (ARRAY[0, 2, 5, 105, 108])[right(item, 4)::integer + 1] "
        "WHERE annotator = 'ada' AND action <> 'undo'",
    )

    mine = lineage.queue.progress("digits", "ada")

    assert elsewhere.iteration is None
    assert elsewhere.open == 0
    assert (mine.iteration, mine.open, mine.answered) == (0, 5, 5)
    assert (mine.skipped, mine.rejected, mine.claimed, mine.answered_by_me) == (1, 1, 2, 4)
    assert mine.seconds_per_answer == pytest.approx(3.0)  # of 2, 3, 100 and 3
    assert mine.seconds_left == pytest.approx(15.0)
    anybody = lineage.queue.progress("digits")
    assert (anybody.claimed, anybody.answered_by_me, anybody.seconds_left) == (3, 0, None)


def test_the_counts_are_those_of_the_items_whatever_happened(
    lineage: Lineage, opened: IterationRecord, database_url: str
) -> None:
    lineage.queue.enqueue(opened.ref, make_items(4))
    items = lineage.queue.next_items("digits", "ada", 4)
    lineage.queue.answer(answer_to(items[0], "ada"))
    lineage.queue.answer(Annotation(items[0].id, items[0].sample, "skip", None, "bob", 1))
    lineage.queue.answer(answer_to(items[1], "ada"))
    lineage.queue.undo(items[1].id, "ada")
    lineage.queue.undo(items[0].id, "bob")
    lineage.queue.enqueue(opened.ref, make_items(5))

    kept = "SELECT state, annotator, count FROM activesynth.annotation_counts WHERE count <> 0"
    counted = (
        "SELECT state, coalesce(answered_by, ''), count(*) FROM activesynth.annotation_items "
        "GROUP BY state, answered_by"
    )
    assert sorted(rows(database_url, kept)) == sorted(rows(database_url, counted))
    assert sorted(rows(database_url, kept)) == [("labelled", "ada", 1), ("open", "", 4)]


def test_answers_given_before_the_queue_was_shared_are_counted_by_the_migration(
    empty_database_url: str,
) -> None:
    upgrade(empty_database_url)
    with closing(open_lineage(empty_database_url, Unwatched())) as before:
        make_campaign(before.store)
        opened = before.store.open_iteration("digits", "run-0", {})
        before.queue.enqueue(opened.ref, make_items(4))
        before.queue.answer(answer_to(make_items(4)[0], "ada"))
        before.queue.answer(answer_to(make_items(4)[1], "ada"))
        before.queue.undo("item-0001", "ada")
        skip = Annotation("item-0002", "sample-2", "skip", None, "bob", 0)
        before.queue.answer(skip)
    shape = "SELECT id, state, answered_by, second, awaits_second FROM activesynth.annotation_items"
    expected = sorted(rows(empty_database_url, shape), key=repr)

    downgrade(empty_database_url, "0007")
    upgrade(empty_database_url)

    assert sorted(rows(empty_database_url, shape), key=repr) == expected
    counted = "SELECT state, annotator, count FROM activesynth.annotation_counts"
    assert sorted(rows(empty_database_url, counted)) == [
        ("labelled", "ada", 1),
        ("open", "", 2),
        ("skipped", "bob", 1),
    ]
