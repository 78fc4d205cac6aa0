"""The tables that the loop runs on, as revision 0001 made them: frozen."""

from __future__ import annotations

TABLES = """
CREATE TABLE activesynth.campaigns (
    name text NOT NULL,
    config_version integer NOT NULL,
    epoch integer NOT NULL,
    head text,
    head_model text,
    branches jsonb NOT NULL,
    iterations integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name)
);

CREATE TABLE activesynth.campaign_configs (
    campaign text NOT NULL,
    version integer NOT NULL,
    config jsonb NOT NULL,
    digest text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, version),
    FOREIGN KEY (campaign)
        REFERENCES activesynth.campaigns (name)
);

CREATE TABLE activesynth.dataset_versions (
    campaign text NOT NULL,
    digest text NOT NULL,
    epoch integer NOT NULL,
    parent text,
    origin text NOT NULL,
    rows jsonb NOT NULL,
    iteration integer,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, digest),
    FOREIGN KEY (campaign)
        REFERENCES activesynth.campaigns (name),
    FOREIGN KEY (campaign, parent)
        REFERENCES activesynth.dataset_versions (campaign, digest),
    CONSTRAINT dataset_versions_only_roots_are_orphans_check
        CHECK ((parent IS NULL) = (origin = 'root')),
    CONSTRAINT dataset_versions_origin_check
        CHECK (origin IN ('root', 'promoted', 'labels_only', 'refresh'))
);
CREATE UNIQUE INDEX dataset_versions_linear_idx
    ON activesynth.dataset_versions (campaign, epoch, parent) NULLS NOT DISTINCT;

CREATE TABLE activesynth.outbox (
    key text NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    campaign text NOT NULL,
    iteration integer,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    PRIMARY KEY (key),
    FOREIGN KEY (campaign)
        REFERENCES activesynth.campaigns (name)
);
CREATE INDEX outbox_pending_idx ON activesynth.outbox (position) WHERE sent_at IS NULL;

CREATE TABLE activesynth.split_reads (
    campaign text NOT NULL,
    epoch integer NOT NULL,
    split text NOT NULL,
    purpose text NOT NULL,
    iteration integer,
    read_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, epoch, split, purpose),
    FOREIGN KEY (campaign)
        REFERENCES activesynth.campaigns (name)
);

CREATE TABLE activesynth.iterations (
    campaign text NOT NULL,
    number integer NOT NULL,
    run_key text NOT NULL,
    fence integer NOT NULL,
    state text NOT NULL,
    config_version integer NOT NULL,
    overrides jsonb NOT NULL,
    parent text NOT NULL,
    parent_model text,
    branches jsonb NOT NULL,
    decision text,
    reason text,
    version text,
    next_run text,
    commit_digest text,
    failure text,
    opened_at timestamptz NOT NULL DEFAULT now(),
    committed_at timestamptz,
    PRIMARY KEY (campaign, number),
    UNIQUE (campaign, run_key),
    FOREIGN KEY (campaign, config_version)
        REFERENCES activesynth.campaign_configs (campaign, version),
    FOREIGN KEY (campaign, parent)
        REFERENCES activesynth.dataset_versions (campaign, digest),
    CONSTRAINT iterations_committed_check
        CHECK ((state = 'committed') = (commit_digest IS NOT NULL AND decision IS NOT NULL)),
    CONSTRAINT iterations_decision_check CHECK (decision IN ('promoted', 'refused')),
    CONSTRAINT iterations_state_check
        CHECK (state IN ('open', 'waiting', 'committed', 'failed'))
);
CREATE UNIQUE INDEX iterations_one_active_idx
    ON activesynth.iterations (campaign) WHERE state <> 'committed';

CREATE TABLE activesynth.privacy_ledger (
    campaign text NOT NULL,
    iteration integer NOT NULL,
    mechanism text NOT NULL,
    epsilon double precision NOT NULL,
    delta double precision NOT NULL,
    noise_multiplier double precision NOT NULL,
    sampling_rate double precision NOT NULL,
    steps integer NOT NULL,
    accountant text NOT NULL,
    spent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, iteration, mechanism),
    FOREIGN KEY (campaign, iteration)
        REFERENCES activesynth.iterations (campaign, number)
);

CREATE TABLE activesynth.steps (
    campaign text NOT NULL,
    iteration integer NOT NULL,
    name text NOT NULL,
    shard integer NOT NULL,
    fence integer NOT NULL,
    derivation_key text NOT NULL,
    artifacts jsonb NOT NULL,
    facts json NOT NULL,
    inputs text[] NOT NULL,
    seconds double precision NOT NULL,
    device text NOT NULL,
    peak_memory_mb double precision NOT NULL,
    host text NOT NULL,
    is_reused boolean NOT NULL,
    attempts integer NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, iteration, name, shard),
    FOREIGN KEY (campaign, iteration)
        REFERENCES activesynth.iterations (campaign, number)
);
CREATE INDEX steps_derivation_key_idx ON activesynth.steps (derivation_key);

CREATE TABLE activesynth.artifact_edges (
    campaign text NOT NULL,
    iteration integer NOT NULL,
    step text NOT NULL,
    shard integer NOT NULL,
    parent text NOT NULL,
    child text NOT NULL,
    PRIMARY KEY (campaign, iteration, step, shard, parent, child),
    FOREIGN KEY (campaign, iteration, step, shard)
        REFERENCES activesynth.steps (campaign, iteration, name, shard) ON DELETE CASCADE
);
CREATE INDEX artifact_edges_child_idx ON activesynth.artifact_edges (child);
CREATE INDEX artifact_edges_parent_idx ON activesynth.artifact_edges (parent);

CREATE TABLE activesynth.artifacts (
    campaign text NOT NULL,
    iteration integer NOT NULL,
    step text NOT NULL,
    shard integer NOT NULL,
    kind text NOT NULL,
    digest text NOT NULL,
    PRIMARY KEY (campaign, iteration, step, shard, kind),
    FOREIGN KEY (campaign, iteration, step, shard)
        REFERENCES activesynth.steps (campaign, iteration, name, shard) ON DELETE CASCADE
);
CREATE INDEX artifacts_digest_idx ON activesynth.artifacts (digest);

ALTER TABLE activesynth.campaigns ADD CONSTRAINT campaigns_head_fkey
    FOREIGN KEY (name, head) REFERENCES activesynth.dataset_versions (campaign, digest);
"""
