"""Registering campaigns, and who may hold an iteration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from activesynth.domain.canonical import canonical_json, sha256
from activesynth.domain.records import IterationRef
from activesynth.errors import ConfigurationError, ConflictError
from activesynth.lineage.locks import AnyRow, lock_campaign, lock_iteration
from activesynth.lineage.plain import plain
from activesynth.lineage.schema import campaign_configs, campaigns, iterations


def register_campaign(connection: Connection, name: str, config: Mapping[str, Any]) -> None:
    """Create the campaign, or add an edited config as its next version."""
    fresh = {"name": name, "config_version": 0, "epoch": 1, "branches": {}, "iterations": 0}
    connection.execute(upsert(campaigns).values(fresh).on_conflict_do_nothing())
    row = lock_campaign(connection, name)
    document = plain(config)
    digest = sha256(canonical_json(document))
    newest = select(campaign_configs.c.digest).where(
        campaign_configs.c.campaign == name, campaign_configs.c.version == row.config_version
    )
    if connection.execute(newest).scalar_one_or_none() == digest:
        return
    version = row.config_version + 1
    connection.execute(
        insert(campaign_configs).values(
            campaign=name, version=version, config=document, digest=digest
        )
    )
    connection.execute(
        update(campaigns).where(campaigns.c.name == name).values(config_version=version)
    )


def open_iteration(
    connection: Connection, campaign: str, run_key: str, overrides: Mapping[str, Any]
) -> int:
    """Open, rejoin or take over; return the number of the iteration the run now holds.

    Raises:
        ConflictError: If another run holds the campaign's active iteration.
        ConfigurationError: If there is no such campaign, or it has no data yet.
    """
    head = lock_campaign(connection, campaign)
    own = _one(connection, iterations.c.campaign == campaign, iterations.c.run_key == run_key)
    if own is not None:
        _rejoin(connection, head, own)
        return int(own.number)
    active = _one(connection, iterations.c.campaign == campaign, iterations.c.state != "committed")
    if active is None:
        _start(connection, head, run_key, overrides)
        return int(head.iterations)
    if active.state != "failed":
        raise ConflictError(
            f"run {active.run_key!r} holds iteration {active.number} of campaign {campaign!r} "
            f"({active.state} since {active.opened_at:%Y-%m-%d %H:%M} UTC); wait until it ends, "
            "or, if its run is dead, give it up by `activesynth iteration fail "
            f'{campaign}:{active.number}:{active.fence} --reason "its run is dead"` and start '
            f"{run_key!r} again.",
            reason="iteration_open",
            field="campaign",
        )
    changes = {"run_key": run_key, "overrides": plain(overrides)}
    _restart(connection, head, active, {**changes, "config_version": head.config_version})
    return int(active.number)


def fail_iteration(connection: Connection, ref: IterationRef, reason: str) -> None:
    """Mark an open iteration failed; a committed or failed one stays as it is."""
    row = lock_iteration(connection, ref)
    if row.state in ("open", "waiting"):
        _change(connection, row, {"state": "failed", "failure": reason})


def resume_iteration(connection: Connection, ref: IterationRef, state: str) -> AnyRow:
    """Put an uncommitted iteration into ``state``, held until the end; return it as it was.

    Only its last holder can name its fence, so a failed iteration that is written to goes on.

    Raises:
        ConfigurationError: If there is none.
        ConflictError: If it has been taken over, or has failed and the campaign has moved since.
    """
    # Shared, so that results do not wait for each other; a refresh waits, and so does a commit.
    query = select(campaigns).where(campaigns.c.name == ref.campaign).with_for_update(read=True)
    head = connection.execute(query).one_or_none()
    row = lock_iteration(connection, ref)
    if row.state == "failed" and head is not None and not _stands_as(head, row):
        raise ConflictError(
            f"iteration {ref.number} of campaign {ref.campaign!r} failed ({row.failure}), and the "
            f"campaign has moved on since; start run {row.run_key!r} again from `begin`, or "
            "trigger the campaign again.",
            reason="head_moved",
            field="iteration",
        )
    if row.state not in ("committed", state):
        _change(connection, row, {"state": state, "failure": None})
    return row


def _one(connection: Connection, *conditions: Any) -> AnyRow | None:
    return connection.execute(select(iterations).where(*conditions)).one_or_none()


def _start(
    connection: Connection, head: AnyRow, run_key: str, overrides: Mapping[str, Any]
) -> None:
    connection.execute(
        insert(iterations).values(
            campaign=head.name,
            number=head.iterations,
            run_key=run_key,
            fence=1,
            state="open",
            config_version=head.config_version,
            overrides=plain(overrides),
            **_start_point(head),
        )
    )


def _rejoin(connection: Connection, head: AnyRow, own: AnyRow) -> None:
    """Reopen a failed iteration; under a new fence if what it started from has changed since.

    That is the head, its model, the branches or the campaign file.
    """
    if own.state != "failed":
        return
    if _stands_as(head, own) and own.config_version == head.config_version:
        _change(connection, own, {"state": "open", "failure": None})
    else:
        _restart(connection, head, own, {"config_version": head.config_version})


def _restart(connection: Connection, head: AnyRow, row: AnyRow, changes: dict[str, Any]) -> None:
    """Reopen under the next fence, from where the campaign stands now."""
    anew = {"state": "open", "failure": None, "fence": row.fence + 1, **_start_point(head)}
    anew |= {"questions_closed": None, "questions_closed_by": None}
    _change(connection, row, {**anew, **changes})


def _stands_as(head: AnyRow, row: AnyRow) -> bool:
    """Tell whether the campaign stands where the iteration started; an erasure moves each alone."""
    there = (head.head, head.head_model, head.branches)
    return bool((row.parent, row.parent_model, row.branches) == there)


def _start_point(head: AnyRow) -> dict[str, Any]:
    if head.head is None:
        raise ConfigurationError(
            f"campaign {head.name!r} has no dataset version yet; ingest its source first.",
            reason="no_data",
            field="campaign",
        )
    return {"parent": head.head, "parent_model": head.head_model, "branches": head.branches}


def _change(connection: Connection, row: AnyRow, values: dict[str, Any]) -> None:
    here = (iterations.c.campaign == row.campaign) & (iterations.c.number == row.number)
    connection.execute(update(iterations).where(here).values(values))
