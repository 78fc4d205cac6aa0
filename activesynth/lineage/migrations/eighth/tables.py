"""The table and the indexes of revision 0008, with what they mean: frozen."""

from __future__ import annotations

TABLES = """
CREATE TABLE activesynth.recalls (
    campaign text NOT NULL,
    version text NOT NULL,
    samples integer NOT NULL,
    selection jsonb NOT NULL,
    reason text NOT NULL,
    recalled_by text NOT NULL,
    iterations integer NOT NULL,
    branches jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, version),
    CONSTRAINT recalls_campaign_version_fkey FOREIGN KEY (campaign, version)
        REFERENCES activesynth.dataset_versions (campaign, digest),
    CONSTRAINT recalls_samples_check CHECK (samples >= 0)
);
"""

INDEXES = {
    "samples_campaign_generator_idx": "samples (campaign, generator)",
    "samples_campaign_weakness_idx": "samples (campaign, weakness)",
    "annotation_items_campaign_sample_idx": "annotation_items (campaign, sample)",
}
"""What a batch is looked up by."""

ORIGINS = """
ALTER TABLE activesynth.dataset_versions
    DROP CONSTRAINT dataset_versions_origin_check,
    ADD CONSTRAINT dataset_versions_origin_check
        CHECK (origin IN ('root', 'promoted', 'labels_only', 'refresh', 'erased'{more}))
"""

COMMENTS: dict[str, dict[str, str]] = {
    "recalls": {
        "": "Batches that were taken back: each is one dataset version without them",
        "campaign": "Whose",
        "version": "Digest of the version without the batch",
        "samples": "How many samples were taken back by it",
        "selection": "What named the batch: iteration, generator, weakness, annotator or samples",
        "reason": "Why, in the words of whoever asked",
        "recalled_by": "Who asked",
        "iterations": "How many iterations were committed by then",
        "branches": "Digests of the manifests that took the place of arms' synthetic branches",
        "recorded_at": "When",
    },
}
