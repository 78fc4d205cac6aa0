"""Step results: staged under the fence of their iteration, reused by derivation key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from activesynth.domain.records import IterationRef, StepRecord
from activesynth.errors import ConfigurationError, ConflictError
from activesynth.lineage.locks import AnyRow, refuse_replaced
from activesynth.lineage.opening import resume_iteration
from activesynth.lineage.plain import plain
from activesynth.lineage.rows import step_record
from activesynth.lineage.schema import artifact_edges, artifacts, steps


def find_step(connection: Connection, derivation_key: str) -> StepRecord | None:
    """Return the oldest result with this key, of any campaign, committed or staged."""
    query = (
        select(steps)
        .where(steps.c.derivation_key == derivation_key)
        .order_by(steps.c.recorded_at, steps.c.campaign, steps.c.iteration, steps.c.shard)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else step_record(row)


def shard_results(connection: Connection, ref: IterationRef, name: str) -> list[StepRecord]:
    """Return what was recorded for a step under the fence of ``ref``, by shard.

    Raises:
        ConflictError: If there is nothing because the iteration was taken over.
    """
    query = (
        select(steps)
        .where(
            steps.c.campaign == ref.campaign,
            steps.c.iteration == ref.number,
            steps.c.name == name,
            steps.c.fence == ref.fence,
        )
        .order_by(steps.c.shard)
    )
    found = [step_record(row) for row in connection.execute(query)]
    if not found:
        # A holder that was replaced learns that, and not that an earlier step is missing.
        refuse_replaced(connection, ref)
    return found


def one_result(connection: Connection, ref: IterationRef, name: str, shard: int) -> StepRecord:
    """Return the result of one shard.

    Raises:
        ConfigurationError: If it has not run in this iteration.
        ConflictError: If the iteration was taken over.
    """
    for record in shard_results(connection, ref, name):
        if record.shard == shard:
            return record
    raise ConfigurationError(
        f"step {name!r}, shard {shard}, has no result in iteration {ref.number} of campaign "
        f"{ref.campaign!r} under fence {ref.fence}; run that step first."
    )


def record_step(connection: Connection, ref: IterationRef, record: StepRecord) -> StepRecord:
    """Write a result with its artifacts and edges, and return the one that stands.

    Of several deliveries of the same work under one fence the first one to write wins: what comes
    after it may have been read already. Other work, or an earlier holder's, is replaced.

    Raises:
        ConflictError: If the iteration was taken over, or is committed with another result.
    """
    is_final = resume_iteration(connection, ref, "open").state == "committed"
    here = _here(steps.c, "name", ref, record)
    known: AnyRow | None = connection.execute(select(steps).where(*here)).one_or_none()
    if known is None:
        # Also once it is committed: the steps that commit finish after their commit.
        _write(connection, ref, record)
    elif (known.fence, known.derivation_key) == (ref.fence, record.derivation_key):
        if not is_final:
            more = {"attempts": steps.c.attempts + 1}
            connection.execute(update(steps).where(*here).values(more))
    elif is_final:
        raise ConflictError(
            f"iteration {ref.number} of campaign {ref.campaign!r} is committed, and its step "
            f"{record.name!r} has another result; start a new iteration instead."
        )
    else:
        _write(connection, ref, record)
    return step_record(connection.execute(select(steps).where(*here)).one())


def forget_older_fences(connection: Connection, ref: IterationRef) -> None:
    """Drop what earlier holders of the iteration staged and its last holder did not replace."""
    connection.execute(
        delete(steps).where(
            steps.c.campaign == ref.campaign,
            steps.c.iteration == ref.number,
            steps.c.fence != ref.fence,
        )
    )


def _write(connection: Connection, ref: IterationRef, record: StepRecord) -> None:
    owner = {"campaign": ref.campaign, "iteration": ref.number, "shard": record.shard}
    values: dict[str, Any] = {
        **owner,
        "name": record.name,
        "fence": ref.fence,
        "derivation_key": record.derivation_key,
        "artifacts": dict(record.artifacts),
        "facts": plain(record.facts),
        "inputs": list(record.inputs),
        "seconds": record.seconds,
        "device": record.device,
        "peak_memory_mb": record.peak_memory_mb,
        "host": record.host,
        "is_reused": record.is_reused,
        "attempts": 1,
    }
    keys = [column.name for column in steps.primary_key.columns]
    changes = {name: value for name, value in values.items() if name not in keys}
    connection.execute(
        upsert(steps)
        .values(values)
        .on_conflict_do_update(
            index_elements=keys, set_={**changes, "attempts": steps.c.attempts + 1}
        )
    )
    owner["step"] = record.name
    for table in (artifacts, artifact_edges):
        connection.execute(delete(table).where(*_here(table.c, "step", ref, record)))
    made = [{**owner, "kind": kind, "digest": digest} for kind, digest in record.artifacts.items()]
    edges = [
        {**owner, "parent": parent, "child": child}
        for parent in dict.fromkeys(record.inputs)
        for child in dict.fromkeys(record.artifacts.values())
    ]
    if made:
        connection.execute(insert(artifacts), made)
    if edges:
        connection.execute(insert(artifact_edges), edges)


def _here(columns: Any, name: str, ref: IterationRef, record: StepRecord) -> tuple[Any, ...]:
    return (
        columns.campaign == ref.campaign,
        columns.iteration == ref.number,
        columns[name] == record.name,
        columns.shard == record.shard,
    )
