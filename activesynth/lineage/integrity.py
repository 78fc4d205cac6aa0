"""What `fsck` asks: every digest on record, what hangs on it, and rows that point nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, text

from activesynth.domain.records import BlobMention, BlobUse, BrokenRow, RecordedBlob
from activesynth.lineage.engine import Database

STREAM_ROWS = 1000
BROKEN_ROWS = 1000

# `integrate` writes manifests, and a part that was fitted lies as a card with its tensors beside.
_RECORDED = """
    WITH named AS (
        SELECT campaign, digest, 'manifest' AS role FROM activesynth.dataset_versions
        UNION ALL
        SELECT a.campaign, a.digest,
               CASE WHEN a.step = 'integrate' THEN 'manifest'
                    WHEN EXISTS (
                        SELECT FROM activesynth.artifacts t
                        WHERE (t.campaign, t.iteration, t.step, t.shard)
                            = (a.campaign, a.iteration, a.step, a.shard)
                          AND t.kind = a.kind || '.tensors'
                    ) THEN 'card' ELSE '' END
        FROM activesynth.artifacts a
        UNION ALL
        SELECT campaign, digest, 'card' FROM activesynth.models
        UNION ALL
        SELECT campaign, profile, '' FROM activesynth.diagnoses
        UNION ALL
        SELECT name, head_model, 'card' FROM activesynth.campaigns WHERE head_model IS NOT NULL
        UNION ALL
        SELECT name, b.value, 'manifest' FROM activesynth.campaigns, jsonb_each_text(branches) b
        UNION ALL
        SELECT campaign, shard, '' FROM (
            SELECT DISTINCT campaign, shard FROM activesynth.samples
        ) placed
        UNION ALL
        SELECT NULL, card, 'card' FROM activesynth.generators
        UNION ALL
        SELECT NULL, corpus, 'manifest' FROM activesynth.generators
        UNION ALL
        SELECT campaign, predictions, '' FROM activesynth.experiment_cells
        UNION ALL
        SELECT campaign, after, 'manifest' FROM activesynth.erased_manifests
        UNION ALL
        SELECT campaign, b.value, 'manifest'
        FROM activesynth.recalls, jsonb_each_text(branches) b
        UNION ALL
        SELECT unnest(e.campaigns), b.replacement, ''
        FROM activesynth.erased_blobs b JOIN activesynth.erasures e ON e.id = b.erasure
        WHERE b.replacement IS NOT NULL
    )
    SELECT digest, bool_or(role = 'manifest') AS is_manifest, bool_or(role = 'card') AS is_card
    FROM named WHERE :campaign IS NULL OR campaign = :campaign
    GROUP BY digest ORDER BY digest
"""

_USES = """
    WITH RECURSIVE down(start, digest) AS (
        SELECT d, d FROM unnest(CAST(:digests AS text[])) d
        UNION
        SELECT down.start, e.child
        FROM down JOIN activesynth.artifact_edges e ON e.parent = down.digest
    ), open AS (
        SELECT campaign, number FROM activesynth.iterations WHERE state <> 'committed'
    ), uses AS (
        SELECT digest, campaign, iteration, 'artifact' AS relation, step || '/' || kind AS name,
               shard, 1 AS count
        FROM activesynth.artifacts WHERE digest = ANY(:digests)
        UNION ALL
        SELECT DISTINCT parent, campaign, iteration, 'read_by', step, shard, 1
        FROM activesynth.artifact_edges WHERE parent = ANY(:digests)
        UNION ALL
        SELECT ancestor, campaign, iteration,
               CASE WHEN depth = 0 THEN 'version' ELSE 'descendant' END, version, 0, 1
        FROM activesynth.dataset_ancestry WHERE ancestor = ANY(:digests)
        UNION ALL
        SELECT head, name, NULL, 'head', head, 0, 1
        FROM activesynth.campaigns WHERE head = ANY(:digests)
        UNION ALL
        SELECT head_model, name, NULL, 'head_model', head_model, 0, 1
        FROM activesynth.campaigns WHERE head_model = ANY(:digests)
        UNION ALL
        SELECT b.value, name, NULL, 'branch', b.key, 0, 1
        FROM activesynth.campaigns, jsonb_each_text(branches) b WHERE b.value = ANY(:digests)
        UNION ALL
        SELECT digest, campaign, iteration, 'model', digest, replicate, 1
        FROM activesynth.models WHERE digest = ANY(:digests)
        UNION ALL
        SELECT trained_on, campaign, iteration, 'trained', digest, replicate, 1
        FROM activesynth.models WHERE trained_on = ANY(:digests)
        UNION ALL
        SELECT profile, campaign, NULL, 'diagnosis', run_key, 0, 1
        FROM activesynth.diagnoses WHERE profile = ANY(:digests)
        UNION ALL
        SELECT card, name, NULL, 'generator', name, 0, 1
        FROM activesynth.generators WHERE card = ANY(:digests)
        UNION ALL
        SELECT corpus, name, NULL, 'corpus', name, 0, 1
        FROM activesynth.generators WHERE corpus = ANY(:digests)
        UNION ALL
        SELECT predictions, campaign, NULL, 'predictions', experiment, 0, 1
        FROM activesynth.experiment_cells WHERE predictions = ANY(:digests)
        UNION ALL
        SELECT shard, campaign, iteration, 'samples', min(id), 0, count(*)
        FROM activesynth.samples WHERE shard = ANY(:digests) GROUP BY shard, campaign, iteration
        UNION ALL
        SELECT manifest, campaign, iteration, 'members', min(sample), 0, count(*)
        FROM activesynth.dataset_members WHERE manifest = ANY(:digests)
        GROUP BY manifest, campaign, iteration
        UNION ALL
        SELECT d.start, v.campaign, v.iteration, 'reaches_version', v.digest, 0, 1
        FROM down d JOIN activesynth.dataset_versions v USING (digest) WHERE d.start <> d.digest
        UNION ALL
        SELECT d.start, m.campaign, m.iteration, 'reaches_model', m.digest, m.replicate, 1
        FROM down d JOIN activesynth.models m USING (digest) WHERE d.start <> d.digest
        UNION ALL
        SELECT d.start, s.campaign, s.iteration, 'reaches_samples', min(s.id), 0, count(*)
        FROM down d JOIN activesynth.samples s ON s.shard = d.digest WHERE d.start <> d.digest
        GROUP BY d.start, s.campaign, s.iteration
    )
    SELECT u.*, o.number IS NOT NULL AS is_open
    FROM uses u LEFT JOIN open o ON o.campaign = u.campaign AND o.number = u.iteration
    ORDER BY u.digest, u.campaign, u.iteration, u.relation, u.name, u.shard
