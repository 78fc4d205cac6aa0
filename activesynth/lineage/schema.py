"""The tables of schema ``activesynth`` as the queries see them.

Their comments live in the database, where people read them: ``migrations`` writes them. A test
holds these tables and the migrated database equal.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

import activesynth.lineage.erasure_schema
import activesynth.lineage.proposal_schema
import activesynth.lineage.recall_schema  # noqa: F401 - their tables belong to the metadata
from activesynth.lineage.annotation_schema import CLOSED
from activesynth.lineage.columns import VOLATILE, key, may, metadata, moment, need, run_fact

FAIRNESS = "name IN ('demographic_parity_difference', 'equal_opportunity_difference')"
campaigns = Table(
    "campaigns",
    metadata,
    key("name", Text),
    need("config_version", Integer),
    need("epoch", Integer),
    may("head", Text),
    may("head_model", Text),
    need("branches", JSONB),
    need("iterations", Integer),
    moment("created_at"),
    ForeignKeyConstraint(
        ["name", "head"],
        ["dataset_versions.campaign", "dataset_versions.digest"],
        use_alter=True,
        name="campaigns_head_fkey",
    ),
)

campaign_configs = Table(
    "campaign_configs",
    metadata,
    key("campaign", Text),
    key("version", Integer),
    need("config", JSONB),
    need("digest", Text),
    moment("recorded_at"),
    ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
)

iterations = Table(
    "iterations",
    metadata,
    key("campaign", Text),
    key("number", Integer),
    run_fact("run_key", Text),
    run_fact("fence", Integer),
    need("state", Text),
    need("config_version", Integer),
    need("overrides", JSONB),
    need("parent", Text),
    may("parent_model", Text),
    need("branches", JSONB),
    may("decision", Text),
    may("reason", Text),
    may("version", Text),
    run_fact("next_run", Text, nullable=True),
    may("commit_digest", Text),
    run_fact("failure", Text, nullable=True),
    moment("opened_at"),
    moment("committed_at", nullable=True),
    may("questions_closed", Text),
    may("questions_closed_by", Text),
    ForeignKeyConstraint(
        ["campaign", "config_version"], ["campaign_configs.campaign", "campaign_configs.version"]
    ),
    ForeignKeyConstraint(
        ["campaign", "parent"], ["dataset_versions.campaign", "dataset_versions.digest"]
    ),
    UniqueConstraint("campaign", "run_key"),
    CheckConstraint("state IN ('open', 'waiting', 'committed', 'failed')", name="state"),
    CheckConstraint("decision IN ('promoted', 'refused', 'not_gated')", name="decision"),
    *CLOSED,
    CheckConstraint(
        "(state = 'committed') = (commit_digest IS NOT NULL AND decision IS NOT NULL)",
        name="committed",
    ),
    Index(
        "iterations_one_active_idx",
        "campaign",
        unique=True,
        postgresql_where=text("state <> 'committed'"),
    ),
    Index(None, "run_key"),
)

steps = Table(
    "steps",
    metadata,
    key("campaign", Text),
    key("iteration", Integer),
    key("name", Text),
    key("shard", Integer),
    run_fact("fence", Integer),
    need("derivation_key", Text),
    need("artifacts", JSONB),
    # As text, not binary: minus zero and huge floats come back as what they were.
    need("facts", JSON),
    need("inputs", ARRAY(Text)),
    run_fact("seconds", Double),
    run_fact("device", Text),
    run_fact("peak_memory_mb", Double),
    run_fact("host", Text),
    run_fact("is_reused", Boolean),
    run_fact("attempts", Integer),
    moment("recorded_at"),
    ForeignKeyConstraint(["campaign", "iteration"], ["iterations.campaign", "iterations.number"]),
    Index(None, "derivation_key"),
    Index(
        "steps_proposal_idx",
        *("campaign", "iteration"),
        postgresql_where=text("facts -> 'proposal' IS NOT NULL"),
    ),
)

_STEP = ["campaign", "iteration", "step", "shard"]
_STEP_KEY = ["steps.campaign", "steps.iteration", "steps.name", "steps.shard"]

artifacts = Table(
    "artifacts",
    metadata,
    key("campaign", Text),
    key("iteration", Integer),
    key("step", Text),
    key("shard", Integer),
    key("kind", Text),
    need("digest", Text),
    ForeignKeyConstraint(_STEP, _STEP_KEY, ondelete="CASCADE"),
    Index(None, "digest"),
)

artifact_edges = Table(
    "artifact_edges",
    metadata,
    key("campaign", Text),
    key("iteration", Integer),
    key("step", Text),
    key("shard", Integer),
    key("parent", Text),
    key("child", Text),
    ForeignKeyConstraint(_STEP, _STEP_KEY, ondelete="CASCADE"),
    Index(None, "parent"),
    Index(None, "child"),
)

dataset_versions = Table(
    "dataset_versions",
    metadata,
    key("campaign", Text),
    key("digest", Text),
    need("epoch", Integer),
    may("parent", Text),
    need("origin", Text),
    need("rows", JSONB),
    may("iteration", Integer),
    moment("committed_at"),
    ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
    ForeignKeyConstraint(
        ["campaign", "parent"], ["dataset_versions.campaign", "dataset_versions.digest"]
    ),
    CheckConstraint(
        "origin IN ('root', 'promoted', 'labels_only', 'refresh', 'erased', 'recalled')",
        name="origin",
    ),
    CheckConstraint("(parent IS NULL) = (origin = 'root')", name="only_roots_are_orphans"),
    Index(None, "campaign", "committed_at", "digest"),
    Index(
        "dataset_versions_linear_idx",
        "campaign",
        "epoch",
        "parent",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
)

samples = Table(
    "samples",
    metadata,
    key("campaign", Text),
    key("id", Text),
    need("origin", Text),
    need("shard", Text),
    need("row", Integer),
    may("label", Integer),
    may("generator", Text),
    may("weakness", Text),
    may("seed", Numeric(20, 0)),
    need("scores", JSONB),
    may("verdict", Text),
    may("verdict_reason", Text),
    may("iteration", Integer),
    ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
    CheckConstraint("origin IN ('real', 'synthetic')", name="origin"),
    Index(None, "campaign", "generator"),
    Index(None, "id"),
    # Each has the candidates of an iteration in the order of a page, all or by what filters them.
    *(
        Index(name and f"samples_{name}_idx", "campaign", *columns, "id", postgresql_where=text(of))
        for name, columns, of in (
            (None, ("iteration",), "iteration IS NOT NULL"),
            (None, ("weakness", "iteration"), "weakness IS NOT NULL"),
            ("verdict", ("iteration", "verdict"), "origin = 'synthetic'"),
            ("reason", ("iteration", "verdict_reason"), "origin = 'synthetic'"),
            ("label", ("iteration", "label"), "origin = 'synthetic'"),
        )
    ),
)

# Counting 100,000 samples takes longer than all else that a page of their campaign shows.
verdict_counts = Table(
    "verdict_counts",
    metadata,
    key("campaign", Text),
    key("iteration", Integer),
    key("weakness", Text),
    key("verdict", Text),
    key("verdict_reason", Text),
    need("count", Integer),
    ForeignKeyConstraint(["campaign", "iteration"], ["iterations.campaign", "iterations.number"]),
)

sample_parents = Table(
    "sample_parents",
    metadata,
    key("campaign", Text),
    key("sample", Text),
    key("parent", Text),
    ForeignKeyConstraint(["campaign", "sample"], ["samples.campaign", "samples.id"]),
    Index(None, "parent"),
)

dataset_members = Table(
    "dataset_members",
    metadata,
    key("campaign", Text),
    key("manifest", Text),
    key("sample", Text),
    key("split", Text),
    need("weight", Double),
    may("iteration", Integer),
    ForeignKeyConstraint(["campaign", "sample"], ["samples.campaign", "samples.id"]),
    Index(None, "campaign", "sample"),
)

weaknesses = Table(
    "weaknesses",
    metadata,
    key("campaign", Text),
    key("iteration", Integer),
    key("id", Text),
    need("kind", Text),
    need("key", Text),
    need("title", Text),
    need("state", Text),
    need("gap", Double),
    need("low", Double),
    need("high", Double),
    need("n", Integer),
    need("p_value", Double),
    need("confirmed", Boolean),
    need("difficulty", Double),
    need("severity", Double),
    need("class_share", JSONB),
    need("clusters", ARRAY(Integer)),
    may("rank", Integer),
    ForeignKeyConstraint(["campaign", "iteration"], ["iterations.campaign", "iterations.number"]),
    CheckConstraint("state IN ('open', 'closed', 'regressed')", name="state"),
)

weakness_declarations = Table(
    "weakness_declarations",
    metadata,
    key("campaign", Text),
    key("number", Integer),
    need("action", Text),
    need("target", Text),
    need("reason", Text),
    moment("recorded_at"),
    ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
    CheckConstraint("action IN ('declare', 'withdraw')", name="action"),
)

diagnoses = Table(
    "diagnoses",
    metadata,
    key("campaign", Text),
    key("run_key", Text),
    need("version", Text),
    need("model", Text),
    need("profile", Text),
    need("document", JSONB),
    moment("recorded_at"),
    ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
    ForeignKeyConstraint(
        ["campaign", "version"], ["dataset_versions.campaign", "dataset_versions.digest"]
    ),
)

generators = Table(
    "generators",
    metadata,
    key("name", Text),
    need("card", Text),
    need("corpus", Text),
    need("licence", Text),
    need("rows", Integer),
    need("document", JSONB),
    moment("recorded_at"),
)

experiments = Table(
    "experiments",
    metadata,
    key("name", Text),
    key("registration", Text),
    need("document", JSONB),
    moment("recorded_at"),
)

experiment_cells = Table(
    "experiment_cells",
    metadata,
    key("experiment", Text),
    key("registration", Text),
    key("phase", Text),
    key("variant", Text),
    key("seed", Integer),
    need("campaign", Text),
    need("predictions", Text),
    moment("recorded_at"),
    ForeignKeyConstraint(
        ["experiment", "registration"], ["experiments.name", "experiments.registration"]
    ),
    ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
    CheckConstraint("phase IN ('tuning', 'confirmation')", name="phase"),
)

_CELL = ("experiment", "registration", "phase", "variant", "seed")

experiment_scores = Table(
    "experiment_scores",
    metadata,
    key("experiment", Text),
    key("registration", Text),
    key("phase", Text),
    key("variant", Text),
    key("seed", Integer),
    key("iteration", Integer),
    key("arm", Text),
    key("metric", Text),
    need("value", Double),
    need("n", Integer),
    ForeignKeyConstraint(
        _CELL,
        [f"experiment_cells.{name}" for name in _CELL],
        name="experiment_scores_cell_fkey",
    ),
)

blob_quarantine = Table(
    "blob_quarantine",
    metadata,
    key("digest", Text),
    need("bytes", BigInteger),
    need("modified", DateTime(timezone=True)),
    moment("since"),
    moment("condemned_at", nullable=True),
    may("condemned_by", Text),
    CheckConstraint("(condemned_at IS NULL) = (condemned_by IS NULL)", name="condemned"),
)

blob_leases = Table(
    "blob_leases",
    metadata,
    key("holder", Text),
    key("digest", Text),
    moment("taken_at"),
    Index(None, "digest"),
)

plans = Table(
    "plans",
    metadata,
    key("campaign", Text),
    key("iteration", Integer),
    key("weakness", Text),
    need("count", Integer),
    need("expected_gain", Double),
    need("evidence", Text),
    ForeignKeyConstraint(["campaign", "iteration"], ["iterations.campaign", "iterations.number"]),
    CheckConstraint("count >= 0", name="count"),
)

models = Table(
    "models",
    metadata,
    key("campaign", Text),
    key("iteration", Integer),
    key("role", Text),
    key("arm", Text),
    key("replicate", Integer),
    need("digest", Text),
    may("trained_on", Text),
    ForeignKeyConstraint(["campaign", "iteration"], ["iterations.campaign", "iterations.number"]),
    Index(None, "campaign", "trained_on"),
    Index(None, "digest"),
)

metrics = Table(
    "metrics",
    metadata,
    key("campaign", Text),
    key("iteration", Integer),
    key("arm", Text),
    key("split", Text),
    key("slice", Text),
    key("name", Text),
    key("seed", Integer),
    need("value", Double),
    may("low", Double),
    may("high", Double),
    need("n", Integer),
    ForeignKeyConstraint(["campaign", "iteration"], ["iterations.campaign", "iterations.number"]),
    Index(
        "metrics_headline_idx",
        *("campaign", "iteration"),
        postgresql_where=text("(slice = 'all' AND seed < 0) OR name = 'retrieved'"),
    ),
    Index("metrics_fairness_idx", "campaign", "iteration", postgresql_where=text(FAIRNESS)),
)

privacy_ledger = Table(
    "privacy_ledger",
    metadata,
    key("campaign", Text),
    key("iteration", Integer),
    key("mechanism", Text),
    need("epsilon", Double),
    need("delta", Double),
    need("noise_multiplier", Double),
    need("sampling_rate", Double),
    need("steps", Integer),
    need("accountant", Text),
    moment("spent_at"),
    ForeignKeyConstraint(["campaign", "iteration"], ["iterations.campaign", "iterations.number"]),
)

split_reads = Table(
    "split_reads",
    metadata,
    key("campaign", Text),
    key("epoch", Integer),
    key("split", Text),
    key("purpose", Text),
    may("iteration", Integer),
    moment("read_at"),
    ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
)

outbox = Table(
    "outbox",
    metadata,
    key("key", Text),
    Column("position", BigInteger, Identity(always=True), nullable=False, info={VOLATILE: True}),
    need("campaign", Text),
    may("iteration", Integer),
    need("kind", Text),
    need("payload", JSONB),
    moment("recorded_at"),
    moment("sent_at", nullable=True),
    ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
    Index("outbox_pending_idx", "position", postgresql_where=text("sent_at IS NULL")),
)
