"""The rows that decide races: read under a lock, checked against the fence."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from activesynth.domain.records import IterationRef
from activesynth.errors import ConfigurationError, ConflictError
from activesynth.lineage.schema import campaigns, iterations

AnyRow = Row[Any]


def lock_campaign(connection: Connection, name: str) -> AnyRow:
    """Return the campaign's row, held until the transaction ends.

    Raises:
        ConfigurationError: If there is no such campaign; the message names those there are.
    """
    query = select(campaigns).where(campaigns.c.name == name).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        raise no_campaign(connection, name)
    return row


def no_campaign(connection: Connection, name: str) -> ConfigurationError:
    """Return the error for a name that was never registered."""
    names = connection.execute(select(campaigns.c.name).order_by(campaigns.c.name)).scalars()
    return ConfigurationError(
        f"no campaign {name!r} is registered; there are: {', '.join(names) or 'none'}.",
        reason="unknown_campaign",
        field="campaign",
    )


def lock_iteration(connection: Connection, ref: IterationRef) -> AnyRow:
    """Return the iteration's row, held until the transaction ends.

    Raises:
        ConfigurationError: If there is none.
        ConflictError: If it has been taken over under another fence.
    """
    query = (
        select(iterations)
        .where(iterations.c.campaign == ref.campaign, iterations.c.number == ref.number)
        .with_for_update(key_share=True)  # rows that point here may still be inserted
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise no_iteration(ref)
    check_fence(row, ref)
    return row


def refuse_replaced(connection: Connection, ref: IterationRef) -> None:
    """Refuse a holder whose iteration was taken over; one that was never opened passes."""
    query = select(iterations).where(
        iterations.c.campaign == ref.campaign, iterations.c.number == ref.number
    )
    row = connection.execute(query).one_or_none()
    if row is not None:
        check_fence(row, ref)


def no_iteration(ref: IterationRef) -> ConfigurationError:
    """Return the error for an iteration that was never opened."""
    return ConfigurationError(
        f"campaign {ref.campaign!r} has no iteration {ref.number}; `begin` opens iterations."
    )


def check_fence(row: AnyRow, ref: IterationRef) -> None:
    """Refuse a holder whose iteration was taken over."""
    if row.fence != ref.fence:
        raise ConflictError(
            f"iteration {ref.number} of campaign {ref.campaign!r} was taken over by run "
            f"{row.run_key!r} (fence {row.fence}, yours is {ref.fence}); stop this run.",
            reason="taken_over",
            field="iteration",
        )
