"""The queries behind pages: each finds its rows by an index, and returns no more than a page.

Rows of judge, gate and test are shown to nobody: a person who looks at them steers by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from sqlalchemy import text

from activesynth.domain.recalls import RecallRecord
from activesynth.lineage.candidates import Wanted, some_candidates
from activesynth.lineage.engine import Database
from activesynth.lineage.plain import plain_numbers

RUN = """
    SELECT campaign, number AS iteration, state, fence, failure, opened_at
    FROM activesynth.iterations WHERE run_key = :run_key
"""
OPEN_QUESTIONS = """
    SELECT i.campaign, c.open
    FROM activesynth.iterations i
    CROSS JOIN LATERAL (
        SELECT sum(count) AS open FROM activesynth.annotation_counts
        WHERE campaign = i.campaign AND iteration = i.number AND fence = i.fence AND state = 'open'
    ) c
    WHERE i.state <> 'committed' AND i.state IN ('open', 'waiting')
      AND i.questions_closed IS NULL AND c.open > 0
"""
VERDICTS = """
    SELECT iteration, weakness <> '' AS is_targeted, nullif(verdict, '') AS verdict,
           nullif(verdict_reason, '') AS verdict_reason, nullif(weakness, '') AS weakness, count
    FROM activesynth.verdict_counts
    WHERE campaign = :campaign
      AND (CAST(:iterations AS integer[]) IS NULL OR iteration = ANY(:iterations)) AND count > 0
    ORDER BY iteration, 5, 3, 4
"""
HEADLINES = """
    SELECT iteration, arm, split, slice, name, value, low, high, n, seed
    FROM activesynth.metrics
    WHERE campaign = :campaign AND ((slice = 'all' AND seed < 0) OR name = 'retrieved')
      AND (CAST(:iterations AS integer[]) IS NULL OR iteration = ANY(:iterations))
    ORDER BY iteration, arm, split, slice, name, seed
"""
FAIRNESS = """
    SELECT iteration, arm, slice, name, value, low, high
    FROM activesynth.metrics
    WHERE campaign = :campaign
      AND name IN ('demographic_parity_difference', 'equal_opportunity_difference')
    ORDER BY iteration, arm, slice, name
"""
COSTS_OF = """
    SELECT * FROM activesynth.iteration_cost
    WHERE campaign = :campaign AND iteration = ANY(:iterations)
    ORDER BY iteration, first_recorded_at, step
"""
STATE = """
    SELECT c.head, c.head_model, c.iterations, c.config_version,
           (SELECT count(*) FROM activesynth.erasures) AS erasures
    FROM activesynth.campaigns c WHERE c.name = :campaign
"""
SAMPLE_PLACE = """
    SELECT s.shard, s."row" FROM activesynth.samples s
    WHERE s.campaign = :campaign AND s.id = :sample AND NOT EXISTS (
        SELECT 1 FROM activesynth.dataset_members m
        WHERE m.campaign = s.campaign AND m.sample = s.id AND m.split IN ('judge', 'gate', 'test'))
    UNION ALL
    SELECT q.shard, q."row" FROM activesynth.annotation_items q
    WHERE q.campaign = :campaign AND q.sample = :sample AND q.iteration IN (
        SELECT number FROM activesynth.iterations
        WHERE campaign = :campaign AND state <> 'committed')
    LIMIT 1
"""
SCHEDULES = """
    SELECT c.name AS campaign, f.config #>> '{refresh,schedule}' AS schedule
    FROM activesynth.campaigns c
    JOIN activesynth.campaign_configs f ON f.campaign = c.name AND f.version = c.config_version
    WHERE f.config #>> '{refresh,schedule}' IS NOT NULL
"""
STEP_ARTIFACTS = """
    SELECT s.artifacts
    FROM activesynth.steps s
    JOIN activesynth.iterations i
      ON i.campaign = s.campaign AND i.number = s.iteration AND i.state = 'committed'
    WHERE s.campaign = :campaign AND s.iteration = :iteration AND s.name = :step AND s.shard = 0
