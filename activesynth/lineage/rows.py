"""From table rows to the frozen values of the domain, and the queries that fetch them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select

from activesynth.domain.records import (
    CampaignRecord,
    IterationRecord,
    IterationRef,
    QueueItem,
    StepRecord,
)
from activesynth.lineage.locks import AnyRow
from activesynth.lineage.schema import campaign_configs, campaigns, iterations


def campaign_query(name: str) -> Select[Any]:
    """Select a campaign with its newest config."""
    return (
        select(campaigns, campaign_configs.c.config)
        .join(
            campaign_configs,
            (campaign_configs.c.campaign == campaigns.c.name)
            & (campaign_configs.c.version == campaigns.c.config_version),
        )
        .where(campaigns.c.name == name)
    )


def campaign_record(row: AnyRow) -> CampaignRecord:
    """Read a row of :func:`campaign_query`."""
    return CampaignRecord(
        name=row.name,
        config=row.config,
        config_version=row.config_version,
        epoch=row.epoch,
        head=row.head,
        head_model=row.head_model,
        branches=row.branches,
        iterations=row.iterations,
    )


def iteration_query(campaign: str, number: int) -> Select[Any]:
    """Select an iteration with the config it runs under."""
    here = (iterations.c.campaign == campaign) & (iterations.c.number == number)
    return _configured_iterations().where(here)


def last_iterations_query() -> Select[Any]:
    """Select the last iteration of each campaign with the config it runs under, by campaign."""
    last = (
        select(iterations.c.campaign, func.max(iterations.c.number).label("number"))
        .group_by(iterations.c.campaign)
        .subquery()
    )
    is_last = (last.c.campaign == iterations.c.campaign) & (last.c.number == iterations.c.number)
    return _configured_iterations().join(last, is_last).order_by(iterations.c.campaign)


def _configured_iterations() -> Select[Any]:
    own = campaign_configs.c.campaign == iterations.c.campaign
    then = campaign_configs.c.version == iterations.c.config_version
    return select(iterations, campaign_configs.c.config).join(campaign_configs, own & then)


def iteration_record(row: AnyRow) -> IterationRecord:
    """Read a row of :func:`iteration_query`."""
    return IterationRecord(
        ref=IterationRef(row.campaign, row.number, row.fence),
        run_key=row.run_key,
        state=row.state,
        config=row.config,
        config_version=row.config_version,
        overrides=row.overrides,
        parent=row.parent,
        parent_model=row.parent_model,
        branches=row.branches,
        decision=row.decision,
        reason=row.reason,
        version=row.version,
        next_run=row.next_run,
    )


def step_record(row: AnyRow) -> StepRecord:
    """Read a row of ``steps``."""
    return StepRecord(
        name=row.name,
        shard=row.shard,
        derivation_key=row.derivation_key,
        artifacts=row.artifacts,
        facts=row.facts,
        inputs=tuple(row.inputs),
        seconds=row.seconds,
        device=row.device,
        peak_memory_mb=row.peak_memory_mb,
        host=row.host,
        is_reused=row.is_reused,
    )


def queue_item(row: AnyRow) -> QueueItem:
    """Read a row of ``annotation_items``."""
    return QueueItem(
        id=row.id,
        sample=row.sample,
        kind=row.kind,
        shard=row.shard,
        row=row._mapping["row"],
        proposed=row.proposed,
        version=row.version,
        second=row.second,
    )
