"""Erasing as rows: what was erased, and the one transaction that parts records from a person."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from activesynth.domain.erasure import (
    ArtifactPlace,
    CampaignErasure,
    CampaignSeen,
    ErasedBlob,
    Erasure,
    ErasureCommit,
    TrainedModel,
)
from activesynth.errors import ConflictError, PlatformStateError
from activesynth.lineage.commit import insert_version, refuse_active_iteration
from activesynth.lineage.engine import Database
from activesynth.lineage.erasure_schema import (
    erased_blobs,
    erased_manifests,
    erased_names,
    erasures,
)
from activesynth.lineage.failures import AlreadyWrittenError, OutcomeUnknownError
from activesynth.lineage.leases import alone
from activesynth.lineage.locks import AnyRow, lock_campaign
from activesynth.lineage.quarantine import dead_holders
from activesynth.lineage.schema import artifacts, blob_leases, blob_quarantine, campaigns
from activesynth.lineage.verdict_counts import count_verdicts, iterations_of

_BATCH = 1000

# In the order in which they are deleted: what points at samples, then samples.
_ASKED = (
    "item IN (SELECT id FROM activesynth.annotation_items "
    "WHERE campaign = ANY(:campaigns) AND sample = ANY(:samples))"
)
_PERSONAL = {
    "annotation_claims": _ASKED,
    "second_opinions": _ASKED,
    "annotations": _ASKED,
    "annotation_items": "campaign = ANY(:campaigns) AND sample = ANY(:samples)",
    "sample_parents": (
        "campaign = ANY(:campaigns) AND (sample = ANY(:samples) OR parent = ANY(:samples))"
    ),
    "dataset_members": "campaign = ANY(:campaigns) AND sample = ANY(:samples)",
    "samples": "campaign = ANY(:campaigns) AND id = ANY(:samples)",
}
_MOVE = """
    UPDATE activesynth.samples s SET shard = m.to_shard, "row" = m."row"
    FROM moved m WHERE s.campaign = ANY(:campaigns) AND s.id = m.sample AND s.shard = m.shard
"""
_MEMBERS = """
    INSERT INTO activesynth.dataset_members (campaign, manifest, sample, split, weight, iteration)
    SELECT campaign, :after, sample, split, weight, NULL FROM activesynth.dataset_members
    WHERE campaign = :campaign AND manifest = :before
    ON CONFLICT DO NOTHING
"""
# A result whose blobs are gone must not be found as the oldest one of its key for ever.
_FORGET_KEYS = """
    UPDATE activesynth.steps s SET derivation_key = 'erased:' || s.derivation_key
    WHERE s.derivation_key NOT LIKE 'erased:%' AND EXISTS (
        SELECT FROM activesynth.artifacts a JOIN activesynth.erased_blobs e USING (digest)
        WHERE (a.campaign, a.iteration, a.step, a.shard)
            = (s.campaign, s.iteration, s.name, s.shard) AND e.erasure = :erasure
    )
"""
# Whoever took back single samples named them; the person's ids stay on record nowhere.
_FORGET_RECALLED = """
    UPDATE activesynth.recalls SET selection = jsonb_set(selection, '{samples}', (
        SELECT coalesce(jsonb_agg(id ORDER BY id), '[]')
        FROM jsonb_array_elements_text(selection -> 'samples') id WHERE NOT id = ANY(:samples)
    ))
    WHERE campaign = ANY(:campaigns)
      AND jsonb_exists_any(selection -> 'samples', CAST(:samples AS text[]))
"""
_PLACES = """
    SELECT DISTINCT a.digest, a.iteration, a.step, a.kind, i.parent,
           i.state = 'committed' AS is_committed
    FROM activesynth.artifacts a JOIN activesynth.iterations i
      ON i.campaign = a.campaign AND i.number = a.iteration
    WHERE a.campaign = :campaign ORDER BY 2, 3, 4, 1
"""
_NEWEST = text(
    "SELECT number, fence, state FROM activesynth.iterations WHERE campaign = :campaign "
    "ORDER BY number DESC LIMIT 1"
)
_MODELS = """
    SELECT digest, iteration, role, arm, replicate, trained_on FROM activesynth.models
    WHERE campaign = :campaign ORDER BY iteration, role, arm, replicate
