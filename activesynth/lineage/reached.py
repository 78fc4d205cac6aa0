"""What a batch of samples reached: manifests, models and numbers, each looked up by an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, text

from activesynth.domain.recalls import (
    Answered,
    BatchKind,
    Interval,
    LinedVersion,
    RecallRecord,
    Selection,
)
from activesynth.lineage.engine import Database
from activesynth.lineage.recall_schema import recalls

_MADE = (
    "SELECT id AS sample FROM activesynth.samples "
    "WHERE campaign = :campaign AND origin = 'synthetic' AND {column} = :value"
)
_LISTED = (
    "SELECT s.id AS sample "
    "FROM (SELECT DISTINCT unnest(CAST(:samples AS text[])) AS id) listed "
    "JOIN activesynth.samples s "
    "ON s.campaign = :campaign AND s.id = listed.id AND s.origin = 'synthetic'"
)
_BATCH: dict[BatchKind, str] = {
    "iteration": _MADE.format(column="iteration"),
    "generator": _MADE.format(column="generator"),
    "weakness": _MADE.format(column="weakness"),
    "annotator": _LISTED,
    "samples": _LISTED,
}
"""The synthetic samples of a batch; where answers decide, they are handed over."""

_HAS = {
    "iteration": "SELECT FROM activesynth.iterations "
    "WHERE campaign = :campaign AND number = :value AND state = 'committed'",
    "generator": "SELECT FROM activesynth.samples "
    "WHERE campaign = :campaign AND generator = :value AND origin = 'synthetic'",
    "weakness": "SELECT FROM activesynth.samples "
    "WHERE campaign = :campaign AND weakness = :value AND origin = 'synthetic'",
    "annotator": "SELECT FROM activesynth.annotations a "
    "JOIN activesynth.annotation_items q ON q.id = a.item "
    "WHERE a.annotator = :value AND q.campaign = :campaign",
}

# Each name is found from the one before it: not every row of it is looked at.
_NEXT_NAMES = """
    WITH RECURSIVE names AS (
        (SELECT {column} AS name FROM activesynth.samples
         WHERE campaign = :campaign AND {column} > :after ORDER BY {column} LIMIT 1)
        UNION ALL
        SELECT (SELECT s.{column} FROM activesynth.samples s
                WHERE s.campaign = :campaign AND s.{column} > n.name ORDER BY s.{column} LIMIT 1)
        FROM names n WHERE n.name IS NOT NULL
    )
    SELECT name FROM names WHERE name IS NOT NULL LIMIT :limit
"""
_ANNOTATORS = """
    WITH RECURSIVE names AS (
        (SELECT annotator AS name FROM activesynth.annotations
         WHERE annotator > :after ORDER BY annotator LIMIT 1)
        UNION ALL
        SELECT (SELECT a.annotator FROM activesynth.annotations a
                WHERE a.annotator > n.name ORDER BY a.annotator LIMIT 1)
        FROM names n WHERE n.name IS NOT NULL
    )
    SELECT name FROM names WHERE name IS NOT NULL AND (
        SELECT true FROM activesynth.annotations a
        JOIN activesynth.annotation_items q ON q.id = a.item
        WHERE a.annotator = names.name AND q.campaign = :campaign LIMIT 1
    ) LIMIT :limit
"""
_NUMBERS = """
    SELECT number::text FROM activesynth.iterations
    WHERE campaign = :campaign AND state = 'committed' AND number > CAST(:after AS integer)
    ORDER BY number LIMIT :limit
"""
_NAMES: dict[BatchKind, str] = {
    "iteration": _NUMBERS,
    "generator": _NEXT_NAMES.format(column="generator"),
    "weakness": _NEXT_NAMES.format(column="weakness"),
    "annotator": _ANNOTATORS,
}

# OFFSET 0, here and below, has rows looked up one by one: what is read grows with the batch alone,
# where a join may read the whole table, which grows with the campaign.
_ANSWERS = """
    WITH asked AS (
        SELECT q.sample FROM activesynth.annotations a
        CROSS JOIN LATERAL (
            SELECT campaign, sample FROM activesynth.annotation_items WHERE id = a.item OFFSET 0
        ) q
        WHERE a.annotator = :annotator AND q.campaign = :campaign
        UNION
        SELECT unnest(CAST(:samples AS text[]))
    )
    SELECT DISTINCT ON (q.sample, q.iteration)
           q.sample, q.iteration, q.kind, q.proposed, q.shard, a.action, a.label, a.annotator
    FROM asked
    CROSS JOIN LATERAL (
        SELECT * FROM activesynth.annotation_items
        WHERE campaign = :campaign AND sample = asked.sample OFFSET 0
    ) q
    JOIN activesynth.iterations i
      ON i.campaign = :campaign AND i.number = q.iteration AND i.state = 'committed'
     AND i.fence = q.fence
    CROSS JOIN LATERAL (
        SELECT * FROM activesynth.annotations WHERE item = q.id AND action <> 'undo' OFFSET 0
    ) a
    WHERE (
        SELECT true FROM activesynth.annotations u
        WHERE u.item = a.item AND u.undoes = a.item_version LIMIT 1
    ) IS NULL
    ORDER BY q.sample, q.iteration, a.item_version DESC