"""
VERSIONS = """
    SELECT digest, parent, origin, epoch, rows, iteration, committed_at
    FROM activesynth.dataset_versions WHERE campaign = :campaign
    ORDER BY committed_at DESC, digest LIMIT :limit
"""
MEMBERS = """
    SELECT m.sample, m.split, m.weight, s.origin, s.label, s.verdict, s.iteration, s.weakness
    FROM activesynth.dataset_members m
    JOIN activesynth.samples s ON s.campaign = m.campaign AND s.id = m.sample
    WHERE m.campaign = :campaign AND m.manifest = :version AND m.sample > :after
      AND m.split NOT IN ('judge', 'gate', 'test')
    ORDER BY m.sample LIMIT :limit
"""
MODELS_OF = """
    SELECT iteration, role, arm, replicate, digest
    FROM activesynth.models WHERE campaign = :campaign AND trained_on = :version
    ORDER BY iteration, role, arm, replicate LIMIT 200
"""
SAMPLE_ROW = """
    SELECT s.campaign, s.id AS sample, s.origin, s.iteration, s.label, s.verdict, s.verdict_reason,
           s.scores, s.weakness, w.kind AS weakness_kind, w.title AS weakness_title,
           w.gap AS weakness_gap, w.low AS weakness_low, w.high AS weakness_high,
           w.n AS weakness_n, s.generator, s.seed, s.shard, s."row",
           (SELECT array_agg(p.parent ORDER BY p.parent) FROM activesynth.sample_parents p
            WHERE p.campaign = s.campaign AND p.sample = s.id) AS parents,
           i.decision, i.reason AS decision_reason
    FROM activesynth.samples s
    LEFT JOIN activesynth.weaknesses w
      ON w.campaign = s.campaign AND w.iteration = s.iteration AND w.id = s.weakness
    LEFT JOIN activesynth.iterations i
      ON i.campaign = s.campaign AND i.number = s.iteration AND i.state = 'committed'
    WHERE s.campaign = :campaign AND s.id = :sample
"""
# A sample is in each version after it, and in what each arm was trained on.
SAMPLE_MANIFESTS = """
    WITH held AS MATERIALIZED (
        SELECT manifest, max(split) AS split, max(weight) AS weight, max(iteration) AS iteration
        FROM activesynth.dataset_members
        WHERE campaign = :campaign AND sample = :sample GROUP BY manifest
    )
    SELECT h.manifest, h.split, h.weight, v.origin AS version_origin,
           (SELECT count(*) FROM held) AS found
    FROM held h
    LEFT JOIN activesynth.dataset_versions v
      ON v.campaign = :campaign AND v.digest = h.manifest
    ORDER BY v.origin IS NULL, v.committed_at DESC, h.iteration DESC, h.manifest LIMIT :limit
"""
SAMPLE_MODELS = """
    WITH held AS MATERIALIZED (
        SELECT DISTINCT manifest FROM activesynth.dataset_members
        WHERE campaign = :campaign AND sample = :sample
    )
    SELECT o.digest AS model, o.role AS model_role, o.arm AS model_arm,
           o.replicate AS model_replicate, o.iteration AS model_iteration,
           count(*) OVER () AS found
    FROM held h
    CROSS JOIN LATERAL (
        SELECT digest, role, arm, replicate, iteration FROM activesynth.models
        WHERE campaign = :campaign AND trained_on = h.manifest OFFSET 0
    ) o
    ORDER BY o.iteration DESC, o.role, o.arm, o.replicate LIMIT :limit
"""
LIFTS = """
    SELECT iteration, arm, split, slice, name, value, low, high, n, seed
    FROM activesynth.metrics
    WHERE campaign = :campaign AND iteration = ANY(:iterations) AND slice = 'all' AND seed < 0
      AND strpos(name, '_lift:') > 0
    ORDER BY iteration, arm, split, slice, name, seed
