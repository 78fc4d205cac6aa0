"""The tables about samples, people and numbers, as revision 0001 made them: frozen."""

from __future__ import annotations

TABLES = """
CREATE TABLE activesynth.samples (
    campaign text NOT NULL,
    id text NOT NULL,
    origin text NOT NULL,
    shard text NOT NULL,
    row integer NOT NULL,
    label integer,
    generator text,
    weakness text,
    seed numeric(20, 0),
    scores jsonb NOT NULL,
    verdict text,
    verdict_reason text,
    iteration integer,
    PRIMARY KEY (campaign, id),
    FOREIGN KEY (campaign)
        REFERENCES activesynth.campaigns (name),
    CONSTRAINT samples_origin_check CHECK (origin IN ('real', 'synthetic'))
);
CREATE INDEX samples_campaign_iteration_idx ON activesynth.samples (campaign, iteration);
CREATE INDEX samples_id_idx ON activesynth.samples (id);

CREATE TABLE activesynth.dataset_members (
    campaign text NOT NULL,
    manifest text NOT NULL,
    sample text NOT NULL,
    split text NOT NULL,
    weight double precision NOT NULL,
    iteration integer,
    PRIMARY KEY (campaign, manifest, sample, split),
    FOREIGN KEY (campaign, sample)
        REFERENCES activesynth.samples (campaign, id)
);
CREATE INDEX dataset_members_campaign_sample_idx
    ON activesynth.dataset_members (campaign, sample);

CREATE TABLE activesynth.sample_parents (
    campaign text NOT NULL,
    sample text NOT NULL,
    parent text NOT NULL,
    PRIMARY KEY (campaign, sample, parent),
    FOREIGN KEY (campaign, sample)
        REFERENCES activesynth.samples (campaign, id)
);
CREATE INDEX sample_parents_parent_idx ON activesynth.sample_parents (parent);

CREATE TABLE activesynth.annotation_items (
    id text NOT NULL,
    campaign text NOT NULL,
    iteration integer NOT NULL,
    fence integer NOT NULL,
    position integer NOT NULL,
    sample text NOT NULL,
    kind text NOT NULL,
    shard text NOT NULL,
    row integer NOT NULL,
    proposed integer,
    version integer NOT NULL,
    offered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id),
    FOREIGN KEY (campaign, iteration)
        REFERENCES activesynth.iterations (campaign, number),
    CONSTRAINT annotation_items_kind_check CHECK (kind IN ('label', 'review'))
);
CREATE INDEX annotation_items_campaign_iteration_position_idx
    ON activesynth.annotation_items (campaign, iteration, position);

CREATE TABLE activesynth.metrics (
    campaign text NOT NULL,
    iteration integer NOT NULL,
    arm text NOT NULL,
    split text NOT NULL,
    slice text NOT NULL,
    name text NOT NULL,
    seed integer NOT NULL,
    value double precision NOT NULL,
    low double precision,
    high double precision,
    n integer NOT NULL,
    PRIMARY KEY (campaign, iteration, arm, split, slice, name, seed),
    FOREIGN KEY (campaign, iteration)
        REFERENCES activesynth.iterations (campaign, number)
);

CREATE TABLE activesynth.models (
    campaign text NOT NULL,
    iteration integer NOT NULL,
    role text NOT NULL,
    arm text NOT NULL,
    replicate integer NOT NULL,
    digest text NOT NULL,
    trained_on text,
    PRIMARY KEY (campaign, iteration, role, arm, replicate),
    FOREIGN KEY (campaign, iteration)
        REFERENCES activesynth.iterations (campaign, number)
);
CREATE INDEX models_campaign_trained_on_idx ON activesynth.models (campaign, trained_on);
CREATE INDEX models_digest_idx ON activesynth.models (digest);

CREATE TABLE activesynth.plans (
    campaign text NOT NULL,
    iteration integer NOT NULL,
    weakness text NOT NULL,
    count integer NOT NULL,
    expected_gain double precision NOT NULL,
    evidence text NOT NULL,
    PRIMARY KEY (campaign, iteration, weakness),
    FOREIGN KEY (campaign, iteration)
        REFERENCES activesynth.iterations (campaign, number),
    CONSTRAINT plans_count_check CHECK (count >= 0)
);

CREATE TABLE activesynth.weaknesses (
    campaign text NOT NULL,
    iteration integer NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    title text NOT NULL,
    state text NOT NULL,
    gap double precision NOT NULL,
    low double precision NOT NULL,
    high double precision NOT NULL,
    n integer NOT NULL,
    p_value double precision NOT NULL,
    confirmed boolean NOT NULL,
    difficulty double precision NOT NULL,
    severity double precision NOT NULL,
    class_share jsonb NOT NULL,
    clusters integer[] NOT NULL,
    PRIMARY KEY (campaign, iteration, id),
    FOREIGN KEY (campaign, iteration)
        REFERENCES activesynth.iterations (campaign, number),
    CONSTRAINT weaknesses_state_check CHECK (state IN ('open', 'closed', 'regressed'))
);

CREATE TABLE activesynth.annotations (
    item text NOT NULL,
    item_version integer NOT NULL,
    sample text NOT NULL,
    action text NOT NULL,
    label integer,
    annotator text NOT NULL,
    undoes integer,
    answered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (item, item_version),
    UNIQUE (item, undoes),
    FOREIGN KEY (item)
        REFERENCES activesynth.annotation_items (id),
    FOREIGN KEY (item, undoes)
        REFERENCES activesynth.annotations (item, item_version),
    CONSTRAINT annotations_action_check
        CHECK (action IN ('accept', 'reject', 'relabel', 'skip', 'undo')),
    CONSTRAINT annotations_undoes_check CHECK ((action = 'undo') = (undoes IS NOT NULL))
);
"""
