"""The tables, the column and the view of revision 0002, with what they mean: frozen."""

from __future__ import annotations

TABLES = """
CREATE TABLE activesynth.weakness_declarations (
    campaign text NOT NULL,
    number integer NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    reason text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, number),
    FOREIGN KEY (campaign)
        REFERENCES activesynth.campaigns (name),
    CONSTRAINT weakness_declarations_action_check CHECK (action IN ('declare', 'withdraw'))
);

CREATE TABLE activesynth.diagnoses (
    campaign text NOT NULL,
    run_key text NOT NULL,
    version text NOT NULL,
    model text NOT NULL,
    profile text NOT NULL,
    document jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, run_key),
    FOREIGN KEY (campaign)
        REFERENCES activesynth.campaigns (name),
    FOREIGN KEY (campaign, version)
        REFERENCES activesynth.dataset_versions (campaign, digest)
);

ALTER TABLE activesynth.weaknesses ADD COLUMN rank integer;
"""

_HISTORY = """
SELECT w.campaign, w.id AS weakness, w.iteration, w.kind, w.key, w.title, w.state, w.gap, w.low,
       w.high, w.n, w.p_value, w.confirmed, p.count AS planned, p.expected_gain, p.evidence,
       coalesce(s.accepted, 0) AS accepted, coalesce(s.rejected, 0) AS rejected,
       b.value AS benefit, b.low AS benefit_low, b.high AS benefit_high{more}
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
) b ON true
"""

HISTORY_BEFORE = "CREATE VIEW activesynth.weakness_history AS" + _HISTORY.format(more="")
HISTORY = "CREATE OR REPLACE VIEW activesynth.weakness_history AS" + _HISTORY.format(
    more=", w.rank"
)

_CAMPAIGN = "Campaign the row belongs to"
_RANK = "Place in the profile, 1 is to be looked at first; empty before ranks were kept"

COMMENTS: dict[str, dict[str, str]] = {
    "weakness_declarations": {
        "": "What people declared weak and took back; append-only, the latest action counts",
        "campaign": _CAMPAIGN,
        "number": "Counts the campaign's declarations and withdrawals, from 1",
        "action": "declare or withdraw",
        "target": "What is weak, <kind>:<key>, e.g. class:3 or corruption:blur@0.66",
        "reason": "Why, in the person's words",
        "recorded_at": "When it was said",
    },
    "diagnoses": {
        "": "Diagnoses of the head model made on demand, outside of any iteration",
        "campaign": _CAMPAIGN,
        "run_key": "Run that asked for it; asking again under the same key finds this row",
        "version": "Manifest digest of the dataset version whose guide was looked at",
        "model": "Digest of the diagnosed model's card",
        "profile": "Digest of the weakness profile in the object store",
        "document": "The weakness profile itself, weaknesses in the order of their rank",
        "recorded_at": "When it was made",
    },
    "weaknesses": {
        "rank": _RANK,
        "p_value": "One-sided, for gap > margin, after Holm's correction within the kind and an "
        "equal split over the kinds: comparable with the alpha of the whole profile",
    },
}

VIEW_COMMENTS = {"weakness_history": {"rank": _RANK}}
