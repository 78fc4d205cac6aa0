"""The table of revision 0012, with what it means: frozen."""

from __future__ import annotations

UP = """
CREATE TABLE activesynth.proposed_plans (
    campaign text NOT NULL,
    number integer NOT NULL,
    action text NOT NULL,
    amounts jsonb NOT NULL,
    rest text NOT NULL,
    reason text NOT NULL,
    proposed_by text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, number),
    CONSTRAINT proposed_plans_campaign_fkey FOREIGN KEY (campaign)
        REFERENCES activesynth.campaigns (name),
    CONSTRAINT proposed_plans_action_check CHECK (action IN ('propose', 'withdraw')),
    CONSTRAINT proposed_plans_rest_check CHECK (rest IN ('automatic', 'none'))
);
CREATE INDEX steps_proposal_idx ON activesynth.steps (campaign, iteration)
    WHERE facts -> 'proposal' IS NOT NULL;
CREATE INDEX metrics_fairness_idx ON activesynth.metrics (campaign, iteration)
    WHERE name IN ('demographic_parity_difference', 'equal_opportunity_difference');
"""
DOWN = """
DROP INDEX activesynth.metrics_fairness_idx;
DROP INDEX activesynth.steps_proposal_idx;
DROP TABLE activesynth.proposed_plans
"""

COMMENTS: dict[str, dict[str, str]] = {
    "proposed_plans": {
        "": "Plans that people propose for the next iteration, and withdrawals, append-only",
        "campaign": "Campaign the row belongs to",
        "number": "Counts a campaign's proposals and withdrawals from 1; the plan that used it "
        "names it in its facts",
        "action": "propose, or withdraw: what the row before it proposes",
        "amounts": "Synthetic rows by weakness id",
        "rest": "What is left of the budget is split as without a proposal (automatic) or not "
        "spent (none)",
        "reason": "Why, in the words of whoever asked",
        "proposed_by": "Who asked",
        "recorded_at": "When",
    },
}
