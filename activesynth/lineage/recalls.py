"""Taking back as rows: the version without a batch, and why, in one transaction."""

from __future__ import annotations

from sqlalchemy import Connection, insert, text, update

from activesynth.domain.recalls import RecallCommit
from activesynth.errors import ConflictError
from activesynth.lineage.bundles import merge_bundle, spooled_bundle, stage_bundle
from activesynth.lineage.commit import has_version, insert_version, refuse_active_iteration
from activesynth.lineage.engine import Database
from activesynth.lineage.failures import AlreadyWrittenError, OutcomeUnknownError
from activesynth.lineage.locks import AnyRow, lock_campaign
from activesynth.lineage.plain import plain
from activesynth.lineage.recall_schema import recalls
from activesynth.lineage.schema import campaigns
from activesynth.lineage.verdict_counts import count_verdicts

REASON = "recalled"
"""Why a synthetic sample that was accepted once is so no more."""

_MARK = """
    UPDATE activesynth.samples SET verdict = 'rejected', verdict_reason = :reason
    WHERE campaign = :campaign AND id = ANY(:samples)
    RETURNING iteration
"""


def commit_recall(database: Database, commit: RecallCommit) -> bool:
    """Commit a recall; see :class:`activesynth.domain.recalls.RecallStore`."""
    record, version = commit.record, commit.bundle.version
    if version is None:
        raise ConflictError(f"a recall in {record.campaign!r} came without a version to commit.")
    try:
        with (
            spooled_bundle(record.campaign, None, commit.bundle) as rows,
            database.writing(f"commit_recall:{record.campaign}:{version.digest}") as connection,
        ):
            staged = stage_bundle(connection, rows)
            row = lock_campaign(connection, record.campaign)
            if row.head == version.digest:
                return False
            refuse_active_iteration(connection, record.campaign)
            _refuse_moved(row, commit)
            insert_version(connection, row, version, None)
            merge_bundle(connection, record.campaign, staged)
            _keep(connection, commit)
            return True
    except OutcomeUnknownError:
        if has_version(database, record.campaign, version.digest):
            return True
        raise
    except AlreadyWrittenError:
        if has_version(database, record.campaign, version.digest):
            return False
        raise


def _refuse_moved(row: AnyRow, commit: RecallCommit) -> None:
    """Refuse to go on from what is no more: what came in may hold the batch.

    Raises:
        ConflictError: ``campaign_moved``.
    """
    seen = commit.seen
    was = (seen.head, seen.head_model, dict(seen.branches), seen.iterations)
    if (row.head, row.head_model, row.branches, row.iterations) != was:
        raise ConflictError(
            f"campaign {row.name!r} moved on while the batch was looked up; nothing was changed, "
            "run again.",
            reason="campaign_moved",
            field="campaign",
        )


def _keep(connection: Connection, commit: RecallCommit) -> None:
    """Mark what left, keep the reason, and move the campaign on."""
    record = commit.record
    marks = {"campaign": record.campaign, "samples": list(commit.gone), "reason": REASON}
    touched = connection.execute(text(_MARK), marks).scalars()
    count_verdicts(connection, record.campaign, (n for n in touched if n is not None))
    connection.execute(
        insert(recalls).values(
            campaign=record.campaign,
            version=record.version,
            samples=record.samples,
            selection=plain(record.selection),
            reason=record.reason,
            recalled_by=record.recalled_by,
            iterations=record.iterations,
            branches=dict(record.branches),
        )
    )
    seen = commit.seen
    connection.execute(
        update(campaigns)
        .where(campaigns.c.name == record.campaign)
        .values(
            head=record.version,
            head_model=seen.head_model if commit.keeps_model else None,
            branches={**seen.branches, **record.branches},
        )
    )
