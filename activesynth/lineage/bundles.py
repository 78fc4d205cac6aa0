"""From a bundle of domain rows to rows of tables, and to the digest that tells commits apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Table

from activesynth.domain.canonical import canonical_json
from activesynth.domain.records import Bundle, IterationCommit
from activesynth.errors import InputError
from activesynth.lineage import schema
from activesynth.lineage.bulk import Spooled, Staged, merge, spooled, stage
from activesynth.lineage.plain import attributes, plain, record_for
from activesynth.lineage.verdict_counts import count_merged

_NEEDS_ITERATION = ("weaknesses", "plan", "models", "metrics")


@contextmanager
def spooled_bundle(
    campaign: str, iteration: int | None, bundle: Bundle
) -> Iterator[Sequence[Spooled]]:
    """Encode everything but the version, samples before what points at them.

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
    tables: list[tuple[Table, Iterable[Any]]] = [
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
    with ExitStack() as files:
        rows = [files.enter_context(spooled(table, records)) for table, records in batches]
        yield [spooled_rows for spooled_rows in rows if spooled_rows is not None]


def stage_bundle(connection: Connection, rows: Sequence[Spooled]) -> list[Staged]:
    """Copy spooled rows into temporary tables."""
    return [stage(connection, table_rows) for table_rows in rows]


def _records(table: Table, rows: Iterable[Any], owner: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (record_for(table, row, **owner) for row in rows)


def merge_bundle(connection: Connection, campaign: str, staged: Sequence[Staged]) -> None:
    """Write the staged rows to their tables, and count what became of samples."""
    for rows in staged:
        merge(connection, rows)
    count_merged(connection, campaign, staged)


def commit_digest(commit: IterationCommit) -> str:
    """Digest what an iteration made and decided: not who ran it, nor what runs next.

    It is that of one canonical JSON document, whose rows are never held together.
    """
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
    }
    parts = {name: iter([canonical_json(plain(value))]) for name, value in document.items()}
    groups = {name: _listed(map(_written, group)) for name, group in rows.items()}
    parts["rows"] = _named(groups)
    digest = hashlib.sha256()
    for part in _named(parts):
        digest.update(part)
    return digest.hexdigest()


def _written(row: Any) -> bytes:
    return canonical_json(plain(attributes(row)))


def _named(values: Mapping[str, Iterator[bytes]]) -> Iterator[bytes]:
    """Yield a JSON object, its keys sorted."""
    for number, name in enumerate(sorted(values)):
        yield (b"," if number else b"{") + canonical_json(name) + b":"
        yield from values[name]
    yield b"}"


def _listed(values: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a JSON list."""
    yield b"["
    for number, value in enumerate(values):
        yield b"," + value if number else value
    yield b"]"


def _parents(campaign: str, bundle: Bundle) -> Iterator[dict[str, Any]]:
    return (
        {"campaign": campaign, "sample": row.id, "parent": parent}
        for row in bundle.samples
        for parent in row.parents
    )
