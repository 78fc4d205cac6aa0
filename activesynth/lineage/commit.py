"""The commit protocol: one short transaction that makes everything visible, or nothing.

Rows are first encoded into files and copied into temporary tables, then the campaign's row is
locked, the fence and the head are compared, and only then tables change. What a unique key or a
broken connection leaves in doubt is settled by reading what is committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from activesynth.domain.records import Bundle, IterationCommit, VersionRow
from activesynth.errors import ConflictError
from activesynth.lineage.bundles import (
    commit_digest,
    merge_bundle,
    spooled_bundle,
    stage_bundle,
)
from activesynth.lineage.engine import Database
from activesynth.lineage.failures import AlreadyWrittenError, OutcomeUnknownError
from activesynth.lineage.locks import AnyRow, check_fence, lock_campaign, no_iteration
from activesynth.lineage.schema import campaigns, dataset_versions, iterations
from activesynth.lineage.step_results import forget_older_fences


def commit_version(
    database: Database, campaign: str, bundle: Bundle, *, expected_head: str | None
) -> bool:
    """Commit a root or refreshed version; see :class:`activesynth.domain.ports.LineageStore`."""
    version = bundle.version
    if version is None:
        raise ConflictError(
            f"commit_version for campaign {campaign!r} got a bundle without a version; "
            "there is nothing to commit."
        )
    try:
        with (
            spooled_bundle(campaign, None, bundle) as rows,
            database.writing(f"commit_version:{campaign}:{version.digest}") as connection,
        ):
            staged = stage_bundle(connection, rows)
            row = lock_campaign(connection, campaign)
            if row.head == version.digest:
                return False
            refuse_active_iteration(connection, campaign)
            compare_head(row, expected_head)
            insert_version(connection, row, version, None)
            merge_bundle(connection, campaign, staged)
            _move_head(connection, campaign, expected_head, {"head": version.digest})
            return True
    except OutcomeUnknownError:
        if has_version(database, campaign, version.digest):
            return True
        raise
    except AlreadyWrittenError:
        if has_version(database, campaign, version.digest):
            return False
        raise


def commit_iteration(database: Database, commit: IterationCommit) -> bool:
    """Commit a decided iteration; see :class:`activesynth.domain.ports.LineageStore`."""
    digest = commit_digest(commit)
    ref = commit.ref
    try:
        with (
            spooled_bundle(ref.campaign, ref.number, commit.bundle) as rows,
            database.writing(f"commit_iteration:{ref.campaign}:{ref.number}") as connection,
        ):
            staged = stage_bundle(connection, rows)
            campaign = lock_campaign(connection, ref.campaign)
            row = _iteration(connection, commit)
            check_fence(row, ref)
            if row.state == "committed":
                return _settle(row, digest)
            compare_head(campaign, commit.parent)
            if commit.bundle.version is not None:
                insert_version(connection, campaign, commit.bundle.version, ref.number)
            merge_bundle(connection, ref.campaign, staged)
            _close(connection, commit, digest)
            return True
    except OutcomeUnknownError:
        if _is_committed(database, commit, digest):
            return True
        raise
    except AlreadyWrittenError:
        if _is_committed(database, commit, digest):
            return False
        raise


def _close(connection: Connection, commit: IterationCommit, digest: str) -> None:
    """Mark the iteration committed and move the campaign on."""
    ref, version = commit.ref, commit.bundle.version
    forget_older_fences(connection, ref)
    connection.execute(
        update(iterations)
        .where(iterations.c.campaign == ref.campaign, iterations.c.number == ref.number)
        .values(
            state="committed",
            decision=commit.decision,
            reason=commit.reason,
            version=None if version is None else version.digest,
            next_run=commit.next_run,
            commit_digest=digest,
            failure=None,
            committed_at=func.clock_timestamp(),
        )
    )
    changes = {
        "head": commit.parent if version is None else version.digest,
        "head_model": commit.head_model,
        "branches": dict(commit.branches),
        "iterations": campaigns.c.iterations + 1,
    }
    _move_head(connection, ref.campaign, commit.parent, changes)


def _iteration(connection: Connection, commit: IterationCommit) -> AnyRow:
    ref = commit.ref
    query = select(iterations).where(
        iterations.c.campaign == ref.campaign, iterations.c.number == ref.number
    )
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise no_iteration(ref)
    return row


def _settle(row: AnyRow, digest: str) -> bool:
    """Return False when what is committed has this digest; otherwise say who was first."""
    if row.commit_digest == digest:
        return False
    raise ConflictError(
        f"iteration {row.number} of campaign {row.campaign!r} was already committed by run "
        f"{row.run_key!r} with other content ({row.commit_digest[:12]}, this is {digest[:12]}); "
        "what was committed stays, so start the next iteration instead."
    )


def _is_committed(database: Database, commit: IterationCommit, digest: str) -> bool:
    with database.reading() as connection:
        row = _iteration(connection, commit)
        check_fence(row, commit.ref)
        return row.state == "committed" and not _settle(row, digest)


def has_version(database: Database, campaign: str, digest: str) -> bool:
    """Tell whether a version is on record."""
    query = select(dataset_versions.c.digest).where(
        dataset_versions.c.campaign == campaign, dataset_versions.c.digest == digest
    )
    with database.reading() as connection:
        return connection.execute(query).first() is not None


def refuse_active_iteration(connection: Connection, campaign: str) -> None:
    """Refuse a version beside an iteration that is open.

    Raises:
        ConflictError: Naming it.
    """
    query = select(iterations).where(
        iterations.c.campaign == campaign, iterations.c.state.in_(("open", "waiting"))
    )
    active = connection.execute(query).one_or_none()
    if active is not None:
        raise ConflictError(
            f"iteration {active.number} of campaign {campaign!r} is {active.state} under run "
            f"{active.run_key!r}; a new version waits until it is committed or failed.",
            reason="iteration_open",
            field="campaign",
        )


def compare_head(campaign: AnyRow, expected: str | None) -> None:
    """Refuse to go on from a head that is no more.

    Raises:
        ConflictError: Naming both.
    """
    if campaign.head != expected:
        raise ConflictError(
            f"the head of campaign {campaign.name!r} is {campaign.head}, not {expected}: "
            "somebody else committed in between; start again from the new head."
        )


def insert_version(
    connection: Connection, campaign: AnyRow, version: VersionRow, iteration: int | None
) -> None:
    """Insert a child of the campaign's head.

    Raises:
        ConflictError: If it names another parent.
    """
    if version.parent != campaign.head:
        raise ConflictError(
            f"version {version.digest} names {version.parent} as its parent, but the head of "
            f"campaign {campaign.name!r} is {campaign.head}; history is a line."
        )
    connection.execute(
        insert(dataset_versions).values(
            campaign=campaign.name,
            digest=version.digest,
            epoch=campaign.epoch,
            parent=version.parent,
            origin=version.origin,
            rows=dict(version.rows),
            iteration=iteration,
        )
    )


def _move_head(
    connection: Connection, campaign: str, expected: str | None, changes: Mapping[str, Any]
) -> None:
    """Change the campaign if its head is still ``expected``: the compare-and-swap."""
    moved = connection.execute(
        update(campaigns)
        .where(campaigns.c.name == campaign, campaigns.c.head.is_not_distinct_from(expected))
        .values(dict(changes))
    )
    if moved.rowcount != 1:
        raise ConflictError(
            f"the head of campaign {campaign!r} moved away from {expected}; start again."
        )
