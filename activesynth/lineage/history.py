"""What earlier iterations found, how often guarded splits were read, and what is to be told."""

from __future__ import annotations

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from activesynth.domain.records import OutboxEvent, SplitRead
from activesynth.lineage.locks import lock_campaign
from activesynth.lineage.schema import (
    campaigns,
    dataset_versions,
    iterations,
    metrics,
    outbox,
    split_reads,
    weaknesses,
)

# Metrics and weaknesses are written by commits alone, so all rows of theirs are committed.


def benefit_history(connection: Connection, campaign: str) -> list[tuple[int, str, float]]:
    """Return (iteration, weakness, measured benefit), oldest first."""
    query = (
        select(metrics.c.iteration, metrics.c.slice, metrics.c.value)
        .where(
            metrics.c.campaign == campaign,
            metrics.c.name == "benefit",
            metrics.c.arm == "targeted",
            metrics.c.seed == -1,
        )
        .order_by(metrics.c.iteration, metrics.c.slice, metrics.c.split)
    )
    return [(row.iteration, row.slice, row.value) for row in connection.execute(query)]


def weakness_states(connection: Connection, campaign: str) -> dict[str, str]:
    """Return the latest state of each weakness, by id."""
    query = (
        select(weaknesses.c.id, weaknesses.c.state)
        .where(weaknesses.c.campaign == campaign)
        .distinct(weaknesses.c.id)
        .order_by(weaknesses.c.id, weaknesses.c.iteration.desc())
    )
    return {row.id: row.state for row in connection.execute(query)}


def metric_history(
    connection: Connection, campaign: str, name: str, arm: str
) -> list[tuple[int, float]]:
    """Return (iteration, value) over all of guide, oldest first."""
    query = (
        select(metrics.c.iteration, metrics.c.value)
        .where(
            metrics.c.campaign == campaign,
            metrics.c.name == name,
            metrics.c.arm == arm,
            metrics.c.split == "guide",
            metrics.c.slice == "all",
            metrics.c.seed == -1,
        )
        .order_by(metrics.c.iteration)
    )
    return [(row.iteration, row.value) for row in connection.execute(query)]


def count_split_read(
    connection: Connection, campaign: str, split: str, purpose: str, iteration: int | None
) -> int:
    """Count one read, once per purpose, and return the reads of the split in this epoch."""
    epoch = lock_campaign(connection, campaign).epoch
    row = {
        "campaign": campaign,
        "epoch": epoch,
        "split": split,
        "purpose": purpose,
        "iteration": iteration,
    }
    connection.execute(upsert(split_reads).values(row).on_conflict_do_nothing())
    query = select(func.count()).where(
        split_reads.c.campaign == campaign,
        split_reads.c.epoch == epoch,
        split_reads.c.split == split,
    )
    return int(connection.execute(query).scalar_one())


def counted_reads(connection: Connection, campaign: str) -> list[SplitRead]:
    """Return the counted reads of this epoch, by split and purpose."""
    query = (
        select(split_reads.c.split, split_reads.c.purpose)
        .join(campaigns, campaigns.c.name == split_reads.c.campaign)
        .where(campaigns.c.name == campaign, split_reads.c.epoch == campaigns.c.epoch)
        .order_by(split_reads.c.split, split_reads.c.purpose)
    )
    return [SplitRead(row.split, row.purpose, 1) for row in connection.execute(query)]


def pending_events(connection: Connection) -> list[OutboxEvent]:
    """Return outbox events that were not sent, oldest first, with what their commit recorded."""
    made = outbox.c.payload["version"].as_string()
    query = (
        select(
            outbox,
            iterations.c.run_key,
            iterations.c.decision,
            iterations.c.reason,
            func.coalesce(iterations.c.parent, dataset_versions.c.parent).label("parent"),
            dataset_versions.c.rows,
        )
        .outerjoin(
            iterations,
            (iterations.c.campaign == outbox.c.campaign)
            & (iterations.c.number == outbox.c.iteration),
        )
        .outerjoin(
            dataset_versions,
            (dataset_versions.c.campaign == outbox.c.campaign)
            & (dataset_versions.c.digest == made),
        )
        .where(outbox.c.sent_at.is_(None))
        .order_by(outbox.c.position)
    )
    return [
        OutboxEvent(
            key=row.key,
            kind=row.kind,
            payload=row.payload,
            recorded_at=row.recorded_at,
            run_key=row.run_key,
            parent=row.parent,
            decision=row.decision,
            reason=row.reason,
            rows=row.rows or {},
        )
        for row in connection.execute(query)
    ]
