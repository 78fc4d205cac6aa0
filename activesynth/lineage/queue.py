"""The questions that wait for people, and the answers, which are appended and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, func, select

from activesynth.domain.records import Annotation, IterationRef, QueueItem
from activesynth.errors import ConflictError, InputError
from activesynth.lineage.engine import Database
from activesynth.lineage.locks import lock_iteration
from activesynth.lineage.opening import resume_iteration
from activesynth.lineage.queue_rows import (
    OF_ITERATION,
    STANDS,
    append,
    check_version,
    is_repeated,
    latest_answers,
    lock_item,
    offer,
    offered_under,
)
from activesynth.lineage.rows import queue_item
from activesynth.lineage.schema import annotation_items as asked
from activesynth.lineage.schema import answers as given
from activesynth.lineage.schema import iterations


class PostgresAnnotationQueue:
    """Implements :class:`activesynth.domain.ports.AnnotationQueue`.

    Items carry the fence they were offered under: after a take-over only those that the new
    holder offers again are asked, and their earlier answers still stand.
    """

    def __init__(self, database: Database) -> None:
        """Write through ``database``, which must be migrated."""
        self._database = database

    def enqueue(self, ref: IterationRef, items: Sequence[QueueItem]) -> None:
        """Offer items once and mark the iteration as waiting, also one that had failed.

        Raises:
            ConflictError: If the iteration was taken over, it failed and the head has moved
                since, or an item's id is already used by another iteration.
        """
        label = f"enqueue:{ref.campaign}:{ref.number}"
        with self._database.writing(label) as connection:
            resume_iteration(connection, ref, "waiting" if items else "open")
            for position, item in enumerate(items):
                offer(connection, ref, position, item)

    def pending(self, campaign: str, limit: int = 100) -> list[QueueItem]:
        """Return unanswered items of the active iteration, in queue order."""
        answered = exists(select(given.c.item).where(given.c.item == asked.c.id, STANDS))
        query = (
            select(asked)
            .join(iterations, OF_ITERATION)
            .where(
                asked.c.campaign == campaign,
                iterations.c.state.in_(("open", "waiting")),
                asked.c.fence == iterations.c.fence,
                ~answered,
            )
            .order_by(asked.c.iteration, asked.c.position, asked.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [queue_item(row) for row in connection.execute(query)]

    def waiting_since(self, ref: IterationRef) -> datetime | None:
        """Return when the first item was offered under this fence, or None."""
        query = select(func.min(asked.c.offered_at)).where(*offered_under(ref))
        with self._database.reading() as connection:
            since: datetime | None = connection.execute(query).scalar_one()
        return since

    def answer(self, annotation: Annotation, *, holder: IterationRef | None = None) -> None:
        """Append one answer; the same answer to the same version counts once.

        Raises:
            ConflictError: If somebody answered in between, the iteration is committed, or another
                run has taken it over from ``holder``.
            ConfigurationError: If there is no such item.
            InputError: If the answer names another sample than the item.
        """
        label = f"answer:{annotation.item}:{annotation.item_version}"
        with self._database.writing(label) as connection:
            if holder is not None:
                lock_iteration(connection, holder)
            item = lock_item(connection, annotation.item)
            if item.sample != annotation.sample:
                raise InputError(
                    f"item {annotation.item!r} asks about sample {item.sample!r}, the answer "
                    f"about {annotation.sample!r}; load the item again.",
                    reason="annotation_sample",
                )
            if is_repeated(connection, annotation):
                return
            check_version(item, annotation)
            append(connection, item, annotation.action, annotation.label, annotation.annotator)

    def answers(self, ref: IterationRef) -> list[Annotation]:
        """Return the latest standing answer of each item of the iteration, in queue order."""
        with self._database.reading() as connection:
            rows = connection.execute(latest_answers(ref)).all()
        return [
            Annotation(
                item=row.item,
                sample=row.sample,
                action=row.action,
                label=row.label,
                annotator=row.annotator,
                item_version=row.item_version,
                at=row.answered_at,
            )
            for row in rows
        ]

    def undo(self, item: str, annotator: str) -> None:
        """Take back the annotator's latest standing answer, by appending that fact.

        Raises:
            ConflictError: If the annotator has no standing answer there, or it is too late.
        """
        query = (
            select(given.c.item_version)
            .where(given.c.item == item, given.c.annotator == annotator, STANDS)
            .order_by(given.c.item_version.desc())
            .limit(1)
        )
        with self._database.writing(f"undo:{item}:{annotator}") as connection:
            row = lock_item(connection, item)
            version = connection.execute(query).scalar_one_or_none()
            if version is None:
                raise ConflictError(
                    f"{annotator!r} has no answer to item {item!r} to take back.",
                    reason="nothing_to_undo",
                    field="item",
                )
            append(connection, row, "undo", None, annotator, undoes=version)
