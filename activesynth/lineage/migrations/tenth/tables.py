"""What pages of large campaigns are found by, as revision 0010 made it: frozen."""

from __future__ import annotations

TABLE = """
CREATE TABLE activesynth.verdict_counts (
    campaign text NOT NULL,
    iteration integer NOT NULL,
    weakness text NOT NULL,
    verdict text NOT NULL,
    verdict_reason text NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (campaign, iteration, weakness, verdict, verdict_reason),
    CONSTRAINT verdict_counts_campaign_iteration_fkey
        FOREIGN KEY (campaign, iteration) REFERENCES activesynth.iterations (campaign, number)
);

INSERT INTO activesynth.verdict_counts
    (campaign, iteration, weakness, verdict, verdict_reason, count)
SELECT campaign, iteration, coalesce(weakness, ''), coalesce(verdict, ''),
       coalesce(verdict_reason, ''), count(*)
FROM activesynth.samples WHERE origin = 'synthetic' AND iteration IS NOT NULL
GROUP BY 1, 2, 3, 4, 5;
"""
INDEXES = {
    "iterations_run_key_idx": "iterations (run_key)",
    "samples_campaign_iteration_id_idx": (
        "samples (campaign, iteration, id) WHERE iteration IS NOT NULL"
    ),
    "samples_campaign_weakness_iteration_id_idx": (
        "samples (campaign, weakness, iteration, id) WHERE weakness IS NOT NULL"
    ),
    "samples_verdict_idx": "samples (campaign, iteration, verdict, id) WHERE origin = 'synthetic'",
    "samples_reason_idx": (
        "samples (campaign, iteration, verdict_reason, id) WHERE origin = 'synthetic'"
    ),
    "samples_label_idx": "samples (campaign, iteration, label, id) WHERE origin = 'synthetic'",
    "metrics_headline_idx": (
        "metrics (campaign, iteration) WHERE (slice = 'all' AND seed < 0) OR name = 'retrieved'"
    ),
    "dataset_versions_campaign_committed_at_digest_idx": (
        "dataset_versions (campaign, committed_at, digest)"
    ),
    "recalls_campaign_recorded_at_version_idx": "recalls (campaign, recorded_at, version)",
    "annotation_items_answered_by_idx": (
        "annotation_items (campaign, answered_by) WHERE awaits_second"
    ),
}
REPLACED = {
    "samples_campaign_iteration_idx": "samples (campaign, iteration)",
    "samples_campaign_weakness_idx": "samples (campaign, weakness)",
}
"""Indexes that others begin with."""

_COUNTED = """
    SELECT coalesce(sum(count) FILTER (WHERE verdict = 'accepted'), 0) AS accepted,
           coalesce(sum(count) FILTER (WHERE verdict = 'rejected'), 0) AS rejected
    FROM activesynth.verdict_counts c
    WHERE c.campaign = w.campaign AND c.iteration = w.iteration AND c.weakness = w.id
"""
_HISTORY = """
CREATE OR REPLACE VIEW activesynth.weakness_history AS
SELECT w.campaign, w.id AS weakness, w.iteration, w.kind, w.key, w.title, w.state, w.gap, w.low,
       w.high, w.n, w.p_value, w.confirmed, p.count AS planned, p.expected_gain, p.evidence,
       coalesce(s.accepted, 0) AS accepted, coalesce(s.rejected, 0) AS rejected,
       b.value AS benefit, b.low AS benefit_low, b.high AS benefit_high, w.rank
FROM activesynth.weaknesses w
JOIN activesynth.iterations i
  ON i.campaign = w.campaign AND i.number = w.iteration AND i.state = 'committed'
LEFT JOIN activesynth.plans p
  ON p.campaign = w.campaign AND p.iteration = w.iteration AND p.weakness = w.id
LEFT JOIN {counted}
LEFT JOIN LATERAL (
    SELECT value, low, high FROM activesynth.metrics m
    WHERE m.campaign = w.campaign AND m.iteration = w.iteration AND m.name = 'benefit'
      AND m.arm = 'targeted' AND m.slice = w.id AND m.seed = -1
    ORDER BY m.split LIMIT 1
) b ON true;
"""
_PROGRESS = """
CREATE OR REPLACE VIEW activesynth.campaign_progress AS
SELECT c.name AS campaign, c.epoch, c.head, c.head_model, c.iterations, c.config_version,
       coalesce(a.state, 'idle') AS state, a.number AS active_iteration, a.run_key AS active_run,
       d.decision AS last_decision, d.reason AS last_reason, d.committed_at AS last_committed_at,
       l.metric AS lift_metric, l.split AS lift_split, l.control AS lift_control, l.lift,
       l.low AS lift_low, l.high AS lift_high, v.rows
FROM activesynth.campaigns c
JOIN activesynth.campaign_configs k
  ON k.campaign = c.name AND k.version = c.config_version
LEFT JOIN activesynth.iterations a
  ON a.campaign = c.name AND a.state <> 'committed'
LEFT JOIN activesynth.iterations d
  ON d.campaign = c.name AND d.number = c.iterations - 1 AND d.state = 'committed'
LEFT JOIN activesynth.dataset_versions v
  ON v.campaign = c.name AND v.digest = c.head
LEFT JOIN LATERAL (
    SELECT x.metric, x.split, x.control, x.lift, x.low, x.high FROM {lift} x
    WHERE x.campaign = c.name AND x.iteration = d.number AND x.slice = 'all' AND x.is_paired
      AND x.control = coalesce(k.config -> 'evaluation' ->> 'control', 'reweighted')
    ORDER BY x.metric = coalesce(k.config -> 'evaluation' ->> 'metric', x.metric) DESC, x.split
    LIMIT 1
) l ON true;
"""
# The view `lift` reads the paired ones twice, so Postgres makes a table of those of all campaigns.
_PAIRED = """(
        SELECT m.campaign, m.iteration, m.split, m.slice,
               split_part(m.name, '_lift:', 1) AS metric,
               split_part(m.name, '_lift:', 2) AS control,
               m.value AS lift, m.low, m.high, true AS is_paired
        FROM activesynth.metrics m
        WHERE m.arm = 'targeted' AND m.seed = -1 AND strpos(m.name, '_lift:') > 1
    )"""

VIEWS = _HISTORY.format(counted=f"LATERAL ({_COUNTED}) s ON true") + _PROGRESS.format(lift=_PAIRED)
VIEWS_BEFORE = _HISTORY.format(
    counted="""(
    SELECT campaign, iteration, weakness,
           count(*) FILTER (WHERE verdict = 'accepted') AS accepted,
           count(*) FILTER (WHERE verdict = 'rejected') AS rejected
    FROM activesynth.samples
    WHERE origin = 'synthetic'
    GROUP BY campaign, iteration, weakness
) s ON s.campaign = w.campaign AND s.iteration = w.iteration AND s.weakness = w.id"""
) + _PROGRESS.format(lift="activesynth.lift")

COMMENTS: dict[str, dict[str, str]] = {
    "verdict_counts": {
        "": "How many synthetic samples of an iteration stand how; told by samples too",
        "campaign": "Campaign the row belongs to",
        "iteration": "Iteration that made the samples, from 0",
        "weakness": "Weakness they were made for; empty text where for none",
        "verdict": "accepted or rejected; empty text where there is none",
        "verdict_reason": "Why; empty text where none is recorded",
        "count": "Samples",
    },
}