"""

_MENTIONS = """
    WITH mentions AS (
        SELECT parent AS digest, campaign, 'artifact_edges.parent' AS place,
               'iteration ' || iteration || ', step ' || step AS example, NULL::integer AS row
        FROM (
            SELECT DISTINCT ON (campaign, parent) campaign, parent, iteration, step
            FROM activesynth.artifact_edges ORDER BY campaign, parent, iteration, step
        ) edges
        UNION ALL
        SELECT child, campaign, 'artifact_edges.child',
               'iteration ' || iteration || ', step ' || step, NULL
        FROM (
            SELECT DISTINCT ON (campaign, child) campaign, child, iteration, step
            FROM activesynth.artifact_edges ORDER BY campaign, child, iteration, step
        ) edges
        UNION ALL
        SELECT shard, campaign, 'samples.shard', id, "row"
        FROM (
            SELECT DISTINCT ON (campaign, shard) campaign, shard, id, "row"
            FROM activesynth.samples ORDER BY campaign, shard, "row" DESC, id
        ) farthest
        UNION ALL
        SELECT generator, campaign, 'samples.generator', min(id), NULL
        FROM activesynth.samples WHERE generator IS NOT NULL GROUP BY campaign, generator
        UNION ALL
        SELECT manifest, campaign, 'dataset_members.manifest', min(sample), NULL
        FROM activesynth.dataset_members GROUP BY campaign, manifest
        UNION ALL
        SELECT trained_on, campaign, 'models.trained_on', min(digest), NULL
        FROM activesynth.models WHERE trained_on IS NOT NULL GROUP BY campaign, trained_on
        UNION ALL
        SELECT model, campaign, 'diagnoses.model', min(run_key), NULL
        FROM activesynth.diagnoses GROUP BY campaign, model
        UNION ALL
        SELECT shard, campaign, 'annotation_items.shard', min(id), max("row")
        FROM activesynth.annotation_items GROUP BY campaign, shard
    )
    SELECT * FROM mentions WHERE :campaign IS NULL OR campaign = :campaign
