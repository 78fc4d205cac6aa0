"""The queries behind the annotation queue."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from activesynth.domain.records import Annotation, IterationRef, QueueItem
from activesynth.errors import ConfigurationError, ConflictError
from activesynth.lineage.annotation_schema import annotation_items as items
from activesynth.lineage.annotation_schema import answers as given
from activesynth.lineage.locks import AnyRow
from activesynth.lineage.schema import iterations

_undo = given.alias("undo")
STANDS = (given.c.action != "undo") & ~exists(
    select(_undo.c.item).where(_undo.c.item == given.c.item, _undo.c.undoes == given.c.item_version)
)
"""An answer that nobody took back."""

# What an item says of its answers, and the counts of such items, in one statement.
_RESTATE = """
    WITH said AS (
        SELECT i.id, i.state AS old_state, i.answered_by AS old_annotator, a.annotator,
               CASE a.action WHEN 'skip' THEN 'skipped' WHEN 'reject' THEN 'rejected'
                             WHEN 'accept' THEN 'labelled' WHEN 'relabel' THEN 'labelled'
                             ELSE 'open' END AS state,
               coalesce(i.second AND a.action <> 'skip' AND NOT EXISTS (
                   SELECT FROM activesynth.second_opinions o
                   WHERE o.item = i.id AND o.annotator <> a.annotator
                     AND o.action NOT IN ('undo', 'skip') AND NOT EXISTS (
                         SELECT FROM activesynth.second_opinions l
                         WHERE l.item = o.item AND l.annotator = o.annotator
                           AND l.number > o.number)), false) AS awaits_second
        FROM activesynth.annotation_items i
        LEFT JOIN LATERAL (
            SELECT g.action, g.annotator FROM activesynth.annotations g
            WHERE g.item = i.id AND g.action <> 'undo' AND NOT EXISTS (
                SELECT FROM activesynth.annotations u
                WHERE u.item = g.item AND u.undoes = g.item_version)
            ORDER BY g.item_version DESC LIMIT 1
        ) a ON true
        WHERE {which}
    ),
    changed AS (
        UPDATE activesynth.annotation_items q
        SET state = s.state, answered_by = s.annotator, awaits_second = s.awaits_second
        FROM said s
        WHERE q.id = s.id AND (q.state, q.answered_by, q.awaits_second)
            IS DISTINCT FROM (s.state, s.annotator, s.awaits_second)
        RETURNING q.campaign, q.iteration, q.fence, s.*
    ),
    moved AS (
        SELECT campaign, iteration, fence, old_state AS state,
               coalesce(old_annotator, '') AS annotator, -1 AS change FROM changed
        UNION ALL
        SELECT campaign, iteration, fence, state, coalesce(annotator, ''), 1 FROM changed
    )
    INSERT INTO activesynth.annotation_counts AS c
        (campaign, iteration, fence, state, annotator, count)
    SELECT campaign, iteration, fence, state, annotator, sum(change) FROM moved
    GROUP BY campaign, iteration, fence, state, annotator HAVING sum(change) <> 0
    ORDER BY campaign, iteration, fence, state, annotator
    ON CONFLICT (campaign, iteration, fence, state, annotator)
    DO UPDATE SET count = c.count + excluded.count
"""
_RESTATE_ONE = text(_RESTATE.format(which="i.id = :item"))
# Only what was asked before and is asked anew, perhaps of a second person now, has answers.
_RESTATE_OFFERED = text(
    _RESTATE.format(
        which="i.campaign = :campaign AND i.iteration = :iteration AND i.fence = :fence "
        "AND i.version > 0"
    )
)
_FORGET_COUNTS = text(
    "DELETE FROM activesynth.annotation_counts "
    "WHERE campaign = :campaign AND iteration = :iteration"
)
_COUNT = text(
    """
    INSERT INTO activesynth.annotation_counts (campaign, iteration, fence, state, annotator, count)
    SELECT campaign, iteration, fence, state, coalesce(answered_by, ''), count(*)
    FROM activesynth.annotation_items
    WHERE campaign = :campaign AND iteration = :iteration AND fence = :fence
    GROUP BY campaign, iteration, fence, state, answered_by
    """
)

CLOSED = {
    "answered": "goes on, as every question was answered",
    "time_over": "goes on, as the time for its questions was over",
    "person": "goes on, as a person decided, with the answers it had",
}
"""Why an iteration takes no more answers, by what is on record."""
_ANSWERING = text(
    """
    SELECT pg_advisory_xact_lock_shared(
        hashtextextended('activesynth.questions:' || campaign || ':' || iteration, 0))
    FROM activesynth.annotation_items WHERE id = :item
    """
)
_CLOSING = text(
    """
    SELECT pg_advisory_xact_lock(
        hashtextextended('activesynth.questions:' || :campaign || ':' || :number, 0))
    """
)
OFFERED_ANEW = ("fence", "position", "shard", "row", "proposed", "second")
OF_ITERATION = (iterations.c.campaign == items.c.campaign) & (
    iterations.c.number == items.c.iteration
)


def offered_under(ref: IterationRef) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for the items that this holder of the iteration offered."""
    return (
        items.c.campaign == ref.campaign,
        items.c.iteration == ref.number,
        items.c.fence == ref.fence,
    )


def latest_answers(ref: IterationRef) -> Select[Any]:
    """Select the newest standing answer of each item, in queue order."""
    newest = (
        select(given)
        .where(STANDS)
        .distinct(given.c.item)
        .order_by(given.c.item, given.c.item_version.desc())
        .subquery()
    )
    return (
        select(newest)
        .join(items, items.c.id == newest.c.item)
        .where(*offered_under(ref))
        .order_by(items.c.position, items.c.id)
    )


