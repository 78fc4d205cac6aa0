"""Say whether the loop goes on, and start what follows."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from activesynth.domain.documents import WeaknessProfile
from activesynth.domain.effects import watched
from activesynth.domain.platform import Platform
from activesynth.domain.records import IterationRecord
from activesynth.errors import ConfigurationError, MissingArtifactError, TransientError
from activesynth.evaluation.convergence import has_converged
from activesynth.steps.begin import labels_bought
from activesynth.steps.turn import Turn, open_turn

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Continuation:
    """What comes after an iteration: a run key and its trigger parameters, or neither."""

    run_key: str | None
    conf: dict[str, object]
    reason: str


def decide(iteration_id: str, platform: Platform) -> Continuation:
    """Send what the outbox holds, and return the next run that the commit decided on.

    Events are hints: where nobody takes them they stay in the outbox, and the loop goes on.

    Raises:
        MissingArtifactError: If the iteration is not committed, as where somebody marked `promote`
            as done that did not run.
    """
    turn = open_turn(iteration_id, platform)
    if turn.record.state != "committed":
        raise MissingArtifactError(
            f"iteration {iteration_id} is not committed, so nothing follows from it; run its "
            "steps up to `promote` first."
        )
    send_events(platform, is_hint=True)
    return continuation(turn.record)


def continuation(record: IterationRecord) -> Continuation:
    """Return what the commit of an iteration decided should follow."""
    remaining = int(record.overrides.get("iterations", 1)) - 1
    conf: dict[str, object] = {
        **record.overrides,
        "campaign": record.ref.campaign,
        "iterations": max(1, remaining),
    }
    return Continuation(record.next_run, conf, record.reason or "")


def send_events(platform: Platform, *, is_hint: bool = False) -> int:
    """Deliver outbox events after their commit; return how many. Repeating it is harmless.

    The first failure ends the round, so events keep their order.

    Args:
        platform: Whose outbox is emptied.
        is_hint: Log what the receiver complains about and return, instead of raising it.

    Raises:
        TransientError: If the receiver is away.
        ConfigurationError: If it refuses an event.
    """
    sent = 0
    for event in platform.lineage.pending_events():
        try:
            with watched(platform.effects, "outbox.send", event.key):
                platform.sink.send(event)
        except (TransientError, ConfigurationError) as error:
            if not is_hint:
                raise
            logger.warning("%s `activesynth outbox send` tries it again.", error)
            break
        platform.lineage.mark_sent(event.key)
        sent += 1
    return sent


def next_run(turn: Turn) -> tuple[str | None, str]:
    """Return the next run's key, or None, and why, from what this iteration will commit."""
    number = turn.ref.number
    loop = turn.config.loop
    remaining = int(turn.record.overrides.get("iterations", 1)) - 1
    if remaining < 1:
        return None, "The iterations that were asked for are done"
    if number + 1 >= loop.max_iterations:
        return None, f"The campaign reached `loop.max_iterations` = {loop.max_iterations}"
    bought = labels_bought(turn.platform, turn.ref.campaign) + int(
        turn.step("integrate").facts["labels_bought"]
    )
    if bought + turn.config.selection.labels > loop.max_labels:
        return None, f"The next labels would exceed `loop.max_labels` = {loop.max_labels}"
    if has_converged(_uncertain_shares(turn), loop.min_reduction, loop.patience):
        return None, f"|U_tau| has not fallen for {loop.patience} iterations: converged"
    return f"{turn.ref.campaign}__it{number + 1}", "The next iteration follows"


def _uncertain_shares(turn: Turn) -> list[tuple[float, float, float]]:
    rows = turn.platform.reader.metrics(turn.ref.campaign)
    shares = sorted(
        (int(row["iteration"]), float(row["value"]), float(row["low"]), float(row["high"]))
        for row in rows
        if row["name"] == "uncertain_share" and int(row["iteration"]) < turn.ref.number
    )
    profile = turn.artifacts.document(turn.step("diagnose").artifacts["profile"], WeaknessProfile)
    now = (profile.uncertain_share, profile.uncertain_low, profile.uncertain_high)
    return [(value, low, high) for _, value, low, high in shares] + [now]
