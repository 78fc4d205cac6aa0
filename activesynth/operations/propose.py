"""Plans that people propose for the next iteration: checked against it, then kept for good."""

from __future__ import annotations

from activesynth.config.proposal import PlanProposal
from activesynth.domain.platform import Platform
from activesynth.domain.proposals import ProposedPlan
from activesynth.errors import ConfigurationError
from activesynth.operations.next_plan import next_plan

MAX_REASON = 500


def propose(
    campaign: str, proposal: PlanProposal, platform: Platform, *, proposed_by: str
) -> ProposedPlan:
    """Keep a proposal for the campaign's next plan; return what stands, as it may have before.

    It takes the place of a proposal that stands. An iteration that has planned already keeps the
    plan it has.

    Raises:
        ConfigurationError: If a weakness is not open, the rows are more than the budget, nothing
            would be made at all, or the reason is empty.
    """
    _check_reason(proposal.reason)
    amounts = next_plan(campaign, platform).named(proposal.amounts)
    if not sum(amounts.values()) and proposal.rest == "none":
        raise ConfigurationError(
            "the amounts are 0 rows together and the rest is not spent, so nothing would be made; "
            "ask for a row, or let the rest be automatic.",
            reason="bad_value",
            field="amounts",
        )
    return platform.lineage.propose_plan(
        campaign, amounts, proposal.rest, proposal.reason.strip(), proposed_by
    )


def withdraw(campaign: str, reason: str, platform: Platform, *, withdrawn_by: str) -> ProposedPlan:
    """Take back the proposal that stands; both stay on record.

    Raises:
        ConfigurationError: If none stands, or the reason is empty or too long.
    """
    _check_reason(reason)
    taken = platform.lineage.withdraw_plan(campaign, reason.strip(), withdrawn_by)
    if taken is None:
        raise ConfigurationError(
            f"no proposed plan stands for campaign {campaign!r}: there was none, or it is used or "
            f"withdrawn already; `activesynth plan show {campaign}` tells.",
            reason="no_proposal",
            field="campaign",
        )
    return taken


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MAX_REASON:
        raise ConfigurationError(
            f"the reason has {len(reason.strip())} characters; say why in 1 to {MAX_REASON}.",
            reason="bad_value",
            field="reason",
        )
