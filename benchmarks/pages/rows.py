"""Campaigns of a size that is asked for, written as rows by the server itself: nothing is trained.

What a page reads as a blob is there in truth: the manifest of the head, the shards of candidates
and of guide, and what the arms predicted on guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from activesynth.config.campaign import read_campaign
from activesynth.domain.canonical import encode_arrays
from activesynth.domain.documents import DatasetManifest, ShardRef
from activesynth.domain.ports import ObjectStore
from activesynth.domain.samples import SampleSet

CAMPAIGN = Path(__file__).parents[2] / "campaigns" / "digits.yaml"
CLASSES = 10
SHARD = 20_000
ARMS = ("real", "reweighted", "random", "targeted")


@dataclass(frozen=True, slots=True)
class Size:
    """How large a campaign is.

    Attributes:
        iterations: Committed ones; as many versions, recalls and declarations.
        samples: Candidates of the last iteration; earlier ones have at most a hundred.
        questions: Open items of the iteration that waits.
        guide: Rows of guide.
    """

    iterations: int
    samples: int
    questions: int
    guide: int


@dataclass(frozen=True, slots=True)
class Places:
    """What addresses of pages name: a campaign, its largest iteration, and of that what exists."""

    campaign: str
    number: int
    digest: str
    sample: str
    run: str
    weakness: str = "weakness-1"


_ROWS = """
INSERT INTO activesynth.campaigns (name, config_version, epoch, branches, iterations)
VALUES (:campaign, 1, 0, '{}', :iterations);
INSERT INTO activesynth.campaign_configs (campaign, version, config, digest)
VALUES (:campaign, 1, CAST(:config AS jsonb), 'config');

INSERT INTO activesynth.dataset_versions
    (campaign, digest, epoch, parent, origin, rows, committed_at)
VALUES (:campaign, :campaign || '-root', 0, NULL, 'root', '{"train": 100}', '2026-01-01');
INSERT INTO activesynth.dataset_versions
    (campaign, digest, epoch, parent, origin, rows, iteration, committed_at)
SELECT :campaign, CASE WHEN i = :last THEN :head ELSE :campaign || '-version-' || i END, 0,
       CASE WHEN i = 0 THEN :campaign || '-root' ELSE :campaign || '-version-' || i - 1 END,
       'promoted', '{"train": 100, "guide": 100}', i,
       timestamptz '2026-01-01' + i * interval '1 day'
FROM generate_series(0, :last) i;

INSERT INTO activesynth.iterations
    (campaign, number, run_key, fence, state, config_version, overrides, parent, branches,
     decision, reason, version, commit_digest, committed_at)
SELECT :campaign, i, :campaign || '__it' || i, 1, 'committed', 1, '{}',
       CASE WHEN i = 0 THEN :campaign || '-root' ELSE :campaign || '-version-' || i - 1 END,
       '{}', 'promoted', 'promoted: not worse.',
       CASE WHEN i = :last THEN :head ELSE :campaign || '-version-' || i END, 'digest', now()
FROM generate_series(0, :last) i;
INSERT INTO activesynth.iterations
    (campaign, number, run_key, fence, state, config_version, overrides, parent, branches)
VALUES (:campaign, :iterations, :campaign || '__it' || :iterations, 1, 'waiting', 1, '{}', :head,
        '{}');
UPDATE activesynth.campaigns SET head = :head WHERE name = :campaign;

INSERT INTO activesynth.steps
    (campaign, iteration, name, shard, fence, derivation_key, artifacts, facts, inputs, seconds,
     device, peak_memory_mb, host, is_reused, attempts)
SELECT :campaign, i, name, 0, 1, 'key', '{}', '{}', '{}', 1.0 + i % 7, 'cpu', 100, 'host', false, 1
FROM generate_series(0, :last) i, unnest(CAST(:steps AS text[])) name;
UPDATE activesynth.steps SET artifacts = jsonb_build_object('probs', CAST(:probs AS text))
WHERE campaign = :campaign AND iteration = :last AND name = 'evaluate';

INSERT INTO activesynth.weaknesses
    (campaign, iteration, id, kind, key, title, state, gap, low, high, n, p_value, confirmed,
     difficulty, severity, class_share, clusters, rank)
SELECT :campaign, i, 'weakness-' || CASE WHEN k < 5 THEN k ELSE i * 5 + k END, 'class',
       k::text, 'class ' || k, (ARRAY['open', 'closed', 'regressed'])[1 + (i + k) % 3],
       0.1 + 0.01 * k, 0.05, 0.3, 100, 0.01, true, 0.5, 0.5, '{}', '{}', k + 1
FROM generate_series(0, :last) i, generate_series(0, 9) k;
INSERT INTO activesynth.plans (campaign, iteration, weakness, count, expected_gain, evidence)
SELECT campaign, iteration, id, 10, 0.01, 'measured' FROM activesynth.weaknesses
WHERE campaign = :campaign;

INSERT INTO activesynth.metrics
    (campaign, iteration, arm, split, slice, name, seed, value, low, high, n)
