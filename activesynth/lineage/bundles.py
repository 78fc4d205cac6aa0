"""From a bundle of domain rows to rows of tables, and to the digest that tells commits apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from activesynth.domain.canonical import canonical_json, sha256
from activesynth.domain.records import Bundle, IterationCommit
from activesynth.errors import InputError
from activesynth.lineage import schema
from activesynth.lineage.bulk import Staged, merge, stage
from activesynth.lineage.plain import attributes, plain, record_for

_NEEDS_ITERATION = ("weaknesses", "plan", "models", "metrics")


def stage_bundle(
    connection: Connection, campaign: str, iteration: int | None, bundle: Bundle
) -> list[Staged]:
    """Copy everything but the version into temporary tables, samples before what points at them.

    Raises:
        InputError: If rows that belong to an iteration come without one.
    """
    homeless = [name for name in _NEEDS_ITERATION if getattr(bundle, name)]
    if iteration is None and homeless:
        raise InputError(
            f"{', '.join(homeless)} belong to an iteration and cannot be committed without one; "
            "commit them with `commit_iteration`.",
            reason="lineage_row",
        )
    tables: list[tuple[Table, Sequence[Any]]] = [
        (schema.samples, bundle.samples),
        (schema.dataset_members, bundle.members),
        (schema.weaknesses, bundle.weaknesses),
        (schema.plans, bundle.plan),
        (schema.models, bundle.models),
        (schema.metrics, bundle.metrics),
        (schema.outbox, bundle.events),
    ]
    owner = {"campaign": campaign, "iteration": iteration}
    batches: list[tuple[Table, Iterator[dict[str, Any]]]] = [
        (table, _records(table, rows, owner)) for table, rows in tables
    ]
    batches.insert(1, (schema.sample_parents, _parents(campaign, bundle)))
    staged = [stage(connection, table, records) for table, records in batches]
    return [rows for rows in staged if rows is not None]


def _records(table: Table, rows: Sequence[Any], owner: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (record_for(table, row, **owner) for row in rows)


def merge_bundle(connection: Connection, staged: Sequence[Staged]) -> None:
    """Write the staged rows to their tables."""
    for rows in staged:
        merge(connection, rows)


def commit_digest(commit: IterationCommit) -> str:
    """Digest what an iteration made and decided: not who ran it, nor what runs next."""
    rows = attributes(commit.bundle)
    version = rows.pop("version")
    document = {
        "campaign": commit.ref.campaign,
        "number": commit.ref.number,
        "parent": commit.parent,
        "decision": commit.decision,
        "reason": commit.reason,
        "head_model": commit.head_model,
        "branches": commit.branches,
        "version": None if version is None else attributes(version),
        "rows": {name: [attributes(row) for row in group] for name, group in rows.items()},
    }
    return sha256(canonical_json(plain(document)))


def _parents(campaign: str, bundle: Bundle) -> Iterator[dict[str, Any]]:
    return (
        {"campaign": campaign, "sample": row.id, "parent": parent}
        for row in bundle.samples
        for parent in row.parents
    )