"""

_BROKEN = """
    WITH broken AS (
        (SELECT c.name AS campaign, 'campaigns' AS "table", c.name AS "row",
                'head_model ' || c.head_model || ' is no model on record' AS problem
         FROM activesynth.campaigns c
         WHERE c.head_model IS NOT NULL AND NOT EXISTS (
             SELECT FROM activesynth.models m WHERE m.campaign = c.name AND m.digest = c.head_model
         ) LIMIT :limit)
        UNION ALL
        (SELECT c.name, 'campaigns', c.name,
                'branch ' || b.key || ' is ' || b.value || ', which no step wrote'
         FROM activesynth.campaigns c, jsonb_each_text(c.branches) b
         WHERE NOT EXISTS (
             SELECT FROM activesynth.artifacts a WHERE a.campaign = c.name AND a.digest = b.value
         ) AND NOT EXISTS (
             SELECT FROM activesynth.erased_manifests m
             WHERE m.campaign = c.name AND m.after = b.value
         ) AND NOT EXISTS (
             SELECT FROM activesynth.recalls r, jsonb_each_text(r.branches) n
             WHERE r.campaign = c.name AND n.value = b.value
         ) LIMIT :limit)
        UNION ALL
        (SELECT i.campaign, 'iterations', i.number::text,
                'version ' || i.version || ' is not in dataset_versions'
         FROM activesynth.iterations i
         WHERE i.version IS NOT NULL AND NOT EXISTS (
             SELECT FROM activesynth.dataset_versions v
             WHERE v.campaign = i.campaign AND v.digest = i.version
         ) LIMIT :limit)
        UNION ALL
        (SELECT i.campaign, 'iterations', i.number::text,
                'parent_model ' || i.parent_model || ' is no model on record'
         FROM activesynth.iterations i
         WHERE i.parent_model IS NOT NULL AND NOT EXISTS (
             SELECT FROM activesynth.models m
             WHERE m.campaign = i.campaign AND m.digest = i.parent_model
         ) LIMIT :limit)
        UNION ALL
        (SELECT s.campaign, 'steps', s.iteration || ', ' || s.name || ', shard ' || s.shard,
                'names ' || e.key || ' = ' || e.value || ', and artifacts does not'
         FROM activesynth.steps s, jsonb_each_text(s.artifacts) e
         WHERE NOT EXISTS (
             SELECT FROM activesynth.artifacts a
             WHERE (a.campaign, a.iteration, a.step, a.shard, a.kind, a.digest)
                 = (s.campaign, s.iteration, s.name, s.shard, e.key, e.value)
         ) LIMIT :limit)
        UNION ALL
        (SELECT a.campaign, 'artifacts',
                a.iteration || ', ' || a.step || ', shard ' || a.shard || ', ' || a.kind,
                'is ' || a.digest || ', and its step names another or none'
         FROM activesynth.artifacts a
         JOIN activesynth.steps s
           ON (s.campaign, s.iteration, s.name, s.shard)
            = (a.campaign, a.iteration, a.step, a.shard)
         WHERE s.artifacts ->> a.kind IS DISTINCT FROM a.digest LIMIT :limit)
        UNION ALL
        (SELECT p.campaign, 'sample_parents', p.sample, 'parent ' || p.parent || ' is no sample'
         FROM activesynth.sample_parents p
         WHERE NOT EXISTS (
             SELECT FROM activesynth.samples s WHERE s.campaign = p.campaign AND s.id = p.parent
         ) LIMIT :limit)
        UNION ALL
        (SELECT s.campaign, 'samples', s.id, 'row ' || s."row" || ' is negative'
         FROM activesynth.samples s WHERE s."row" < 0 LIMIT :limit)
        UNION ALL
        (SELECT v.campaign, 'dataset_versions', v.digest,
                'iteration ' || v.iteration || ' did not commit it'
         FROM activesynth.dataset_versions v
         WHERE v.iteration IS NOT NULL AND NOT EXISTS (
             SELECT FROM activesynth.iterations i
             WHERE i.campaign = v.campaign AND i.number = v.iteration AND i.version = v.digest
         ) LIMIT :limit)
    )
    SELECT * FROM broken WHERE :campaign IS NULL OR campaign = :campaign
    ORDER BY campaign, "table", "row", problem
"""


def recorded_blobs(database: Database, campaign: str | None) -> Iterator[RecordedBlob]:
    """Stream the distinct digests that rows point at."""
    for row in _streamed(database, _RECORDED, campaign):
        yield RecordedBlob(**row)


def recorded_in(connection: Connection) -> Iterator[RecordedBlob]:
    """Yield the distinct digests that the rows of all campaigns point at, as this one sees them."""
    for row in _rows(connection, _RECORDED, None):
        yield RecordedBlob(**row)


def blob_mentions(database: Database, campaign: str | None) -> Iterator[BlobMention]:
    """Stream what refers to blobs that other rows must know."""
    for row in _streamed(database, _MENTIONS, campaign):
        yield BlobMention(**row)


def blob_uses(database: Database, digests: Sequence[str]) -> list[BlobUse]:
    """Return everything on record that names one of the digests or was made from it."""
    with database.reading() as connection:
        rows = connection.execute(text(_USES), {"digests": list(digests)}).mappings()
        return [BlobUse(**row) for row in rows]


def broken_rows(database: Database, campaign: str | None) -> list[BrokenRow]:
    """Return rows whose relations to other rows are broken."""
    with database.reading() as connection:
        values = {"campaign": campaign, "limit": BROKEN_ROWS}
        return [BrokenRow(**row) for row in connection.execute(text(_BROKEN), values).mappings()]


def _streamed(database: Database, query: str, campaign: str | None) -> Iterator[dict[str, Any]]:
    with database.reading() as connection:
        yield from _rows(connection, query, campaign)


def _rows(connection: Connection, query: str, campaign: str | None) -> Iterator[dict[str, Any]]:
    streaming = connection.execution_options(yield_per=STREAM_ROWS)
    for row in streaming.execute(text(query), {"campaign": campaign}).mappings():
        yield {str(name): value for name, value in row.items()}
