"""What pages, reports and the command line read: committed facts as plain rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import text

from activesynth.domain.records import BlobMention, BlobUse, BrokenRow, RecordedBlob
from activesynth.domain.standing import Standing
from activesynth.lineage import integrity, standing
from activesynth.lineage.engine import Database
from activesynth.lineage.pages import PageRows
from activesynth.lineage.plain import plain_numbers
from activesynth.lineage.proposals import ProposalList
from activesynth.lineage.reached import RecallRows
from activesynth.lineage.second_opinions import opinions

# A campaign without data is a first run that was cut off: nothing of it counts yet.
_CAMPAIGNS = """
    SELECT * FROM activesynth.campaign_progress WHERE head IS NOT NULL ORDER BY campaign
"""
_ITERATIONS = """
    WITH page AS MATERIALIZED (
        SELECT * FROM activesynth.iterations
        WHERE campaign = :campaign AND state = 'committed' AND number > :after
        ORDER BY number LIMIT :limit
    )
    SELECT i.campaign, i.number AS iteration, i.run_key, i.decision, i.reason, i.parent, i.version,
           i.next_run, i.overrides, i.config_version, i.fence, i.opened_at, i.committed_at,
           coalesce(c.seconds, 0) AS seconds
    FROM page i
    CROSS JOIN LATERAL (
        SELECT sum(seconds) AS seconds FROM activesynth.iteration_cost x
        WHERE x.campaign = :campaign AND x.iteration = i.number
    ) c
    ORDER BY i.number
"""
_METRICS = """
    SELECT iteration, arm, split, slice, name, value, low, high, n, seed
    FROM activesynth.metrics
    WHERE campaign = :campaign AND (:iteration IS NULL OR iteration = :iteration)
    ORDER BY iteration, arm, split, slice, name, seed
"""
_WEAKNESSES = """
    SELECT * FROM activesynth.weakness_history h
    WHERE campaign = :campaign {more} ORDER BY iteration, rank, kind, key, weakness LIMIT :limit
"""
# The iteration is told twice, as the weakness is not needed where another iteration follows.
_WEAKNESSES_AFTER = """
    AND iteration >= :iteration AND (iteration > :iteration OR EXISTS (
        SELECT FROM activesynth.weaknesses a
        WHERE a.campaign = :campaign AND a.iteration = :iteration AND a.id = :weakness
          AND (coalesce(h.rank, 2147483647), h.kind, h.key, h.weakness)
            > (coalesce(a.rank, 2147483647), a.kind, a.key, a.id)))
"""
_SAMPLES = """
    SELECT s.id AS sample, s.iteration, s.label, s.verdict, s.verdict_reason, s.weakness,
           w.title AS weakness_title, s.scores, s.generator, s.seed, s.shard, s."row"
    FROM activesynth.samples s
    LEFT JOIN activesynth.weaknesses w
      ON w.campaign = s.campaign AND w.iteration = s.iteration AND w.id = s.weakness
    WHERE s.campaign = :campaign AND s.origin = 'synthetic' AND s.id > :after
      AND (:iteration IS NULL OR s.iteration = :iteration)
    ORDER BY s.id LIMIT :limit
"""
_SAMPLE = """
    SELECT * FROM activesynth.sample_provenance WHERE sample = :sample
    ORDER BY campaign, manifest, split, model_role, model_arm, model_replicate, model_iteration
"""
_ANCESTRY = """
    SELECT * FROM activesynth.dataset_ancestry WHERE version = :version ORDER BY campaign, depth
"""
_MODELS = """
    SELECT iteration, role, arm, replicate, digest, trained_on
    FROM activesynth.models
    WHERE campaign = :campaign ORDER BY iteration, role, arm, replicate
"""
_DECLARATIONS = """
    SELECT number, action, target, reason, recorded_at
    FROM activesynth.weakness_declarations
    WHERE campaign = :campaign AND number > :after ORDER BY number LIMIT :limit
"""
_DIAGNOSES = """
    SELECT run_key, version, model, profile, recorded_at,
           jsonb_array_length(document -> 'weaknesses') AS weaknesses,
           document #>> '{weaknesses,0,title}' AS first, document
    FROM activesynth.diagnoses
    WHERE campaign = :campaign ORDER BY recorded_at, run_key
