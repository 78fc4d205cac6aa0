"""What second people say about items: appended, apart from the answers that stand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, text

from activesynth.domain.sharing import OpinionAction
from activesynth.errors import ConfigurationError, ConflictError, InputError
from activesynth.lineage.annotation_schema import second_opinions
from activesynth.lineage.claims import end_claim
from activesynth.lineage.locks import AnyRow
from activesynth.lineage.queue_rows import lock_any_item, restate

# The standing answer of each item, and what stands of those who were asked second.
_OPINIONS = """
    WITH first AS (
        SELECT DISTINCT ON (g.item) g.item, g.annotator, g.action, g.label
        FROM activesynth.annotations g
        JOIN activesynth.annotation_items q ON q.id = g.item
        WHERE q.campaign = :campaign AND q.second AND g.action <> 'undo' AND NOT EXISTS (
            SELECT FROM activesynth.annotations u
            WHERE u.item = g.item AND u.undoes = g.item_version)
        ORDER BY g.item, g.item_version DESC
    ), later AS (
        SELECT DISTINCT ON (o.item, o.annotator) o.item, o.annotator, o.action, o.label
        FROM activesynth.second_opinions o
        JOIN activesynth.annotation_items q ON q.id = o.item
        WHERE q.campaign = :campaign
        ORDER BY o.item, o.annotator, o.number DESC
    ), said AS (
        SELECT item, annotator, action, label, true AS is_first FROM first
        UNION ALL
        SELECT l.item, l.annotator, l.action, l.label, false
        FROM later l LEFT JOIN first f ON f.item = l.item
        WHERE l.action <> 'undo' AND l.annotator IS DISTINCT FROM f.annotator
    ), counted AS (
        SELECT *, count(*) OVER (PARTITION BY item) AS opinions FROM said WHERE action <> 'skip'
    )
    SELECT q.iteration, s.item, q.kind, s.annotator, s.is_first, s.action, s.label
    FROM counted s JOIN activesynth.annotation_items q ON q.id = s.item
    JOIN activesynth.iterations i
      ON i.campaign = q.campaign AND i.number = q.iteration AND i.fence = q.fence
     AND i.state = 'committed'
    WHERE s.opinions > 1
    ORDER BY q.iteration, q.position, s.item, s.is_first DESC, s.annotator
"""


def keep_opinion(
    connection: Connection, item: str, annotator: str, action: OpinionAction, label: int | None
) -> None:
    """Append what a second person says, unless it was said already."""
    _check(action, label)
    row = lock_any_item(connection, item)
    if not row.second:
        raise ConfigurationError(
            f"no second opinion is asked for item {item!r}; take items from the list of those "
            "that want one.",
            reason="no_second_opinion",
            field="item",
        )
    newest = _newest(connection, item, annotator)
    if newest is not None and newest.action != "undo":
        if (newest.action, newest.label) == (action, label):
            return
        raise ConflictError(
            f"{annotator!r} said something else about item {item!r} before; take that back first.",
            reason="second_given",
            field="item",
        )
    if row.state == "open":
        raise ConflictError(
            f"item {item!r} has no first answer now, it was taken back; load the queue again.",
            reason="not_answered",
            field="item",
        )
    if row.answered_by == annotator:
        raise ConflictError(
            f"{annotator!r} gave the first answer to item {item!r}; a second opinion is another "
            "person's.",
            reason="own_answer",
            field="item",
        )
    _append(connection, row, newest, annotator, action, label)


def take_back_opinion(connection: Connection, item: str, annotator: str) -> None:
    """Append that a person takes the second opinion back."""
    row = lock_any_item(connection, item)
    newest = _newest(connection, item, annotator)
    if newest is None or newest.action == "undo":
        raise ConflictError(
            f"{annotator!r} has no second opinion on item {item!r} to take back.",
            reason="nothing_to_undo",
            field="item",
        )
    _append(connection, row, newest, annotator, "undo", None)


def opinions(connection: Connection, campaign: str) -> list[dict[str, Any]]:
    """Return who said what about the items of committed iterations with two opinions or more."""
    rows = connection.execute(text(_OPINIONS), {"campaign": campaign}).mappings()
    return [dict(row) for row in rows]


def _check(action: str, label: int | None) -> None:
    needs = action in ("accept", "relabel")
    if needs != (label is not None):
        raise InputError(
            f"a second opinion {action!r} came {'without' if needs else 'with'} a label; accept "
            "and relabel name one, reject and skip do not.",
            reason="opinion_label",
            field="label",
        )


def _newest(connection: Connection, item: str, annotator: str) -> AnyRow | None:
    own = (second_opinions.c.item == item) & (second_opinions.c.annotator == annotator)
    query = select(second_opinions).where(own).order_by(second_opinions.c.number.desc()).limit(1)
    return connection.execute(query).one_or_none()


def _append(
    connection: Connection,
    row: AnyRow,
    newest: AnyRow | None,
    annotator: str,
    action: str,
    label: int | None,
) -> None:
    connection.execute(
        insert(second_opinions).values(
            item=row.id,
            annotator=annotator,
            number=0 if newest is None else newest.number + 1,
            action=action,
            label=label,
        )
    )
    restate(connection, row.id)
    end_claim(connection, row.id, annotator, was_open=False)
