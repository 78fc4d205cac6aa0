"""Sending what was committed to the outside, after the commit."""

from __future__ import annotations

from activesynth.domain.effects import watched
from activesynth.domain.platform import Platform


def dispatch(platform: Platform) -> int:
    """Send every pending event, oldest first, and return how many left.

    An event that is sent but not marked is sent again, under the same key; the sink makes that
    harmless. The first failure ends the round, so that events keep their order.

    Raises:
        TransientError: If the sink or the database did not answer.
    """
    events = platform.lineage.pending_events()
    for event in events:
        with watched(platform.effects, "outbox.send", event.key):
            platform.sink.send(event)
        platform.lineage.mark_sent(event.key)
    return len(events)