"""
_LINE = """
    WITH RECURSIVE line AS (
        SELECT v.digest, v.epoch, v.iteration, v.origin, coalesce(v.iteration, -1) AS at, 0 AS depth
        FROM activesynth.campaigns c CROSS JOIN generate_series(0, c.epoch) e
        CROSS JOIN LATERAL (
            SELECT digest, epoch, iteration, origin FROM activesynth.dataset_versions
            WHERE campaign = :campaign AND epoch = e AND parent IS NULL OFFSET 0
        ) v
        WHERE c.name = :campaign
        UNION ALL
        SELECT v.digest, v.epoch, v.iteration, v.origin,
               greatest(line.at, coalesce(v.iteration, -1)), line.depth + 1
        FROM line CROSS JOIN LATERAL (
            SELECT digest, epoch, iteration, origin FROM activesynth.dataset_versions
            WHERE campaign = :campaign AND epoch = line.epoch AND parent = line.digest OFFSET 0
        ) v
    )
    SELECT digest, iteration, origin, at FROM line ORDER BY epoch, depth
"""
_MEMBERS = """
    WITH batch AS ({batch})
    SELECT m.manifest, count(*) AS samples, min(m.iteration) AS iteration
    FROM batch b CROSS JOIN LATERAL (
        SELECT manifest, iteration FROM activesynth.dataset_members
        WHERE campaign = :campaign AND sample = b.sample AND split = 'synthetic' OFFSET 0
    ) m GROUP BY m.manifest
"""
_SIZES = """
    WITH batch AS ({batch})
    SELECT count(*) AS all, count(*) FILTER (WHERE (
        SELECT true FROM activesynth.dataset_members m
        WHERE m.campaign = :campaign AND m.sample = b.sample AND m.split = 'synthetic' LIMIT 1
    )) AS accepted FROM batch b
"""
_TRAIN = """
    SELECT l.digest, count(DISTINCT b.sample) AS samples
    FROM unnest(CAST(:samples AS text[]), CAST(:firsts AS integer[]), CAST(:lasts AS integer[]))
         AS b(sample, first, last)
    CROSS JOIN LATERAL (
        SELECT manifest FROM activesynth.dataset_members
        WHERE campaign = :campaign AND sample = b.sample AND split = 'train' OFFSET 0
    ) m
    JOIN unnest(CAST(:digests AS text[])) WITH ORDINALITY AS l(digest, place)
      ON l.digest = m.manifest AND l.place - 1 BETWEEN b.first AND b.last
    GROUP BY l.digest
"""
_MODELS = """
    SELECT iteration, role, arm, replicate, digest, trained_on FROM (
        SELECT iteration, role, arm, replicate, digest, trained_on FROM activesynth.models
        WHERE campaign = :campaign AND trained_on = ANY(:manifests)
        UNION
        SELECT m.iteration, m.role, m.arm, m.replicate, m.digest, m.trained_on
        FROM activesynth.iterations i JOIN activesynth.models m
          ON m.campaign = i.campaign AND m.iteration = i.number AND m.role = 'arm'
        WHERE i.campaign = :campaign AND coalesce(i.version, i.parent) = ANY(:versions)
    ) found ORDER BY iteration, role, arm, replicate
"""
_METRICS = """
    FROM unnest(CAST(:iterations AS integer[]), CAST(:arms AS text[])) AS t(iteration, arm)
    JOIN activesynth.metrics m
      ON m.campaign = :campaign AND m.iteration = t.iteration AND m.split IN ('guide', 'gate')
     AND m.slice = 'all' AND m.seed = -1
     AND (m.arm = t.arm OR split_part(m.name, ':', 2) = t.arm)
