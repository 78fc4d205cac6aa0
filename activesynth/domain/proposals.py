"""Plans that people propose for the next iteration: what is kept of them, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Rest = Literal["automatic", "none"]


@dataclass(frozen=True, slots=True)
class ProposedPlan:
    """How many synthetic rows a person wants for which weakness.

    Attributes:
        number: Counts a campaign's proposals and withdrawals from 1.
        amounts: Rows by weakness id.
        rest: Whether what is left of the budget is split as without a proposal, or not spent.
        reason: Why.
        proposed_by: Who asked.
    """

    number: int
    amounts: Mapping[str, int]
    rest: Rest
    reason: str
    proposed_by: str


class ProposalStore(Protocol):
    """A part of :class:`activesynth.domain.ports.LineageStore`."""

    def propose_plan(
        self, campaign: str, amounts: Mapping[str, int], rest: Rest, reason: str, proposed_by: str
    ) -> ProposedPlan:
        """Append a proposal, which takes the place of one that stands; return what stands now.

        Where the same amounts stand already, nothing is appended.

        Raises:
            ConfigurationError: If there is no such campaign.
        """
        ...

    def withdraw_plan(self, campaign: str, reason: str, withdrawn_by: str) -> ProposedPlan | None:
        """Append that the standing proposal is withdrawn and return it; None where none stands."""
        ...

    def standing_plan(self, campaign: str) -> ProposedPlan | None:
        """Return the proposal that is neither withdrawn nor used by a committed iteration."""
        ...

    def proposed_plan(self, campaign: str, number: int) -> ProposedPlan:
        """Return a proposal by its number, whatever became of it.

        Raises:
            ConfigurationError: If there is none.
        """
        ...


class ProposalReader(Protocol):
    """A part of :class:`activesynth.domain.ports.LineageReader`."""

    def proposed_plans(self, campaign: str) -> list[dict[str, Any]]:
        """Return the newest 50 proposals, newest first, with what became of each.

        ``state`` is ``standing``, ``used``, ``withdrawn`` or ``replaced``; ``used_in`` is the
        committed iteration that used it.
        """
        ...

    def last_weaknesses(self, campaign: str) -> list[dict[str, Any]]:
        """Return the weaknesses of the newest committed iteration by rank, with planned rows."""
        ...

    def plan_seconds(self, campaign: str) -> list[dict[str, Any]]:
        """Return what the last 10 committed iterations planned, with the seconds they took.

        One row per iteration and weakness: its ``rows``, ``kind`` and ``key``, and the ``making``
        and ``screening`` seconds of the whole iteration. Iterations that reused results of earlier
        ones are left out: nothing was measured in them.
        """
        ...
