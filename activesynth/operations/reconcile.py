"""Find what a lost event, a lost trigger or a dead worker left, and say what finishes it.

What an orchestrator alone knows, whether a run is there and goes on, is asked of it by a function.
Only runs that the orchestrator has seen are touched: an iteration that somebody drives without
it, by the command line, belongs to that person.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from activesynth.domain.platform import Platform
from activesynth.domain.records import IterationRecord
from activesynth.errors import ConflictError
from activesynth.steps.decide import Continuation, continuation, send_events

logger = logging.getLogger(__name__)

RunState = Literal["unknown", "active", "ended"]
"""What an orchestrator says of a run: never seen or deleted, queued or running, over."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was done: events that left, iterations given up, and runs that have to be started."""

    events: int
    released: tuple[str, ...]
    to_start: tuple[Continuation, ...]


def reconcile(state_of: Callable[[str], RunState], platform: Platform) -> Reconciled:
    """Send waiting events, give up iterations whose run is over, and name lost successors.

    Repeating it changes nothing more; two at once do no harm, for a run is started once under its
    id and an iteration is given up under its fence.

    Args:
        state_of: Tells the state of a run by its key.
        platform: The ports.
    """
    # Events are hints: a receiver that is away must not keep runs from being started.
    events = send_events(platform, is_hint=True)
    released: list[str] = []
    to_start: list[Continuation] = []
    for record in platform.lineage.last_iterations():
        if record.state in ("open", "waiting"):
            if state_of(record.run_key) == "ended" and _give_up(record, platform):
                released.append(str(record.ref))
        elif record.next_run is not None and _is_lost(record, record.next_run, state_of):
            to_start.append(continuation(record))
    return Reconciled(events, tuple(released), tuple(to_start))


def _is_lost(record: IterationRecord, next_run: str, state_of: Callable[[str], RunState]) -> bool:
    """Tell whether the trigger of the next run was lost: this run is over, that one not there."""
    return (
        record.state == "committed"
        and state_of(record.run_key) == "ended"
        and state_of(next_run) == "unknown"
    )


def _give_up(record: IterationRecord, platform: Platform) -> bool:
    try:
        platform.lineage.fail_iteration(record.ref, "its run ended without a commit")
    except ConflictError as error:  # another run has taken it over meanwhile
        logger.info("iteration %s is left alone: %s", record.ref, error)
        return False
    return True