SELECT :campaign, i, arm, 'guide', slice, name, seed, 0.8 + 0.0005 * i, 0.7, 0.95, 500
FROM generate_series(0, :last) i, unnest(CAST(:arms AS text[])) arm,
     unnest(ARRAY['balanced_accuracy', 'macro_f1', 'accuracy', 'ece', 'nll']) name,
     (SELECT 'all' AS slice, generate_series(-1, 2) AS seed
      UNION ALL SELECT 'slice-' || generate_series(0, 29), -1) sliced;
INSERT INTO activesynth.metrics
    (campaign, iteration, arm, split, slice, name, seed, value, low, high, n)
SELECT :campaign, i, arm, split, 'all', name, -1, value, value / 2, value * 2, 500
FROM generate_series(0, :last) i, (VALUES
    ('targeted', 'guide', 'balanced_accuracy_lift:reweighted', 0.02),
    ('targeted', 'gate', 'balanced_accuracy_lift:reweighted', 0.02),
    ('targeted', 'gate', 'balanced_accuracy_lift:head', 0.02),
    ('targeted', 'train', 'entropy_share', 0.9), ('targeted', 'train', 'synthetic_rows', 50),
    ('base', 'train', 'labels_bought', 20), ('base', 'guide', 'uncertain_share', 0.3),
    ('base', 'gate', 'detectable_lift', 0.04)) m(arm, split, name, value);
INSERT INTO activesynth.metrics
    (campaign, iteration, arm, split, slice, name, seed, value, low, high, n)
SELECT campaign, iteration, 'targeted', 'guide', id, 'benefit', -1, 0.01, 0.0, 0.02, 100
FROM activesynth.weaknesses WHERE campaign = :campaign;

INSERT INTO activesynth.models (campaign, iteration, role, arm, replicate, digest, trained_on)
SELECT :campaign, i, 'arm', arm, r, md5(:campaign || i || arm || r),
       CASE WHEN arm IN ('random', 'targeted') THEN :campaign || '-' || arm || '-' || i
            WHEN i = 0 THEN :campaign || '-root' ELSE :campaign || '-version-' || i - 1 END
FROM generate_series(0, :last) i, unnest(CAST(:arms AS text[])) arm, generate_series(0, 2) r;

INSERT INTO activesynth.samples
    (campaign, id, origin, shard, "row", label, generator, weakness, seed, scores, verdict,
     verdict_reason, iteration)
SELECT :campaign, md5(:campaign || i || '-' || n), 'synthetic',
       (CAST(:shards AS text[]))[1 + n / :shard], n % :shard, n % 10, :campaign || '-generator',
       CASE WHEN n % 4 < 3 THEN 'weakness-' || n % 5 END, n, '{"realism": 0.5, "fit": 0.8}',
       CASE WHEN n % 2 = 0 THEN 'accepted' ELSE 'rejected' END,
       CASE WHEN n % 2 = 1 THEN (ARRAY['near_duplicate', 'unrealistic', 'label'])[1 + n % 3] END, i
FROM generate_series(0, :last) i CROSS JOIN LATERAL generate_series(
    0, CASE WHEN i = :last THEN :samples ELSE least(:samples, 100) END - 1) n;
INSERT INTO activesynth.samples
    (campaign, id, origin, shard, "row", label, scores)
SELECT :campaign, 'real-' || n, 'real', :guide_shard, 0, n % 10, '{}'
FROM generate_series(0, least(:samples, 1000) - 1) n;
-- Else foreign keys are checked by a plan that was made for few rows.
ANALYZE activesynth.samples;
INSERT INTO activesynth.sample_parents (campaign, sample, parent)
SELECT s.campaign, s.id, 'real-' || (s."row" + k) % least(:samples, 1000)
FROM activesynth.samples s, generate_series(0, 1) k
WHERE s.campaign = :campaign AND s.origin = 'synthetic';

-- What was accepted is in the version after it, in what its arm was trained on, and what was made
-- first in all versions and candidates since.
INSERT INTO activesynth.dataset_members (campaign, manifest, sample, split, weight, iteration)
SELECT s.campaign, m.manifest, s.id, 'synthetic', 1.0, s.iteration
FROM activesynth.samples s
CROSS JOIN LATERAL (VALUES
    (CASE WHEN s.iteration = :last THEN :head ELSE :campaign || '-version-' || s.iteration END),
    (:campaign || '-targeted-' || s.iteration)) m(manifest)
WHERE s.campaign = :campaign AND s.verdict = 'accepted';
INSERT INTO activesynth.dataset_members (campaign, manifest, sample, split, weight, iteration)
SELECT s.campaign, m.manifest, s.id, 'synthetic', 1.0, i
FROM activesynth.samples s, generate_series(1, :last) i
CROSS JOIN LATERAL (VALUES
    (CASE WHEN i = :last THEN :head ELSE :campaign || '-version-' || i END),
    (:campaign || '-targeted-' || i), (:campaign || '-random-' || i)) m(manifest)
WHERE s.campaign = :campaign AND s.verdict = 'accepted' AND s.iteration = 0;

INSERT INTO activesynth.annotation_items
    (id, campaign, iteration, fence, position, sample, kind, shard, "row", version, state, second,
     awaits_second)