"""
_ARTIFACTS = """
    SELECT s.artifacts
    FROM activesynth.steps s
    JOIN activesynth.iterations i
      ON i.campaign = s.campaign AND i.number = s.iteration AND i.state = 'committed'
    WHERE s.campaign = :campaign AND s.name = :step AND s.shard = 0
    ORDER BY s.iteration DESC LIMIT 1
"""
_COSTS = """
    SELECT * FROM activesynth.iteration_cost
    WHERE campaign = :campaign ORDER BY iteration, first_recorded_at, step
"""
_RETRIEVED = """
    SELECT q.iteration, s.id AS sample, s.weakness, w.title AS weakness_title,
           (s.scores ->> 'retrieved_distance')::double precision AS distance, s.label,
           a.action, a.annotator
    FROM activesynth.samples s
    JOIN activesynth.annotation_items q
      ON q.campaign = s.campaign AND q.sample = s.id AND q.kind = 'label'
    JOIN activesynth.iterations i
      ON i.campaign = q.campaign AND i.number = q.iteration AND i.state = 'committed'
    LEFT JOIN activesynth.weaknesses w
      ON w.campaign = s.campaign AND w.iteration = q.iteration AND w.id = s.weakness
    LEFT JOIN (
        SELECT DISTINCT ON (item) item, action, annotator FROM activesynth.annotations
        ORDER BY item, item_version DESC
    ) a ON a.item = q.id
    WHERE s.campaign = :campaign AND s.origin = 'real' AND s.weakness IS NOT NULL
    ORDER BY q.iteration, q.position, s.id
"""
_RECHECKS = """
    SELECT q.iteration, q.sample, q.proposed AS label_before, a.action, a.label, a.annotator
    FROM activesynth.annotation_items q
    JOIN activesynth.iterations i
      ON i.campaign = q.campaign AND i.number = q.iteration AND i.state = 'committed'
     AND i.fence = q.fence
    JOIN (
        SELECT DISTINCT ON (g.item) g.item, g.action, g.label, g.annotator
        FROM activesynth.annotations g
        WHERE g.action <> 'undo' AND NOT EXISTS (
            SELECT 1 FROM activesynth.annotations u
            WHERE u.item = g.item AND u.undoes = g.item_version)
        ORDER BY g.item, g.item_version DESC
    ) a ON a.item = q.id
    WHERE q.campaign = :campaign AND q.kind = 'recheck' AND NOT EXISTS (
        SELECT FROM activesynth.recalls r
        WHERE r.campaign = q.campaign AND r.iterations > q.iteration
          AND (r.selection ->> 'annotator' = a.annotator
               OR jsonb_exists(r.selection -> 'samples', q.sample)))
    ORDER BY q.iteration, q.position, q.sample