def offer(connection: Connection, ref: IterationRef, position: int, item: QueueItem) -> None:
    """Insert an item; one that an earlier holder of the same iteration offered is offered anew.

    Raises:
        ConflictError: If the id belongs to another iteration.
    """
    row = {
        "id": item.id,
        "campaign": ref.campaign,
        "iteration": ref.number,
        "fence": ref.fence,
        "position": position,
        "sample": item.sample,
        "kind": item.kind,
        "shard": item.shard,
        "row": item.row,
        "proposed": item.proposed,
        "version": item.version,
        "state": "open",
        "second": item.second,
        "awaits_second": False,
    }
    again = {name: row[name] for name in OFFERED_ANEW}
    connection.execute(
        upsert(items)
        .values(row)
        .on_conflict_do_update(
            index_elements=["id"],
            set_={**again, "offered_at": func.now()},
            where=(items.c.campaign == ref.campaign)
            & (items.c.iteration == ref.number)
            & (items.c.fence != ref.fence),
        )
    )
    there = select(items.c.id).where(items.c.id == item.id, *offered_under(ref))
    if connection.execute(there).first() is None:
        raise ConflictError(
            f"annotation item {item.id!r} belongs to another iteration; make the id from "
            "campaign, iteration and sample."
        )


def restate(connection: Connection, item: str) -> None:
    """Bring what an item says of its answers up to date; its row must be locked."""
    connection.execute(_RESTATE_ONE, {"item": item})


def restate_offered(connection: Connection, ref: IterationRef) -> None:
    """Bring up to date what the items say that were just offered, and count them anew.

    Every one of them is locked by having been offered, so no answer comes in between.
    """
    values = {"campaign": ref.campaign, "iteration": ref.number, "fence": ref.fence}
    for statement in (_RESTATE_OFFERED, _FORGET_COUNTS, _COUNT):
        connection.execute(statement, values)


def share_questions(connection: Connection, item: str) -> None:
    """Keep the questions of an item's iteration from being closed until the end.

    Answers share a lock that the closing takes alone: it waits for those on their way, and those
    that come later see that it is closed. Locks of rows would not do, for who keeps on sharing one
    keeps who wants it alone waiting for ever. It is taken before any row, by everybody.
    """
    connection.execute(_ANSWERING, {"item": item})


def lock_item(connection: Connection, item: str) -> AnyRow:
    """Return an item, held until the end, and with it whether its iteration takes answers.

    Raises:
        ConfigurationError: If there is no such item.
    """
    share_questions(connection, item)
    return lock_any_item(connection, item)


def lock_questions(connection: Connection, ref: IterationRef) -> None:
    """Wait for the answers that are on their way; none gets in until the end."""
    connection.execute(_CLOSING, {"campaign": ref.campaign, "number": str(ref.number)})


def refuse_closed(item: AnyRow) -> None:
    """Raise where a locked item takes no more answers.

    Raises:
        ConflictError: If its iteration is committed, or goes on with the answers that it has.
    """
    is_committed = item.iteration_state == "committed"
    if is_committed or item.questions_closed is not None:
        told = "is committed" if is_committed else CLOSED[item.questions_closed]
        raise ConflictError(
            f"iteration {item.iteration} of campaign {item.campaign!r} {told}, so item "
            f"{item.id!r} takes no more answers; load the queue again.",
            reason="item_closed",
            field="item",
        )


def lock_any_item(connection: Connection, item: str) -> AnyRow:
    """Return an item with the ``iteration_state`` of its iteration, held until the end.

    Raises:
        ConfigurationError: If there is no such item.
    """
    state = iterations.c.state.label("iteration_state")
    query = (
        select(items, state, iterations.c.questions_closed)
        .join(iterations, OF_ITERATION)
        .where(items.c.id == item)
        .with_for_update(of=items)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise ConfigurationError(
            f"there is no annotation item {item!r}; load the queue again.",
            reason="unknown_item",
            field="item",
        )
    return row


def is_repeated(connection: Connection, annotation: Annotation) -> bool:
    """Tell whether exactly this answer was given to exactly this version of the item."""
    query = select(given).where(
        given.c.item == annotation.item,
        given.c.item_version == annotation.item_version,
        given.c.action == annotation.action,
        given.c.label.is_not_distinct_from(annotation.label),
        given.c.annotator == annotation.annotator,
    )
    return connection.execute(query).first() is not None


def is_undone(connection: Connection, item: str, annotator: str, version: int) -> bool:
    """Tell whether the annotator took back the answer that was given to this version."""
    query = select(given.c.item).where(
        given.c.item == item, given.c.annotator == annotator, given.c.undoes == version
    )
    return connection.execute(query).first() is not None


def check_version(item: AnyRow, annotation: Annotation) -> None:
    """Refuse an answer to a version of the item that is no longer the newest."""
    if item.version != annotation.item_version:
        raise ConflictError(
            f"item {item.id!r} was answered in between (it is at version {item.version}, the "
            f"answer is to version {annotation.item_version}); load it again and decide anew.",
            reason="stale_answer",
            field="item",
        )


def append(
    connection: Connection,
    item: AnyRow,
    action: str,
    label: int | None,
    annotator: str,
    *,
    undoes: int | None = None,
) -> None:
    """Append an answer and move the item to its next version."""
    connection.execute(
        insert(given).values(
            item=item.id,
            item_version=item.version,
            sample=item.sample,
            action=action,
            label=label,
            annotator=annotator,
            undoes=undoes,
        )
    )
    connection.execute(update(items).where(items.c.id == item.id).values(version=item.version + 1))
    restate(connection, item.id)
