"""Read how all campaigns stand, in one snapshot of the database."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, text

from activesynth.domain.records import MetricRow
from activesynth.domain.standing import Standing

Rows = dict[str, list[Any]]

_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# Each cell of an experiment is a campaign of its own: there can be thousands, and each is short.
_CAMPAIGNS = """
    SELECT c.name AS campaign,
           greatest(v.committed_at, i.committed_at) AS last_commit, i.number AS last_iteration,
           a.state AS active_state, a.opened_at AS active_since,
           (k.config #>> '{gate,max_reads}')::integer AS gate_limit,
           (k.config #>> '{sentinels,test_reads}')::integer AS test_limit
    FROM activesynth.campaigns c
    JOIN activesynth.campaign_configs k
      ON k.campaign = c.name AND k.version = c.config_version
    JOIN activesynth.dataset_versions v ON v.campaign = c.name AND v.digest = c.head
    LEFT JOIN activesynth.iterations i
      ON i.campaign = c.name AND i.number = c.iterations - 1 AND i.state = 'committed'
    LEFT JOIN activesynth.iterations a ON a.campaign = c.name AND a.state <> 'committed'
    WHERE NOT EXISTS (
        SELECT FROM activesynth.experiments e
        WHERE starts_with(c.name, e.name || '_')
          AND right(c.name, 7) = '_' || left(e.registration, 6))
    ORDER BY c.name
"""
_ITERATIONS = """
    SELECT campaign, decision, count(*) AS count FROM activesynth.iterations
    WHERE state = 'committed' GROUP BY campaign, decision
"""
# Metrics, samples and weaknesses are written by commits alone, so all of them are committed.
_METRICS = """
    SELECT m.campaign, m.arm, m.split, m.slice, m.name, m.value, m.low, m.high, m.n, m.seed
    FROM activesynth.metrics m
    JOIN activesynth.campaigns c ON c.name = m.campaign AND m.iteration = c.iterations - 1
    WHERE m.slice = 'all' AND m.seed = -1 AND m.split IN ('guide', 'gate')
    ORDER BY m.campaign, m.split, m.arm, m.name
"""
_LABELS = """
    SELECT campaign, sum(value)::bigint AS count FROM activesynth.metrics
    WHERE name = 'labels_bought' AND slice = 'all' AND seed = -1 GROUP BY campaign
"""
_SAMPLES = """
    SELECT campaign, origin, coalesce(verdict, 'none') AS verdict, count(*) AS count
    FROM activesynth.samples GROUP BY campaign, origin, verdict
"""
_WEAKNESSES = """
    SELECT campaign, state, count(*) AS count FROM (
        SELECT DISTINCT ON (campaign, id) campaign, id, state FROM activesynth.weaknesses
        ORDER BY campaign, id, iteration DESC
    ) latest GROUP BY campaign, state
"""
_SECONDS = """
    SELECT s.campaign, s.step, sum(s.seconds) AS every,
           coalesce(sum(s.seconds) FILTER (WHERE s.iteration = c.iterations - 1), 0) AS last
    FROM activesynth.iteration_cost s
    JOIN activesynth.campaigns c ON c.name = s.campaign
    GROUP BY s.campaign, s.step
"""
_EVENTS = """
    SELECT campaign, count(*) AS count, min(recorded_at) AS oldest FROM activesynth.outbox
    WHERE sent_at IS NULL GROUP BY campaign
"""
_READS = """
    SELECT r.campaign, r.split, count(*) AS count FROM activesynth.split_reads r
    JOIN activesynth.campaigns c ON c.name = r.campaign AND c.epoch = r.epoch
    GROUP BY r.campaign, r.split
"""


def standings(connection: Connection) -> list[Standing]:
    """Return how each campaign stands, by name; the transaction must be new."""
    connection.execute(text(_SNAPSHOT))
    campaigns = connection.execute(text(_CAMPAIGNS)).all()
    found = {
        name: _by_campaign(connection, query)
        for name, query in (
            ("iterations", _ITERATIONS),
            ("metrics", _METRICS),
            ("labels", _LABELS),
            ("samples", _SAMPLES),
            ("weaknesses", _WEAKNESSES),
            ("seconds", _SECONDS),
            ("events", _EVENTS),
            ("reads", _READS),
        )
    }
    return [_standing(row, {name: rows[row.campaign] for name, rows in found.items()})
            for row in campaigns]  # fmt: skip


def _by_campaign(connection: Connection, query: str) -> Rows:
    rows: Rows = defaultdict(list)
    for row in connection.execute(text(query)):
        rows[row.campaign].append(row)
    return rows


def _standing(row: Any, own: Rows) -> Standing:
    (events,) = own["events"] or [None]
    limits = {"gate": row.gate_limit, "test": row.test_limit}
    return Standing(
        campaign=row.campaign,
        iterations={item.decision: item.count for item in own["iterations"]},
        last_iteration=row.last_iteration,
        last_commit=row.last_commit,
        metrics=tuple(
            MetricRow(m.arm, m.split, m.slice, m.name, m.value, m.low, m.high, m.n, m.seed)
            for m in own["metrics"]
        ),
        labels=sum(item.count for item in own["labels"]),
        samples={(item.origin, item.verdict): item.count for item in own["samples"]},
        weaknesses={item.state: item.count for item in own["weaknesses"]},
        last_seconds={item.step: item.last for item in own["seconds"]},
        all_seconds={item.step: item.every for item in own["seconds"]},
        active_state=row.active_state,
        active_since=row.active_since,
        waiting_events=0 if events is None else events.count,
        oldest_event=None if events is None else events.oldest,
        split_reads={item.split: item.count for item in own["reads"]},
        split_limits={split: limit for split, limit in limits.items() if limit is not None},
    )
