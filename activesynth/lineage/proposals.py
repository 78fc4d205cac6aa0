"""Proposed plans as rows: appended one after the other, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, text

from activesynth.domain.proposals import ProposedPlan, Rest
from activesynth.errors import ConfigurationError
from activesynth.lineage.engine import Database
from activesynth.lineage.locks import AnyRow, lock_campaign
from activesynth.lineage.plain import plain_numbers
from activesynth.lineage.proposal_schema import proposed_plans

# A plan names the proposal that it was made by in the facts of its step.
_USED = """
    SELECT (s.facts #>> '{proposal,number}')::integer AS number, min(s.iteration) AS iteration
    FROM activesynth.steps s
    JOIN activesynth.iterations i
      ON i.campaign = s.campaign AND i.number = s.iteration AND i.state = 'committed'
    WHERE s.campaign = :campaign AND s.name = 'plan' AND s.shard = 0
      AND s.facts -> 'proposal' IS NOT NULL
    GROUP BY 1
"""
# `withdraw` stands right behind what it withdraws, and a proposal behind what it replaces.
PROPOSED = f"""
    WITH used AS ({_USED}), rows AS (
        SELECT *, lead(action) OVER (ORDER BY number) AS following
        FROM activesynth.proposed_plans WHERE campaign = :campaign
    )
    SELECT r.number, r.amounts, r.rest, r.reason, r.proposed_by, r.recorded_at,
           u.iteration AS used_in,
           CASE WHEN u.iteration IS NOT NULL THEN 'used'
                WHEN r.following = 'withdraw' THEN 'withdrawn'
                WHEN r.following = 'propose' THEN 'replaced'
                ELSE 'standing' END AS state
    FROM rows r LEFT JOIN used u ON u.number = r.number
    WHERE r.action = 'propose'
    ORDER BY r.number DESC LIMIT 50
"""  # noqa: S608 - no text of anybody's is in it
LAST_WEAKNESSES = """
    SELECT w.id AS weakness, w.iteration, w.kind, w.key, w.title, w.state, w.gap, w.low, w.high,
           w.n, w.rank, p.count AS planned
    FROM activesynth.weaknesses w
    LEFT JOIN activesynth.plans p
      ON p.campaign = w.campaign AND p.iteration = w.iteration AND p.weakness = w.id
    WHERE w.campaign = :campaign AND w.iteration = (
        SELECT max(number) FROM activesynth.iterations
        WHERE campaign = :campaign AND state = 'committed')
    ORDER BY w.rank, w.id
"""
PLAN_SECONDS = """
    WITH measured AS (
        SELECT s.iteration,
               sum(s.seconds) FILTER (WHERE s.name = 'generate') AS making,
               sum(s.seconds) FILTER (WHERE s.name = 'screen') AS screening
        FROM activesynth.steps s
        JOIN activesynth.iterations i
          ON i.campaign = s.campaign AND i.number = s.iteration AND i.state = 'committed'
        WHERE s.campaign = :campaign AND s.name IN ('generate', 'screen') AND s.iteration >= (
            SELECT max(number) - 9 FROM activesynth.iterations
            WHERE campaign = :campaign AND state = 'committed')
        GROUP BY s.iteration HAVING NOT bool_or(s.is_reused)
    )
    SELECT p.iteration, p.weakness, p.count AS rows, w.kind, w.key, m.making, m.screening
    FROM measured m
    JOIN activesynth.plans p ON p.campaign = :campaign AND p.iteration = m.iteration
    LEFT JOIN activesynth.weaknesses w
      ON w.campaign = p.campaign AND w.iteration = p.iteration AND w.id = p.weakness
    WHERE m.making IS NOT NULL AND m.screening IS NOT NULL
    ORDER BY p.iteration, p.weakness
"""


class ProposalRows:
    """Implements :class:`activesynth.domain.proposals.ProposalStore`."""

    _database: Database

    def propose_plan(
        self, campaign: str, amounts: Mapping[str, int], rest: Rest, reason: str, proposed_by: str
    ) -> ProposedPlan:
        """Append a proposal unless the same one stands; return what stands now."""
        with self._database.writing(f"propose_plan:{campaign}") as connection:
            lock_campaign(connection, campaign)
            stands = _standing(connection, campaign)
            same = (dict(amounts), rest, reason, proposed_by)
            if stands is not None and same == (
                *(dict(stands.amounts), stands.rest, stands.reason, stands.proposed_by),
            ):
                return stands
            asked = {"amounts": dict(amounts), "rest": rest}
            return _append(connection, campaign, "propose", asked, reason, proposed_by)

    def withdraw_plan(self, campaign: str, reason: str, withdrawn_by: str) -> ProposedPlan | None:
        """Append that the standing proposal is withdrawn and return it; None where none stands."""
        with self._database.writing(f"withdraw_plan:{campaign}") as connection:
            lock_campaign(connection, campaign)
            stands = _standing(connection, campaign)
            if stands is not None:
                asked = {"amounts": dict(stands.amounts), "rest": stands.rest}
                _append(connection, campaign, "withdraw", asked, reason, withdrawn_by)
            return stands

    def standing_plan(self, campaign: str) -> ProposedPlan | None:
        """Return the proposal that is neither withdrawn nor used by a committed iteration."""
        with self._database.reading() as connection:
            return _standing(connection, campaign)

    def proposed_plan(self, campaign: str, number: int) -> ProposedPlan:
        """Return a proposal by its number, whatever became of it."""
        query = select(proposed_plans).where(
            proposed_plans.c.campaign == campaign,
            proposed_plans.c.number == number,
            proposed_plans.c.action == "propose",
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise ConfigurationError(
                f"campaign {campaign!r} has no proposed plan {number}; `activesynth plan show "
                f"{campaign}` lists those there are."
            )
        return _plan(row)


class ProposalList:
    """Implements :class:`activesynth.domain.proposals.ProposalReader`."""

    _database: Database

    def proposed_plans(self, campaign: str) -> list[dict[str, Any]]:
        """Return the newest 50 proposals, newest first, with what became of each."""
        return self._listed(PROPOSED, campaign)

    def last_weaknesses(self, campaign: str) -> list[dict[str, Any]]:
        """Return the weaknesses of the newest committed iteration by rank, with planned rows."""
        return self._listed(LAST_WEAKNESSES, campaign)

    def plan_seconds(self, campaign: str) -> list[dict[str, Any]]:
        """Return what the last 10 committed iterations planned, with the seconds they took."""
        return self._listed(PLAN_SECONDS, campaign)

    def _listed(self, query: str, campaign: str) -> list[dict[str, Any]]:
        with self._database.reading() as connection:
            found = connection.execute(text(query), {"campaign": campaign}).mappings()
            return [plain_numbers(row) for row in found]


def _standing(connection: Connection, campaign: str) -> ProposedPlan | None:
    own = proposed_plans.c.campaign == campaign
    last = select(proposed_plans).where(own).order_by(proposed_plans.c.number.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    if row is None or row.action == "withdraw":
        return None
    used = connection.execute(text(_USED), {"campaign": campaign})
    return None if row.number in {found.number for found in used} else _plan(row)


def _append(
    connection: Connection,
    campaign: str,
    action: str,
    asked: Mapping[str, Any],
    reason: str,
    by: str,
) -> ProposedPlan:
    own = proposed_plans.c.campaign == campaign
    last = select(proposed_plans.c.number).where(own).order_by(proposed_plans.c.number.desc())
    number = (connection.execute(last.limit(1)).scalar_one_or_none() or 0) + 1
    values = {"campaign": campaign, "number": number, "action": action, "reason": reason}
    added = insert(proposed_plans).values({**values, **asked, "proposed_by": by})
    return _plan(connection.execute(added.returning(proposed_plans)).one())


def _plan(row: AnyRow) -> ProposedPlan:
    return ProposedPlan(row.number, dict(row.amounts), row.rest, row.reason, row.proposed_by)
