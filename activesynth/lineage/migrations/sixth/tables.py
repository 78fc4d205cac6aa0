"""The tables of revision 0006, with what they mean: frozen."""

from __future__ import annotations

TABLES = """
CREATE TABLE activesynth.blob_quarantine (
    digest text NOT NULL,
    bytes bigint NOT NULL,
    modified timestamptz NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    condemned_at timestamptz,
    condemned_by text,
    PRIMARY KEY (digest),
    CONSTRAINT blob_quarantine_condemned_check
        CHECK ((condemned_at IS NULL) = (condemned_by IS NULL))
);

CREATE TABLE activesynth.blob_leases (
    holder text NOT NULL,
    digest text NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (holder, digest)
);

CREATE INDEX blob_leases_digest_idx ON activesynth.blob_leases (digest);
"""

COMMENTS: dict[str, dict[str, str]] = {
    "blob_quarantine": {
        "": "Blobs that nothing on record reached; the garbage collection removes them later",
        "digest": "Digest of the blob",
        "bytes": "Its size",
        "modified": "When the store says that it was last written",
        "since": "When it was found to be unreachable",
        "condemned_at": "When a collector was allowed to remove it, which it does at once",
        "condemned_by": "That collector's run",
    },
    "blob_leases": {
        "": "Blobs that work in progress holds, so that they are not collected before it records",
        "holder": "A process, by a name drawn at random",
        "digest": "Digest of a blob that it put, or is about to put or to record",
        "taken_at": "When it last asked for the blob; holders who take nothing for long are dead",
    },
}