"""
# From the version back: the view of ancestors begins with every version there is.
ANCESTORS = """
    WITH RECURSIVE line AS (
        SELECT digest, parent, 0 AS depth FROM activesynth.dataset_versions
        WHERE campaign = :campaign AND digest = :version
        UNION ALL
        SELECT v.digest, v.parent, line.depth + 1
        FROM line JOIN activesynth.dataset_versions v
          ON v.campaign = :campaign AND v.digest = line.parent
        WHERE line.depth < :limit
    )
    SELECT depth, digest AS ancestor, parent FROM line ORDER BY depth LIMIT :limit
"""
NEWEST_RECALLS = """
    SELECT campaign, version, samples, selection, reason, recalled_by, iterations, branches,
           recorded_at
    FROM activesynth.recalls WHERE campaign = :campaign
    ORDER BY recorded_at DESC, version DESC LIMIT :limit
"""
ANSWERS_ABOUT = """
    SELECT q.campaign, q.iteration, q.kind, q.proposed, g.action, g.label, g.annotator,
           g.item_version, g.undoes, g.answered_at
    FROM activesynth.annotation_items q
    JOIN activesynth.annotations g ON g.item = q.id
    JOIN activesynth.iterations i
      ON i.campaign = q.campaign AND i.number = q.iteration AND i.state = 'committed'
    WHERE q.campaign = :campaign AND q.sample = :sample
    ORDER BY g.answered_at, g.item, g.item_version LIMIT 200
"""
NEWEST_VERSIONS = 200
NEWEST_DECLARATIONS = """
    SELECT number, action, target, reason, recorded_at
    FROM activesynth.weakness_declarations WHERE campaign = :campaign
    ORDER BY number DESC LIMIT :limit
