"""The questions that wait for people, and the answers, which are appended and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select, update

from activesynth.domain.records import Annotation, IterationRef, QueueItem
from activesynth.domain.sharing import Closing, OpinionAction, QuestionKind, QueueProgress
from activesynth.errors import ConflictError, InputError
from activesynth.lineage.annotation_schema import annotation_items as asked
from activesynth.lineage.annotation_schema import answers as given
from activesynth.lineage.claims import (
    claim_next,
    claim_second,
    end_claim,
    forget_claims,
    hold,
    release_claims,
)
from activesynth.lineage.engine import Database
from activesynth.lineage.locks import lock_iteration
from activesynth.lineage.opening import resume_iteration
from activesynth.lineage.queue_progress import queue_progress
from activesynth.lineage.queue_rows import (
    OF_ITERATION,
    STANDS,
    append,
    check_version,
    is_repeated,
    is_undone,
    latest_answers,
    lock_any_item,
    lock_item,
    lock_questions,
    offer,
    offered_under,
    refuse_closed,
    restate_offered,
    share_questions,
)
from activesynth.lineage.rows import queue_item
from activesynth.lineage.schema import iterations
from activesynth.lineage.second_opinions import keep_opinion, take_back_opinion


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
            # A run that waits offers again every few seconds, while people answer.
            there = select(asked.c.id).where(*offered_under(ref))
            standing = set(connection.execute(there).scalars())
            fresh = [(n, item) for n, item in enumerate(items) if item.id not in standing]
            for position, item in fresh:
                offer(connection, ref, position, item)
            if fresh:
                restate_offered(connection, ref)
                forget_claims(connection)

    def pending(self, campaign: str, limit: int = 100) -> list[QueueItem]:
        """Return unanswered items of the active iteration, in queue order."""
        query = (
            select(asked)
            .join(iterations, OF_ITERATION)
            .where(
                asked.c.campaign == campaign,
                iterations.c.state.in_(("open", "waiting")),
                iterations.c.questions_closed.is_(None),
                asked.c.fence == iterations.c.fence,
                asked.c.state == "open",
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
            ConflictError: If somebody answered in between, the questions are closed, or another
                run has taken the iteration over from ``holder``.
            ConfigurationError: If there is no such item.
            InputError: If the answer names another sample than the item.
        """
        label = f"answer:{annotation.item}:{annotation.item_version}"
        with self._database.writing(label) as connection:
            share_questions(connection, annotation.item)
            if holder is not None:
                lock_iteration(connection, holder)
            item = lock_any_item(connection, annotation.item)
            if is_repeated(connection, annotation):
                return
            if item.sample != annotation.sample:
                raise InputError(
                    f"item {annotation.item!r} asks about sample {item.sample!r}, the answer "
                    f"about {annotation.sample!r}; load the item again.",
                    reason="annotation_sample",
                )
            refuse_closed(item)
            check_version(item, annotation)
            append(connection, item, annotation.action, annotation.label, annotation.annotator)
            was_open = item.state == "open"
            end_claim(connection, item.id, annotation.annotator, was_open=was_open)

    def close(self, ref: IterationRef, why: Closing, by: str | None = None) -> None:
        """Let the iteration go on with the answers it has; closed once, it stays closed.

        Raises:
            ConflictError: If the iteration was taken over.
        """
        here = (iterations.c.campaign == ref.campaign) & (iterations.c.number == ref.number)
        values = {"questions_closed": why, "questions_closed_by": by}
        with self._database.writing(f"close_questions:{ref.campaign}:{ref.number}") as connection:
            lock_questions(connection, ref)
            if lock_iteration(connection, ref).questions_closed is None:
                connection.execute(update(iterations).where(here).values(values))

    def closed(self, ref: IterationRef) -> Closing | None:
        """Return why the iteration takes no more answers, or None while it does."""
        query = select(iterations.c.questions_closed).where(
            iterations.c.campaign == ref.campaign, iterations.c.number == ref.number
        )
        with self._database.reading() as connection:
            found: Closing | None = connection.execute(query).scalar_one_or_none()
        return found

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

    def undo(self, item: str, annotator: str, version: int | None = None) -> None:
        """Take back a standing answer of the annotator, by appending that fact.

        That to ``version`` of the item, once however often it is asked; unless given, the latest.
        An item that is open then is the annotator's to answer again, whoever held it.

        Raises:
            ConflictError: If the annotator has no standing answer there, or it is too late.
        """
        own = (given.c.item == item) & (given.c.annotator == annotator)
        if version is not None:
            own &= given.c.item_version == version
        query = (
            select(given.c.item_version)
            .where(own, STANDS)
            .order_by(given.c.item_version.desc())
            .limit(1)
        )
        with self._database.writing(f"undo:{item}:{annotator}") as connection:
            row = lock_item(connection, item)
            if version is not None and is_undone(connection, item, annotator, version):
                return
            refuse_closed(row)
            found = connection.execute(query).scalar_one_or_none()
            if found is None:
                raise ConflictError(
                    f"{annotator!r} has no answer to item {item!r} to take back.",
                    reason="nothing_to_undo",
                    field="item",
                )
            append(connection, row, "undo", None, annotator, undoes=found)
            hold(connection, item, annotator)

    def next_items(
        self,
        campaign: str,
        annotator: str,
        limit: int,
        *,
        kinds: Sequence[QuestionKind] | None = None,
    ) -> list[QueueItem]:
        """Claim the next open items for a person and return them, the person's own first."""
        return claim_next(self._database, campaign, annotator, limit, kinds)

    def release(self, annotator: str) -> None:
        """Let go of all that the person holds."""
        with self._database.noting() as connection:
            release_claims(connection, annotator)

    def next_second(self, campaign: str, annotator: str, limit: int) -> list[QueueItem]:
        """Claim items for a second opinion and return them as nobody had answered them."""
        items = claim_second(self._database, campaign, annotator, limit)
        return [replace(item, version=0) for item in items]

    def second_opinion(
        self, item: str, annotator: str, action: OpinionAction, label: int | None
    ) -> None:
        """Keep what a second person says about an item; the same again counts once."""
        with self._database.writing(f"second_opinion:{item}:{annotator}") as connection:
            keep_opinion(connection, item, annotator, action, label)

    def undo_second(self, item: str, annotator: str) -> None:
        """Take back the person's second opinion, by appending that fact."""
        with self._database.writing(f"undo_second:{item}:{annotator}") as connection:
            take_back_opinion(connection, item, annotator)

    def progress(self, campaign: str, annotator: str | None = None) -> QueueProgress:
        """Return how far the active iteration is, and how fast the person answers."""
        return queue_progress(self._database, campaign, annotator)
