"""The queries behind pages: each finds its rows by an index, and returns no more than a page.

Rows of judge, gate and test are shown to nobody: a person who looks at them steers by them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from activesynth.lineage.engine import Database
from activesynth.lineage.plain import plain_numbers

RUN = """
    SELECT campaign, number AS iteration, state, fence, failure, opened_at
    FROM activesynth.iterations WHERE run_key = :run_key
"""
OPEN_QUESTIONS = """
    SELECT i.campaign, count(*) AS open
    FROM activesynth.iterations i
    JOIN activesynth.annotation_items q
      ON q.campaign = i.campaign AND q.iteration = i.number AND q.fence = i.fence
    WHERE i.state IN ('open', 'waiting') AND i.questions_closed IS NULL AND NOT EXISTS (
        SELECT 1 FROM activesynth.annotations g
        WHERE g.item = q.id AND g.action <> 'undo' AND NOT EXISTS (
            SELECT 1 FROM activesynth.annotations u
            WHERE u.item = g.item AND u.undoes = g.item_version))
    GROUP BY i.campaign
"""
VERDICTS = """
    SELECT iteration, weakness IS NOT NULL AS is_targeted, verdict, verdict_reason, weakness,
           count(*) AS count
    FROM activesynth.samples
    WHERE campaign = :campaign AND origin = 'synthetic' AND iteration IS NOT NULL
    GROUP BY iteration, weakness, verdict, verdict_reason
    ORDER BY iteration, weakness, verdict, verdict_reason
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
CANDIDATES = """
    SELECT s.id AS sample, s.iteration, s.label, s.verdict, s.verdict_reason, s.weakness,
           w.title AS weakness_title, s.scores, s.generator, s.seed,
           (SELECT array_agg(p.parent ORDER BY p.parent) FROM activesynth.sample_parents p
            WHERE p.campaign = s.campaign AND p.sample = s.id) AS parents
    FROM activesynth.samples s
    LEFT JOIN activesynth.weaknesses w
      ON w.campaign = s.campaign AND w.iteration = s.iteration AND w.id = s.weakness
    WHERE s.campaign = :campaign AND s.iteration = :iteration AND s.origin = 'synthetic'
      AND s.id > :after
      AND (CAST(:verdict AS text) IS NULL OR s.verdict = :verdict)
      AND (CAST(:reason AS text) IS NULL OR s.verdict_reason = :reason)
      AND (CAST(:weakness AS text) IS NULL OR s.weakness = :weakness)
      AND (CAST(:label AS integer) IS NULL OR s.label = :label)
    ORDER BY s.id LIMIT :limit
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


class PageRows:
    """Implements :class:`activesynth.domain.pages.PageReader`."""

    _database: Database

    def run(self, run_key: str) -> dict[str, Any] | None:
        """Return campaign, iteration, state, fence and failure of the iteration of a run."""
        return self._first(RUN, run_key=run_key)

    def open_questions(self) -> dict[str, int]:
        """Return how many questions of each campaign's active iteration have no answer yet."""
        return {str(row["campaign"]): int(row["open"]) for row in self._some(OPEN_QUESTIONS)}

    def verdicts(self, campaign: str) -> list[dict[str, Any]]:
        """Return counts of synthetic samples by iteration, weakness, verdict and reason."""
        return self._some(VERDICTS, campaign=campaign)

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
    ) -> list[dict[str, Any]]:
        """Return synthetic samples of an iteration by id, those of a page, with their parents."""
        wanted = {"verdict": verdict, "reason": reason, "weakness": weakness, "label": label}
        place = {"campaign": campaign, "iteration": iteration, "after": after, "limit": limit}
        return self._some(CANDIDATES, **place, **wanted)

    def step_artifacts(self, campaign: str, iteration: int, step: str) -> dict[str, str]:
        """Return name -> digest of what a step of a committed iteration wrote, or {}."""
        place = {"campaign": campaign, "iteration": iteration, "step": step}
        found = self._first(STEP_ARTIFACTS, **place)
        return dict(found["artifacts"]) if found else {}

    def versions(self, campaign: str) -> list[dict[str, Any]]:
        """Return the newest 200 versions of a campaign, newest first."""
        return self._some(VERSIONS, campaign=campaign, limit=NEWEST_VERSIONS)

    def version_members(
        self, campaign: str, version: str, *, after: str = "", limit: int = 60
    ) -> list[dict[str, Any]]:
        """Return recorded samples of a version by id, with split, weight, origin and verdict."""
        return self._some(MEMBERS, campaign=campaign, version=version, after=after, limit=limit)

    def models_of(self, campaign: str, version: str) -> list[dict[str, Any]]:
        """Return the models that were trained on a version or candidate manifest."""
        return self._some(MODELS_OF, campaign=campaign, version=version)

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