"""
_COUNTED = "SELECT count(DISTINCT (m.iteration, m.arm, m.split, m.name))" + _METRICS
_MOVED = (
    "SELECT DISTINCT m.iteration, m.arm, m.split, m.name, m.value, m.low, m.high, m.n"
    + _METRICS
    + " ORDER BY m.iteration, m.arm, m.split, m.name LIMIT :limit"
)


class RecallRows:
    """Implements :class:`activesynth.domain.recalls.RecallReader`."""

    _database: Database

    def recalls(self, campaign: str) -> list[RecallRecord]:
        """Return what was taken back, oldest first."""
        query = (
            select(recalls)
            .where(recalls.c.campaign == campaign)
            .order_by(recalls.c.recorded_at, recalls.c.version)
        )
        with self._database.reading() as connection:
            return [RecallRecord(**row) for row in connection.execute(query).mappings()]

    def has_batch(self, selection: Selection) -> bool:
        """Tell whether anything on record has the name of the batch."""
        if selection.kind == "samples":
            return bool(self.batch_ids(selection) or self.answers_about(selection))
        query = f"SELECT EXISTS ({_HAS[selection.kind]})"
        values = {"campaign": selection.campaign, "value": selection.value}
        return bool(self._one(query, values))

    def batch_names(self, campaign: str, kind: BatchKind, limit: int, after: str = "") -> list[str]:
        """Return names of batches in order, at most ``limit``."""
        if kind == "samples":
            return []
        start = after or "-1" if kind == "iteration" else after
        values = {"campaign": campaign, "after": start, "limit": limit}
        with self._database.reading() as connection:
            return list(connection.execute(text(_NAMES[kind]), values).scalars())

    def batch_ids(self, selection: Selection) -> frozenset[str]:
        """Return the ids of all synthetic samples of the batch."""
        values = _values(selection, selection.samples or ())
        with self._database.reading() as connection:
            found = connection.execute(text(_BATCH[selection.kind]), values)
            return frozenset(found.scalars())

    def answers_about(self, selection: Selection) -> list[Answered]:
        """Return all answers about the samples of an annotator or of a list, in order."""
        if selection.kind not in ("annotator", "samples"):
            return []
        values = {
            "campaign": selection.campaign,
            "annotator": selection.annotator,
            "samples": list(selection.samples or ()),
        }
        return [Answered(**row) for row in self._all(_ANSWERS, values)]

    def version_line(self, campaign: str) -> list[LinedVersion]:
        """Return all dataset versions of the campaign, the root first."""
        return [LinedVersion(**row) for row in self._all(_LINE, {"campaign": campaign})]

    def batch_members(
        self, selection: Selection, samples: Sequence[str]
    ) -> dict[str, tuple[int, int | None]]:
        """Count the synthetic samples of the batch in every manifest that has any."""
        query = _MEMBERS.format(batch=_BATCH[selection.kind])
        rows = self._all(query, _values(selection, samples))
        return {row["manifest"]: (row["samples"], row["iteration"]) for row in rows}

    def batch_sizes(self, selection: Selection, samples: Sequence[str]) -> tuple[int, int]:
        """Count the synthetic samples of the batch, and those that any manifest ever had."""
        query = _SIZES.format(batch=_BATCH[selection.kind])
        (row,) = self._all(query, _values(selection, samples))
        return int(row["all"]), int(row["accepted"])

    def train_members(
        self, campaign: str, intervals: Sequence[Interval], line: Sequence[LinedVersion]
    ) -> dict[str, int]:
        """Count the real samples in train of a version within one of their intervals."""
        values = {
            "campaign": campaign,
            "samples": [one.sample for one in intervals],
            "firsts": [one.first for one in intervals],
            "lasts": [one.last for one in intervals],
            "digests": [version.digest for version in line],
        }
        return {row["digest"]: row["samples"] for row in self._all(_TRAIN, values)}

    def models_on(
        self, campaign: str, manifests: Sequence[str], versions: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Return the models trained on a manifest, or on the real rows of a version."""
        values = {
            "campaign": campaign,
            "manifests": list(manifests),
            "versions": list(versions),
        }
        return self._all(_MODELS, values)

    def moved_metrics(
        self, campaign: str, arms: Sequence[tuple[int, str]], limit: int
    ) -> tuple[int, list[dict[str, Any]]]:
        """Return how many numbers on guide and gate tell of an (iteration, arm), and the first."""
        values = {
            "campaign": campaign,
            "iterations": [iteration for iteration, _ in arms],
            "arms": [arm for _, arm in arms],
            "limit": limit,
        }
        return int(self._one(_COUNTED, values)), self._all(_MOVED, values)

    def _one(self, query: str, values: Mapping[str, Any]) -> Any:
        with self._database.reading() as connection:
            return connection.execute(text(query), values).scalar_one()

    def _all(self, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self._database.reading() as connection:
            return _rows(connection, query, values)


def _rows(connection: Connection, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = connection.execute(text(query), values).mappings()
    return [{str(name): value for name, value in row.items()} for row in found]


def _values(selection: Selection, samples: Sequence[str]) -> dict[str, Any]:
    listed = selection.kind in ("annotator", "samples")
    return {
        "campaign": selection.campaign,
        **({"samples": list(samples)} if listed else {"value": selection.value}),
    }
