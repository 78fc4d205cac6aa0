"""Open the platform inside a task, and tell Airflow which failures are worth a retry."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from activesynth.bootstrap import open_platform as open_ports
from activesynth.domain.platform import Platform
from activesynth.errors import ActiveSynthError, TransientError, WaitingForPeople

logger = logging.getLogger(__name__)
REPORT_SECONDS = 2.0


@contextmanager
def open_platform() -> Iterator[Platform]:
    """Give a task its platform.

    A :class:`TransientError` passes on, so Airflow retries. What needs a person (bad input, bad
    configuration, a lost race, corrupt bytes) fails the task at once, with reason code and message
    alone.
    """
    try:
        with open_ports(report=LogReport()) as platform:
            yield platform
    except (TransientError, WaitingForPeople) as error:
        raise error from None
    except ActiveSynthError as error:
        raise AirflowFailException(f"[{error.reason}] {error}") from None


class LogReport:
    """Writes progress into the task's log: step, done of total, rate, remaining time."""

    def __init__(self) -> None:
        """Start counting now."""
        self._started: dict[str, float] = {}
        self._last = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Log at most every two seconds, and the end of each piece of work."""
        now = time.monotonic()
        started = self._started.setdefault(what, now)
        if done < total and now - self._last < REPORT_SECONDS:
            return
        self._last = now
        seconds = now - started
        rate = done / seconds if seconds > 0 else 0.0
        left = (total - done) / rate if rate > 0 else 0.0
        logger.info(
            "progress step=%s done=%d total=%d rate=%.1f/s remaining=%.0fs",
            what,
            done,
            total,
            rate,
            left,
        )
        if done >= total:
            self._started.pop(what, None)
