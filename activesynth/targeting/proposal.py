"""A plan that a person proposed, fitted to what is weak now and to the budget there is now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from activesynth.domain.documents import Plan, PlanItem, Weakness
from activesynth.targeting.apportionment import largest_remainder
from activesynth.targeting.belief import History, believe


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is left of a proposal.

    Attributes:
        amounts: Rows by weakness id, of those that are open; together no more than the budget.
        dropped: Rows that were asked for weaknesses which are not open any more, by id.
        asked: Rows that were asked for the others, before they were cut to the budget.
    """

    amounts: Mapping[str, int]
    dropped: Mapping[str, int] = field(default_factory=dict)
    asked: int = 0

    @property
    def rows(self) -> int:
        """Return how many rows it spends."""
        return sum(self.amounts.values())


def fit_proposal(amounts: Mapping[str, int], weaknesses: Sequence[Weakness], budget: int) -> Fitted:
    """Leave out weaknesses that are not open, and cut the rest to the budget in proportion.

    Args:
        amounts: Rows by weakness id.
        weaknesses: Of the current profile, any state.
        budget: Number of synthetic samples, at least 0.

    Returns:
        What is left, in the order of the profile; cut by the method of largest remainders.
    """
    open_ids = [found.id for found in weaknesses if found.state != "closed"]
    kept = {name: amounts[name] for name in open_ids if name in amounts}
    dropped = {name: rows for name, rows in sorted(amounts.items()) if name not in kept}
    asked = sum(kept.values())
    if asked > budget:
        parts = largest_remainder(np.array(list(kept.values()), np.float64), budget)
        kept = dict(zip(kept, parts.tolist(), strict=True))
    return Fitted(kept, dropped, asked)


def proposed_plan(
    fitted: Fitted,
    number: int,
    weaknesses: Sequence[Weakness],
    automatic: Plan,
    history: History,
) -> Plan:
    """Return the plan of a proposal and of what is split automatically beside it.

    Args:
        fitted: What the proposal asks for.
        number: The proposal's number, for the evidence.
        weaknesses: Of the current profile.
        automatic: The plan for the other weaknesses, of what is left of the budget.
        history: (iteration, weakness id, measured benefit), any order.

    Returns:
        A plan whose budget is what both parts spend. It leaves out who gets nothing: no benefit
        is to be measured of data that was not made.
    """
    named = [found for found in weaknesses if found.id in fitted.amounts]
    belief = believe(named, history) if named else None
    items = tuple(
        PlanItem(
            weakness=found.id,
            count=fitted.amounts[found.id],
            expected_gain=0.0 if belief is None else float(belief.mean[k]),
            evidence=f"a person asked for it in proposal {number}"
            + ("" if fitted.rows == fitted.asked else ", cut in proportion to the budget"),
        )
        for k, found in enumerate(named)
    )
    return Plan(
        budget=fitted.rows + automatic.budget,
        labels=automatic.labels,
        is_uniform=automatic.is_uniform and not named,
        items=tuple(item for item in (*items, *automatic.items) if item.count),
    )


def proposal_facts(fitted: Fitted, number: int, plan: Plan, budget: int) -> dict[str, Any]:
    """Return what a plan's step keeps of the proposal: its number, and what was made of it.

    ``rows`` were spent as asked; ``dropped`` are those of weaknesses that are not open any more,
    ``cut`` those over the budget, and ``unspent`` what the plan leaves of it.
    """
    return {
        "number": number,
        "rows": fitted.rows,
        "dropped": dict(fitted.dropped),
        "cut": fitted.asked - fitted.rows,
        "unspent": budget - plan.budget,
    }