SELECT :campaign || ':' || n, :campaign, :iterations, 1, n, 'pool-' || n, 'label', :guide_shard, 0,
       0, 'open', true, false
FROM generate_series(0, :questions - 1) n;
INSERT INTO activesynth.annotation_counts (campaign, iteration, fence, state, annotator, count)
VALUES (:campaign, :iterations, 1, 'open', '', :questions);

-- One person answered about the synthetic samples of each iteration.
INSERT INTO activesynth.annotation_items
    (id, campaign, iteration, fence, position, sample, kind, shard, "row", proposed, version, state,
     answered_by, second, awaits_second)
SELECT s.campaign || ':' || 'review-' || s.id, s.campaign, s.iteration, 1, s."row", s.id, 'review',
       s.shard, s."row", s.label, 1, 'labelled', 'ada', true, true
FROM activesynth.samples s
WHERE s.campaign = :campaign AND s.origin = 'synthetic' AND (s.iteration = 0 OR s."row" < 10);
ANALYZE activesynth.annotation_items;
INSERT INTO activesynth.annotations (item, item_version, sample, action, label, annotator)
SELECT q.id, 0, q.sample, 'accept', q.proposed, 'ada' FROM activesynth.annotation_items q
WHERE q.campaign = :campaign AND q.kind = 'review';

INSERT INTO activesynth.recalls
    (campaign, version, samples, selection, reason, recalled_by, iterations, branches)
SELECT :campaign, :campaign || '-version-' || i, 1, '{"samples": ["none"]}', 'a reason', 'otto', 0,
       '{}'
FROM generate_series(0, :last - 1) i;
INSERT INTO activesynth.weakness_declarations (campaign, number, action, target, reason)
SELECT :campaign, i + 1, CASE WHEN i % 2 = 0 THEN 'declare' ELSE 'withdraw' END, 'class:3',
       'a reason'
FROM generate_series(0, :last) i;
"""
_STEPS = (
    *("begin", "train", "encoder", "embed", "codebook", "diagnose", "plan", "fit_generator"),
    *("generate", "screen", "select", "annotate", "integrate", "retrain", "evaluate", "judge"),
    "promote",
)


def write_campaign(connection: Connection, objects: ObjectStore, name: str, size: Size) -> Places:
    """Write a campaign of this size, whose last iteration is the largest; nothing is committed."""
    shards = [
        _shard(objects, _pictures(min(SHARD, size.samples - first)))
        for first in range(0, size.samples, SHARD)
    ]
    guide = _pictures(size.guide)
    guide_shard = _shard(objects, guide)
    head = objects.put(_manifest(name, guide_shard, shards))
    last = size.iterations - 1
    values: Mapping[str, Any] = {
        "campaign": name,
        "iterations": size.iterations,
        "last": last,
        "samples": size.samples,
        "questions": size.questions,
        "config": json.dumps(_config(name)),
        "head": head,
        "probs": objects.put(_predicted(guide)),
        "shards": [shard.blob for shard in shards],
        "shard": SHARD,
        "guide_shard": guide_shard.blob,
        "arms": list(ARMS),
        "steps": list(_STEPS),
    }
    for statement in _ROWS.split(";\n"):
        if statement.strip():
            connection.execute(text(statement), values)
    first = (
        "SELECT id FROM activesynth.samples WHERE campaign = :campaign AND iteration = 0 "
        "AND verdict = 'accepted' ORDER BY id LIMIT 1"
    )
    sample = connection.execute(text(first), {"campaign": name}).scalar_one()
    return Places(name, last, head, str(sample), f"{name}__it{last}")


def _config(name: str) -> dict[str, Any]:
    config: dict[str, Any] = read_campaign(CAMPAIGN).model_dump(mode="json")
    return {**config, "name": name}


def _pictures(rows: int) -> SampleSet:
    rng = np.random.default_rng(rows)
    return SampleSet(
        ids=np.array([f"row-{n:08d}" for n in range(rows)]),
        x=rng.integers(0, 255, (rows, 8, 8, 1), dtype=np.uint8),
        y=np.arange(rows, dtype=np.int64) % CLASSES,
        groups=np.array([f"row-{n:08d}" for n in range(rows)]),
    )


def _shard(objects: ObjectStore, rows: SampleSet) -> ShardRef:
    data = rows.encode()
    return ShardRef(blob=objects.put(data), rows=len(rows), bytes=len(data))


def _manifest(name: str, guide: ShardRef, shards: list[ShardRef]) -> bytes:
    return DatasetManifest(
        modality="image",
        classes=tuple(str(n) for n in range(CLASSES)),
        parent=f"{name}-parent",
        splits={"train": (guide,), "guide": (guide,)},
        synthetic=tuple(shards),
    ).encode()


def _predicted(guide: SampleSet) -> bytes:
    rng = np.random.default_rng(0)
    probs = {}
    for arm in ARMS:
        drawn = rng.random((3, len(guide), CLASSES))
        probs[arm] = drawn / drawn.sum(axis=2, keepdims=True)
    return encode_arrays({"ids": guide.ids, **probs})
