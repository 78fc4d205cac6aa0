"""The tables of revision 0007, with what they mean: frozen."""

from __future__ import annotations

TABLES = """
CREATE TABLE activesynth.erasures (
    id text NOT NULL,
    campaigns text[] NOT NULL,
    reason text NOT NULL,
    salt text NOT NULL,
    certificate jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (id)
);

CREATE TABLE activesynth.erased_names (
    erasure text NOT NULL,
    kind text NOT NULL,
    hash text NOT NULL,
    PRIMARY KEY (erasure, kind, hash),
    CONSTRAINT erased_names_erasure_fkey FOREIGN KEY (erasure) REFERENCES activesynth.erasures (id),
    CONSTRAINT erased_names_kind_check CHECK (kind IN ('sample', 'group'))
);

CREATE TABLE activesynth.erased_blobs (
    digest text NOT NULL,
    erasure text NOT NULL,
    kind text NOT NULL,
    replacement text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    PRIMARY KEY (digest),
    CONSTRAINT erased_blobs_erasure_fkey FOREIGN KEY (erasure) REFERENCES activesynth.erasures (id)
);

CREATE INDEX erased_blobs_erasure_idx ON activesynth.erased_blobs (erasure);

CREATE TABLE activesynth.erased_manifests (
    campaign text NOT NULL,
    before text NOT NULL,
    after text NOT NULL,
    erasure text NOT NULL,
    PRIMARY KEY (campaign, before, after),
    CONSTRAINT erased_manifests_campaign_fkey
        FOREIGN KEY (campaign) REFERENCES activesynth.campaigns (name),
    CONSTRAINT erased_manifests_erasure_fkey
        FOREIGN KEY (erasure) REFERENCES activesynth.erasures (id)
);
"""

ORIGINS = """
ALTER TABLE activesynth.dataset_versions
    DROP CONSTRAINT dataset_versions_origin_check,
    ADD CONSTRAINT dataset_versions_origin_check
        CHECK (origin IN ('root', 'promoted', 'labels_only', 'refresh'{more}))
"""

COMMENTS: dict[str, dict[str, str]] = {
    "erasures": {
        "": "Withdrawals: each is one act that erased the samples of a person",
        "id": "A name drawn at random",
        "campaigns": "The campaigns that it reached through",
        "reason": "Why, in the words of whoever asked",
        "salt": "What is put before a name before it is hashed",
        "certificate": "What was asked, what was erased, what remains, and what was not looked at",
        "recorded_at": "When records and data were parted; the bytes are removed after that",
        "finished_at": "When the last of its blobs was gone",
    },
    "erased_names": {
        "": "Who must not come back: salted hashes of ids and groups, and no name",
        "erasure": "The withdrawal",
        "kind": "sample (the id of one of the samples) or group (the value that was asked for)",
        "hash": "SHA-256 of salt, kind and name",
    },
    "erased_blobs": {
        "": "Blobs that were removed on purpose because rows of a withdrawn person were in them",
        "digest": "Digest of the blob",
        "erasure": "The withdrawal",
        "kind": "What it was",
        "replacement": "The same rows without those of the person, where they were written anew",
        "recorded_at": "When it was given up",
        "removed_at": "When it was seen to be gone from the store",
    },
    "erased_manifests": {
        "": "Heads and branches of campaigns that were written anew without a person's rows",
        "campaign": "Whose",
        "before": "Digest of the manifest that listed rows of the person",
        "after": "Digest of the manifest that took its place",
        "erasure": "The withdrawal",
    },
}