"""


class PostgresLineageReader(PageRows, RecallRows, ProposalList):
    """Implements :class:`activesynth.domain.ports.LineageReader`, mostly by the views."""

    def __init__(self, database: Database) -> None:
        """Read through ``database``, which must be migrated."""
        self._database = database

    def campaigns(self) -> list[dict[str, Any]]:
        """Return one row per campaign: head, iterations, state, last lift with its interval."""
        return self._rows(_CAMPAIGNS)

    def iterations(
        self, campaign: str, *, after: int = -1, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return committed iterations: decision, reason, version, seconds over all steps."""
        return self._rows(_ITERATIONS, campaign=campaign, after=after, limit=limit)

    def metrics(self, campaign: str, iteration: int | None = None) -> list[dict[str, Any]]:
        """Return metric rows with iteration, arm, split, slice, name, value, low, high, n, seed."""
        return self._rows(_METRICS, campaign=campaign, iteration=iteration)

    def weaknesses(
        self, campaign: str, *, after: tuple[int, str] | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the weakness history, all of it or what follows an (iteration, weakness)."""
        query = _WEAKNESSES.format(more="" if after is None else _WEAKNESSES_AFTER)
        iteration, weakness = after or (None, None)
        place = {"iteration": iteration, "weakness": weakness}
        return self._rows(query, campaign=campaign, limit=limit, **place)

    def weaknesses_of(self, campaign: str, iteration: int) -> list[dict[str, Any]]:
        """Return the weakness history of one iteration."""
        query = _WEAKNESSES.format(more="AND iteration = :iteration")
        return self._rows(query, campaign=campaign, iteration=iteration, limit=None)

    def samples(
        self, campaign: str, *, iteration: int | None = None, limit: int = 100, after: str = ""
    ) -> list[dict[str, Any]]:
        """Return synthetic samples by id; ``after`` is the last id of the page before."""
        return self._rows(
            _SAMPLES, campaign=campaign, iteration=iteration, limit=limit, after=after
        )

    def sample(self, sample_id: str) -> list[dict[str, Any]]:
        """Return everything known about a sample: one row per manifest and model it reached."""
        return self._rows(_SAMPLE, sample=sample_id)

    def retrieved(self, campaign: str) -> list[dict[str, Any]]:
        """Return pool rows asked about for a weakness, with distance, label and answer."""
        return self._rows(_RETRIEVED, campaign=campaign)

    def rechecks(self, campaign: str) -> list[dict[str, Any]]:
        """Return the answers about doubted labels of train rows: label before, action, label.

        Those that were taken back are left out, and may be asked for again.
        """
        return self._rows(_RECHECKS, campaign=campaign)

    def opinions(self, campaign: str) -> list[dict[str, Any]]:
        """Return who said what about the items of committed iterations with several opinions."""
        with self._database.reading() as connection:
            return opinions(connection, campaign)

    def ancestry(self, version: str) -> list[dict[str, Any]]:
        """Return the version and its ancestors up to the root."""
        return self._rows(_ANCESTRY, version=version)

    def models(self, campaign: str) -> list[dict[str, Any]]:
        """Return the models of committed iterations: iteration, role, arm, replicate, digest."""
        return self._rows(_MODELS, campaign=campaign)

    def declarations(
        self, campaign: str, *, after: int = 0, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return declarations and withdrawals of weaknesses with their reasons, oldest first."""
        return self._rows(_DECLARATIONS, campaign=campaign, after=after, limit=limit)

    def diagnoses(self, campaign: str) -> list[dict[str, Any]]:
        """Return the diagnoses made on demand, oldest first."""
        return self._rows(_DIAGNOSES, campaign=campaign)

    def artifacts(self, campaign: str, step: str) -> dict[str, str]:
        """Return name -> digest of a step's artifacts in the newest committed iteration, or {}."""
        found = self._rows(_ARTIFACTS, campaign=campaign, step=step)
        return dict(found[0]["artifacts"]) if found else {}

    def step_costs(self, campaign: str) -> list[dict[str, Any]]:
        """Return seconds, device and peak memory per iteration and step."""
        return self._rows(_COSTS, campaign=campaign)

    def recorded_blobs(self, campaign: str | None) -> Iterator[RecordedBlob]:
        """Stream the distinct digests of versions, artifacts, models, branches and samples."""
        return integrity.recorded_blobs(self._database, campaign)

    def blob_uses(self, digests: Sequence[str]) -> list[BlobUse]:
        """Return everything on record that names one of the digests or was made from it."""
        return integrity.blob_uses(self._database, digests)

    def blob_mentions(self, campaign: str | None) -> Iterator[BlobMention]:
        """Stream what refers to blobs that other rows must know."""
        return integrity.blob_mentions(self._database, campaign)

    def broken_rows(self, campaign: str | None) -> list[BrokenRow]:
        """Return rows whose relations to other rows are broken, the first 1000 of each kind."""
        return integrity.broken_rows(self._database, campaign)

    def standings(self) -> list[Standing]:
        """Return how each campaign stands, by name, all as of one moment."""
        with self._database.reading() as connection:
            return standing.standings(connection)

    def _rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        with self._database.reading() as connection:
            found = connection.execute(text(query), parameters).mappings().all()
        return [plain_numbers(row) for row in found]