"""


class PageRows:
    """Implements :class:`activesynth.domain.pages.PageReader`."""

    _database: Database

    def run(self, run_key: str) -> dict[str, Any] | None:
        """Return campaign, iteration, state, fence and failure of the iteration of a run."""
        return self._first(RUN, run_key=run_key)

    def open_questions(self) -> dict[str, int]:
        """Return how many questions of each campaign's active iteration have no answer yet."""
        return {str(row["campaign"]): int(row["open"]) for row in self._some(OPEN_QUESTIONS)}

    def verdicts(
        self, campaign: str, iterations: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Return counts of synthetic samples by iteration, weakness, verdict and reason."""
        return self._some(VERDICTS, campaign=campaign, iterations=_listed(iterations))

    def headlines(
        self, campaign: str, iterations: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Return the metric rows over all rows and replicates, and how many were retrieved."""
        return self._some(HEADLINES, campaign=campaign, iterations=_listed(iterations))

    def fairness(self, campaign: str) -> list[dict[str, Any]]:
        """Return how differently groups of people were served by each arm, by iteration."""
        return self._some(FAIRNESS, campaign=campaign)

    def costs_of(self, campaign: str, iterations: Sequence[int]) -> list[dict[str, Any]]:
        """Return seconds, device and peak memory of each step of these iterations."""
        return self._some(COSTS_OF, campaign=campaign, iterations=list(iterations))

    def schedules(self) -> dict[str, str]:
        """Return when the datasets of campaigns are refreshed, of those that are: cron fields."""
        return {str(row["campaign"]): str(row["schedule"]) for row in self._some(SCHEDULES)}

    def campaign_state(self, campaign: str) -> tuple[Any, ...]:
        """Return what changes whenever anything committed of a campaign changes."""
        return tuple(self._some(STATE, campaign=campaign)[0].values())

    def sample_place(self, campaign: str, sample: str) -> dict[str, Any] | None:
        """Return shard and row of a sample, of a real one as of an open question's."""
        return self._first(SAMPLE_PLACE, campaign=campaign, sample=sample)

    def candidates(
        self,
        campaign: str,
        iteration: int,
        *,
        after: str = "",
        limit: int = 60,
        verdict: str | None = None,
        reason: str | None = None,
        weakness: str | None = None,
        label: int | None = None,
        score: str | None = None,
        least: float = -inf,
        most: float = inf,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return synthetic samples of an iteration by id, and the key to go on after, if any."""
        wanted = Wanted(verdict, reason, weakness, label, score, least, most)
        with self._database.reading() as connection:
            return some_candidates(connection, campaign, iteration, wanted, after, limit)

    def step_artifacts(self, campaign: str, iteration: int, step: str) -> dict[str, str]:
        """Return name -> digest of what a step of a committed iteration wrote, or {}."""
        place = {"campaign": campaign, "iteration": iteration, "step": step}
        found = self._first(STEP_ARTIFACTS, **place)
        return dict(found["artifacts"]) if found else {}

    def versions(self, campaign: str, limit: int = NEWEST_VERSIONS) -> list[dict[str, Any]]:
        """Return the newest versions of a campaign, newest first."""
        return self._some(VERSIONS, campaign=campaign, limit=limit)

    def version_members(
        self, campaign: str, version: str, *, after: str = "", limit: int = 60
    ) -> list[dict[str, Any]]:
        """Return recorded samples of a version by id, with split, weight, origin and verdict."""
        return self._some(MEMBERS, campaign=campaign, version=version, after=after, limit=limit)

    def models_of(self, campaign: str, version: str) -> list[dict[str, Any]]:
        """Return the models that were trained on a version or candidate manifest."""
        return self._some(MODELS_OF, campaign=campaign, version=version)

    def sample_row(self, campaign: str, sample: str) -> dict[str, Any] | None:
        """Return a sample with its weakness, its parents and the decision of its iteration."""
        return self._first(SAMPLE_ROW, campaign=campaign, sample=sample)

    def sample_manifests(
        self, campaign: str, sample: str, limit: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Return manifests that hold a sample, versions first, the newest first; and how many."""
        return _counted(self._some(SAMPLE_MANIFESTS, campaign=campaign, sample=sample, limit=limit))

    def sample_models(
        self, campaign: str, sample: str, limit: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Return models that learnt from a sample, the newest first; and how many there are."""
        return _counted(self._some(SAMPLE_MODELS, campaign=campaign, sample=sample, limit=limit))

    def lifts(self, campaign: str, iterations: Sequence[int]) -> list[dict[str, Any]]:
        """Return what these iterations gained, over all rows and replicates."""
        return self._some(LIFTS, campaign=campaign, iterations=list(iterations))

    def ancestors(self, campaign: str, version: str, limit: int) -> list[dict[str, Any]]:
        """Return a version and its nearest ancestors, in this order; [] where there is none."""
        return self._some(ANCESTORS, campaign=campaign, version=version, limit=limit)

    def newest_recalls(self, campaign: str, limit: int) -> list[RecallRecord]:
        """Return what was taken back, newest first."""
        rows = self._some(NEWEST_RECALLS, campaign=campaign, limit=limit)
        return [RecallRecord(**row) for row in rows]

    def newest_declarations(self, campaign: str, limit: int) -> list[dict[str, Any]]:
        """Return the newest declarations and withdrawals of weaknesses, oldest first."""
        return self._some(NEWEST_DECLARATIONS, campaign=campaign, limit=limit)[::-1]

    def sample_answers(self, campaign: str, sample: str) -> list[dict[str, Any]]:
        """Return every answer about a sample in committed iterations, oldest first."""
        return self._some(ANSWERS_ABOUT, campaign=campaign, sample=sample)

    def _some(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        with self._database.reading() as connection:
            return [
                plain_numbers(row) for row in connection.execute(text(query), parameters).mappings()
            ]

    def _first(self, query: str, **parameters: Any) -> dict[str, Any] | None:
        found = self._some(query, **parameters)
        return found[0] if found else None


def _listed(iterations: Sequence[int] | None) -> list[int] | None:
    return None if iterations is None else list(iterations)


def _counted(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Part the rows from how many there are, which each of them says."""
    found = [int(row.pop("found")) for row in rows]
    return rows, found[0] if found else 0
