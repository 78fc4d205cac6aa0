"""The columns and tables of revision 0009, with what they mean: frozen."""

from __future__ import annotations

UP = """
ALTER TABLE activesynth.annotation_items
    ADD COLUMN state text,
    ADD COLUMN answered_by text,
    ADD COLUMN second boolean NOT NULL DEFAULT false,
    ADD COLUMN awaits_second boolean NOT NULL DEFAULT false;

UPDATE activesynth.annotation_items q
SET state = s.state, answered_by = s.annotator
FROM (
    SELECT i.id, a.annotator,
           CASE a.action WHEN 'skip' THEN 'skipped' WHEN 'reject' THEN 'rejected'
                         WHEN 'accept' THEN 'labelled' WHEN 'relabel' THEN 'labelled'
                         ELSE 'open' END AS state
    FROM activesynth.annotation_items i
    LEFT JOIN (
        SELECT DISTINCT ON (g.item) g.item, g.action, g.annotator
        FROM activesynth.annotations g
        WHERE g.action <> 'undo' AND NOT EXISTS (
            SELECT FROM activesynth.annotations u
            WHERE u.item = g.item AND u.undoes = g.item_version)
        ORDER BY g.item, g.item_version DESC
    ) a ON a.item = i.id
) s
WHERE s.id = q.id;

ALTER TABLE activesynth.annotation_items
    ALTER COLUMN state SET NOT NULL,
    ALTER COLUMN second DROP DEFAULT,
    ALTER COLUMN awaits_second DROP DEFAULT,
    ADD CONSTRAINT annotation_items_state_check
        CHECK (state IN ('open', 'labelled', 'rejected', 'skipped')),
    ADD CONSTRAINT annotation_items_answered_by_check
        CHECK ((state = 'open') = (answered_by IS NULL));

CREATE INDEX annotation_items_queue_idx ON activesynth.annotation_items
    (campaign, iteration, fence, position, id) WHERE state = 'open';

CREATE INDEX annotation_items_kind_idx ON activesynth.annotation_items
    (campaign, iteration, fence, kind, position, id) WHERE state = 'open';

CREATE INDEX annotation_items_second_idx ON activesynth.annotation_items
    (campaign, iteration, position, id) WHERE awaits_second;

CREATE INDEX annotations_annotator_answered_at_idx
    ON activesynth.annotations (annotator, answered_at);

CREATE TABLE activesynth.annotation_claims (
    item text NOT NULL,
    annotator text NOT NULL,
    claimed_until timestamptz NOT NULL,
    PRIMARY KEY (item),
    CONSTRAINT annotation_claims_item_fkey
        FOREIGN KEY (item) REFERENCES activesynth.annotation_items (id)
);

CREATE INDEX annotation_claims_annotator_idx ON activesynth.annotation_claims (annotator);

CREATE INDEX annotation_claims_claimed_until_idx ON activesynth.annotation_claims (claimed_until);

CREATE TABLE activesynth.annotation_counts (
    campaign text NOT NULL,
    iteration integer NOT NULL,
    fence integer NOT NULL,
    state text NOT NULL,
    annotator text NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (campaign, iteration, fence, state, annotator),
    CONSTRAINT annotation_counts_campaign_iteration_fkey
        FOREIGN KEY (campaign, iteration) REFERENCES activesynth.iterations (campaign, number)
);

INSERT INTO activesynth.annotation_counts (campaign, iteration, fence, state, annotator, count)
SELECT campaign, iteration, fence, state, coalesce(answered_by, ''), count(*)
FROM activesynth.annotation_items
GROUP BY campaign, iteration, fence, state, answered_by;

CREATE TABLE activesynth.second_opinions (
    item text NOT NULL,
    annotator text NOT NULL,
    number integer NOT NULL,
    action text NOT NULL,
    label integer,
    given_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (item, annotator, number),
    CONSTRAINT second_opinions_item_fkey
        FOREIGN KEY (item) REFERENCES activesynth.annotation_items (id),
    CONSTRAINT second_opinions_action_check
        CHECK (action IN ('accept', 'reject', 'relabel', 'skip', 'undo')),
    CONSTRAINT second_opinions_label_check
        CHECK ((label IS NOT NULL) = (action IN ('accept', 'relabel')))
);

CREATE INDEX second_opinions_annotator_idx ON activesynth.second_opinions (annotator);
"""

DOWN = """
DROP TABLE activesynth.second_opinions;
DROP TABLE activesynth.annotation_counts;
DROP TABLE activesynth.annotation_claims;
DROP INDEX activesynth.annotations_annotator_answered_at_idx;
DROP INDEX activesynth.annotation_items_second_idx;
DROP INDEX activesynth.annotation_items_kind_idx;
DROP INDEX activesynth.annotation_items_queue_idx;
ALTER TABLE activesynth.annotation_items
    DROP COLUMN awaits_second,
    DROP COLUMN second,
    DROP COLUMN answered_by,
    DROP COLUMN state;
"""

COMMENTS: dict[str, dict[str, str]] = {
    "annotation_items": {
        "state": "open, or what the standing answer made of it: labelled, rejected or skipped",
        "answered_by": "Who gave the standing answer; empty while it is open",
        "second": "Whether a second person is asked too, without seeing the first answer",
        "awaits_second": "Whether a second opinion is asked for, may be given and is missing",
    },
    "annotation_claims": {
        "": "Who is looking at which item now; another gets it when the claim is over",
        "item": "The item; it has one holder at most",
        "annotator": "Who holds it",
        "claimed_until": "When the claim is over, by the clock of the database",
    },
    "annotation_counts": {
        "": "How many items stand how, kept up with every answer; told by annotation_items too",
        "campaign": "Campaign the row belongs to",
        "iteration": "Iteration the row belongs to, from 0",
        "fence": "Fence of the iteration under which the items were offered",
        "state": "open, labelled, rejected or skipped",
        "annotator": "Who gave the standing answers; empty text where they are open",
        "count": "Items",
    },
    "second_opinions": {
        "": "Answers of second people, given blind, appended, never used by the loop",
        "item": "Item that was answered",
        "annotator": "Who answered",
        "number": "Counts what this person said about the item, from 0; the newest counts",
        "action": "accept, reject, relabel, skip, or undo (takes the one before back)",
        "label": "Class index for accept and relabel",
        "given_at": "When it arrived",
    },
}
