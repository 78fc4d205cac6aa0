"""The views for people, as revision 0001 made them: frozen. They show what is committed."""

from __future__ import annotations

NAMES = (
    "campaign_progress",
    "iteration_cost",
    "weakness_history",
    "sample_provenance",
    "dataset_ancestry",
    "lift",
)
"""In the order in which they can be dropped."""

VIEWS = """
CREATE VIEW activesynth.lift AS
WITH paired AS (
    SELECT m.campaign, m.iteration, m.split, m.slice,
           split_part(m.name, '_lift:', 1) AS metric,
           split_part(m.name, '_lift:', 2) AS control,
           m.value AS lift, m.low, m.high, m.n, true AS is_paired
    FROM activesynth.metrics m
    JOIN activesynth.iterations i
      ON i.campaign = m.campaign AND i.number = m.iteration AND i.state = 'committed'
    WHERE m.arm = 'targeted' AND m.seed = -1 AND strpos(m.name, '_lift:') > 1
), differences AS (
    SELECT t.campaign, t.iteration, t.split, t.slice, t.name AS metric, o.arm AS control,
           t.value - o.value AS lift, NULL::double precision AS low,
           NULL::double precision AS high, least(t.n, o.n) AS n, false AS is_paired
    FROM activesynth.metrics t
    JOIN activesynth.metrics o USING (campaign, iteration, split, slice, name, seed)
    JOIN activesynth.iterations i
      ON i.campaign = t.campaign AND i.number = t.iteration AND i.state = 'committed'
    WHERE t.arm = 'targeted' AND o.arm <> 'targeted' AND t.seed = -1 AND t.slice = 'all'
)
SELECT * FROM paired
UNION ALL
SELECT d.* FROM differences d
WHERE NOT EXISTS (
    SELECT FROM paired p
    WHERE p.campaign = d.campaign AND p.iteration = d.iteration AND p.split = d.split
      AND p.slice = d.slice AND p.metric = d.metric AND p.control = d.control
);

CREATE VIEW activesynth.dataset_ancestry AS
WITH RECURSIVE line AS (
    SELECT campaign, digest AS version, digest AS ancestor, parent, 0 AS depth
    FROM activesynth.dataset_versions
    UNION ALL
    SELECT line.campaign, line.version, older.digest, older.parent, line.depth + 1
    FROM line
    JOIN activesynth.dataset_versions older
      ON older.campaign = line.campaign AND older.digest = line.parent
)
SELECT line.campaign, line.version, line.depth, line.ancestor, line.parent, v.origin, v.epoch,
       v.iteration, i.decision, i.reason, v.rows, v.committed_at
FROM line
JOIN activesynth.dataset_versions v
  ON v.campaign = line.campaign AND v.digest = line.ancestor
LEFT JOIN activesynth.iterations i
  ON i.campaign = v.campaign AND i.number = v.iteration;

CREATE VIEW activesynth.sample_provenance AS
SELECT s.campaign, s.id AS sample, s.origin, s.iteration, s.label, s.verdict, s.verdict_reason,
       s.scores, s.weakness, w.kind AS weakness_kind, w.title AS weakness_title,
       w.gap AS weakness_gap, w.low AS weakness_low, w.high AS weakness_high,
       w.n AS weakness_n, s.generator, s.seed, s.shard, s."row",
       (SELECT array_agg(p.parent ORDER BY p.parent) FROM activesynth.sample_parents p
        WHERE p.campaign = s.campaign AND p.sample = s.id) AS parents,
       m.manifest, m.split, m.weight, v.origin AS version_origin,
       o.digest AS model, o.role AS model_role, o.arm AS model_arm,
       o.replicate AS model_replicate, o.iteration AS model_iteration,
       i.decision, i.reason AS decision_reason
FROM activesynth.samples s
LEFT JOIN activesynth.weaknesses w
  ON w.campaign = s.campaign AND w.iteration = s.iteration AND w.id = s.weakness
LEFT JOIN activesynth.dataset_members m
  ON m.campaign = s.campaign AND m.sample = s.id
LEFT JOIN activesynth.dataset_versions v
  ON v.campaign = m.campaign AND v.digest = m.manifest
LEFT JOIN activesynth.models o
  ON o.campaign = m.campaign AND o.trained_on = m.manifest
LEFT JOIN activesynth.iterations i
  ON i.campaign = s.campaign AND i.number = s.iteration AND i.state = 'committed';

CREATE VIEW activesynth.weakness_history AS
SELECT w.campaign, w.id AS weakness, w.iteration, w.kind, w.key, w.title, w.state, w.gap, w.low,
       w.high, w.n, w.p_value, w.confirmed, p.count AS planned, p.expected_gain, p.evidence,
       coalesce(s.accepted, 0) AS accepted, coalesce(s.rejected, 0) AS rejected,
       b.value AS benefit, b.low AS benefit_low, b.high AS benefit_high
FROM activesynth.weaknesses w
JOIN activesynth.iterations i
  ON i.campaign = w.campaign AND i.number = w.iteration AND i.state = 'committed'
LEFT JOIN activesynth.plans p
  ON p.campaign = w.campaign AND p.iteration = w.iteration AND p.weakness = w.id
LEFT JOIN (
    SELECT campaign, iteration, weakness,
           count(*) FILTER (WHERE verdict = 'accepted') AS accepted,
           count(*) FILTER (WHERE verdict = 'rejected') AS rejected
    FROM activesynth.samples
    WHERE origin = 'synthetic'
    GROUP BY campaign, iteration, weakness
) s ON s.campaign = w.campaign AND s.iteration = w.iteration AND s.weakness = w.id
LEFT JOIN LATERAL (
    SELECT value, low, high FROM activesynth.metrics m
    WHERE m.campaign = w.campaign AND m.iteration = w.iteration AND m.name = 'benefit'
      AND m.arm = 'targeted' AND m.slice = w.id AND m.seed = -1
    ORDER BY m.split LIMIT 1
) b ON true;

CREATE VIEW activesynth.iteration_cost AS
SELECT s.campaign, s.iteration, s.name AS step, count(*) AS shards,
       count(*) FILTER (WHERE s.is_reused) AS reused, sum(s.attempts) AS attempts,
       coalesce(sum(s.seconds) FILTER (WHERE NOT s.is_reused), 0) AS seconds,
       string_agg(DISTINCT s.device, ', ') AS device,
       max(s.peak_memory_mb) AS peak_memory_mb, min(s.recorded_at) AS first_recorded_at
FROM activesynth.steps s
JOIN activesynth.iterations i
  ON i.campaign = s.campaign AND i.number = s.iteration AND i.state = 'committed'
GROUP BY s.campaign, s.iteration, s.name;

CREATE VIEW activesynth.campaign_progress AS
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
    SELECT x.metric, x.split, x.control, x.lift, x.low, x.high FROM activesynth.lift x
    WHERE x.campaign = c.name AND x.iteration = d.number AND x.slice = 'all' AND x.is_paired
      AND x.control = coalesce(k.config -> 'evaluation' ->> 'control', 'reweighted')
    ORDER BY x.metric = coalesce(k.config -> 'evaluation' ->> 'metric', x.metric) DESC, x.split
    LIMIT 1
) l ON true;
"""