"""


class ErasureRows:
    """Implements :class:`activesynth.domain.erasure.ErasureStore`."""

    _database: Database

    def erasures(self, campaign: str | None = None) -> list[Erasure]:
        """Return what was erased, oldest first."""
        query = select(erasures).order_by(erasures.c.recorded_at, erasures.c.id)
        if campaign is not None:
            query = query.where(erasures.c.campaigns.any(campaign))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
            names: dict[str, set[tuple[str, str]]] = {}
            if rows:
                for row in connection.execute(select(erased_names)):
                    names.setdefault(row.erasure, set()).add((row.kind, row.hash))
        return [
            Erasure(
                row.id,
                tuple(row.campaigns),
                row.reason,
                row.salt,
                row.certificate,
                row.recorded_at,
                row.finished_at,
                frozenset(names.get(row.id, ())),
            )
            for row in rows
        ]

    def erased_blobs(self) -> dict[str, ErasedBlob]:
        """Return every blob that was erased."""
        with self._database.reading() as connection:
            found = (_erased(row) for row in connection.execute(select(erased_blobs)))
            return {blob.digest: blob for blob in found}

    def erased_blob(self, digest: str) -> ErasedBlob | None:
        """Return what is on record about an erased blob."""
        query = select(erased_blobs).where(erased_blobs.c.digest == digest)
        try:
            with self._database.reading() as connection:
                row = connection.execute(query).one_or_none()
        except PlatformStateError as error:
            # A backup's blobs are looked for before there are tables.
            if error.reason != "not_migrated":
                raise
            return None
        return None if row is None else _erased(row)

    def personal_rows(self, campaigns: Sequence[str], samples: Collection[str]) -> dict[str, int]:
        """Count the rows about these samples."""
        values = {"campaigns": list(campaigns), "samples": list(samples)}
        with self._database.reading() as connection:
            counts = {
                table: int(
                    connection.execute(
                        text(f"SELECT count(*) FROM activesynth.{table} WHERE {where}"),  # noqa: S608
                        values,
                    ).scalar_one()
                )
                for table, where in _PERSONAL.items()
            }
        return {table: count for table, count in counts.items() if count}

    def children(self, campaigns: Sequence[str], samples: Collection[str]) -> list[str]:
        """Return the ids of samples made from these."""
        query = (
            "SELECT DISTINCT sample FROM activesynth.sample_parents "
            "WHERE campaign = ANY(:campaigns) AND parent = ANY(:samples) ORDER BY 1"
        )
        values = {"campaigns": list(campaigns), "samples": list(samples)}
        with self._database.reading() as connection:
            return list(connection.execute(text(query), values).scalars())

    def also_in(self, campaigns: Sequence[str], samples: Collection[str]) -> list[str]:
        """Return the other campaigns that hold one of these samples."""
        query = (
            "SELECT DISTINCT campaign FROM activesynth.samples "
            "WHERE NOT campaign = ANY(:campaigns) AND id = ANY(:samples) ORDER BY 1"
        )
        values = {"campaigns": list(campaigns), "samples": list(samples)}
        with self._database.reading() as connection:
            return list(connection.execute(text(query), values).scalars())

    def artifact_places(self, campaign: str) -> list[ArtifactPlace]:
        """Return where all artifacts of a campaign come from."""
        with self._database.reading() as connection:
            rows = connection.execute(text(_PLACES), {"campaign": campaign}).mappings()
            return [ArtifactPlace(**row) for row in rows]

    def trained_models(self, campaign: str) -> list[TrainedModel]:
        """Return the models of committed iterations."""
        with self._database.reading() as connection:
            rows = connection.execute(text(_MODELS), {"campaign": campaign}).mappings()
            return [TrainedModel(**row) for row in rows]

    def commit_erasure(self, commit: ErasureCommit) -> None:
        """Part the records from the person: all or nothing."""
        try:
            with self._database.writing(f"commit_erasure:{commit.id}") as connection:
                _part(connection, commit)
        except (OutcomeUnknownError, AlreadyWrittenError):
            if all(known.id != commit.id for known in self.erasures()):
                raise

    def condemn_erased(
        self, digests: Collection[str], collector: str, limit: timedelta
    ) -> list[str]:
        """Allow ``collector`` to remove erased blobs; return those that nobody holds."""
        wanted = sorted(digests)
        with self._database.writing(f"condemn:{collector}") as connection:
            alone(connection)
            # Who is taken for dead must not record afterwards what is removed now.
            dead = blob_leases.c.holder.in_(dead_holders(limit))
            connection.execute(blob_leases.delete().where(dead))
            leased = select(blob_leases.c.digest).where(blob_leases.c.digest.in_(wanted))
            held = set(connection.execute(leased).scalars())
            free = [digest for digest in wanted if digest not in held]
            if free:
                now = func.clock_timestamp()
                condemned = {"condemned_at": now, "condemned_by": collector}
                rows = [{"digest": digest, "bytes": 0} for digest in free]
                statement = upsert(blob_quarantine).values(
                    [{**row, "modified": now, **condemned} for row in rows]
                )
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["digest"], set_=condemned)
                )
        return free

    def note_removed(self, digests: Collection[str], collector: str) -> None:
        """Note that erased blobs are gone."""
        wanted = sorted(digests)
        with self._database.writing(f"note_removed:{collector}") as connection:
            alone(connection)
            connection.execute(
                update(erased_blobs)
                .where(erased_blobs.c.digest.in_(wanted), erased_blobs.c.removed_at.is_(None))
                .values(removed_at=func.clock_timestamp())
            )
            connection.execute(blob_quarantine.delete().where(blob_quarantine.c.digest.in_(wanted)))

    def finish_erasure(self, id: str, certificate: Mapping[str, Any]) -> None:
        """Keep the final certificate; the first end stands."""
        ended = func.coalesce(erasures.c.finished_at, func.clock_timestamp())
        with self._database.writing(f"finish_erasure:{id}") as connection:
            connection.execute(
                update(erasures)
                .where(erasures.c.id == id)
                .values(certificate=dict(certificate), finished_at=ended)
            )


def _erased(row: Any) -> ErasedBlob:
    return ErasedBlob(
        row.digest,
        row.erasure,
        row.kind,
        row.replacement,
        row.recorded_at,
        row.removed_at is not None,
    )


def _part(connection: Connection, commit: ErasureCommit) -> None:
    names = sorted(change.campaign for change in commit.campaigns)
    changes = {change.campaign: change for change in commit.campaigns}
    connection.execute(
        insert(erasures).values(
            id=commit.id,
            campaigns=names,
            reason=commit.reason,
            salt=commit.salt,
            certificate=dict(commit.certificate),
        )
    )
    for batch in _batches(commit.names):
        rows = [{"erasure": commit.id, "kind": kind, "hash": found} for kind, found in batch]
        connection.execute(insert(erased_names), rows)
    for batch in _batches(commit.blobs):
        blobs = [
            {"digest": d, "erasure": commit.id, "kind": kind, "replacement": replacement}
            for d, kind, replacement in batch
        ]
        connection.execute(upsert(erased_blobs).on_conflict_do_nothing(), blobs)
    for name in names:
        _move_on(connection, changes[name], commit.id)
    values = {"campaigns": names, "samples": list(commit.gone)}
    touched = iterations_of(connection, names, commit.gone)
    for table, where in _PERSONAL.items():
        connection.execute(
            text(f"DELETE FROM activesynth.{table} WHERE {where}"),  # noqa: S608 - our names
            values,
        )
    for name, numbers in touched.items():
        count_verdicts(connection, name, numbers)
    connection.execute(text(_FORGET_RECALLED), values)
    for name in names:
        _copy_members(connection, changes[name])
    _move_samples(connection, commit, names)
    connection.execute(text(_FORGET_KEYS), {"erasure": commit.id})


def _move_on(connection: Connection, change: CampaignErasure, erasure: str) -> None:
    """Give a campaign its new head and branches."""
    row = lock_campaign(connection, change.campaign)
    refuse_active_iteration(connection, change.campaign)
    _refuse_moved(connection, row, change.seen)
    values: dict[str, Any] = {
        "branches": {**row.branches, **{arm: after for arm, (_, after) in change.branches.items()}}
    }
    pairs = list(change.branches.values())
    if change.version is not None:
        insert_version(connection, row, change.version, None)
        values["head"] = change.version.digest
        pairs.append((change.head, change.version.digest))
    if not change.keeps_model:
        values["head_model"] = None
    connection.execute(update(campaigns).where(campaigns.c.name == change.campaign).values(values))
    written = [
        {"campaign": change.campaign, "before": before, "after": after, "erasure": erasure}
        for before, after in dict.fromkeys(pairs)
    ]
    if written:
        connection.execute(insert(erased_manifests), written)


def _refuse_moved(connection: Connection, row: AnyRow, seen: CampaignSeen) -> None:
    """Refuse to part what was looked at from a person while more of the person may lie beside it.

    Raises:
        ConflictError: ``campaign_moved`` if anything was committed or failed meanwhile.
    """
    last = connection.execute(_NEWEST, {"campaign": row.name}).one_or_none()
    digests = connection.execute(
        select(artifacts.c.digest).where(artifacts.c.campaign == row.name).distinct()
    )
    now = CampaignSeen(
        row.head,
        row.head_model,
        row.branches,
        row.iterations,
        None if last is None else (last.number, last.fence, last.state),
        frozenset(digests.scalars()),
    )
    if now != seen:
        raise ConflictError(
            f"campaign {row.name!r} moved on while it was looked through, and what came in may "
            "hold the person; nothing was changed, run again.",
            reason="campaign_moved",
            field="campaign",
        )


def _copy_members(connection: Connection, change: CampaignErasure) -> None:
    pairs = list(change.branches.values())
    if change.version is not None:
        pairs.append((change.head, change.version.digest))
    for before, after in dict.fromkeys(pairs):
        values = {"campaign": change.campaign, "before": before, "after": after}
        connection.execute(text(_MEMBERS), values)


def _move_samples(connection: Connection, commit: ErasureCommit, names: list[str]) -> None:
    connection.exec_driver_sql(
        "CREATE TEMPORARY TABLE moved (sample text, shard text, to_shard text, "
        '"row" integer) ON COMMIT DROP'
    )
    for batch in _batches(commit.moved):
        connection.execute(
            text("INSERT INTO moved VALUES (:sample, :shard, :to, :row)"),
            [{"sample": m.sample, "shard": m.shard, "to": m.to, "row": m.row} for m in batch],
        )
    connection.execute(text(_MOVE), {"campaigns": names})


def _batches(items: Any) -> Iterator[list[Any]]:
    coming = iter(items)
    while batch := list(islice(coming, _BATCH)):
        yield batch
