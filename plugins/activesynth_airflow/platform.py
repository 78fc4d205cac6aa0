"""Open the platform inside a task, and tell Airflow which failures are worth a retry."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.log import mask_secret
from structlog.contextvars import bind_contextvars

from activesynth.bootstrap import open_platform as open_ports
from activesynth.config.redaction import guard, redacted
from activesynth.domain.platform import Platform
from activesynth.domain.termination import REASON as TERMINATED
from activesynth.domain.termination import Terminated, ending_when_asked
from activesynth.domain.work import Work, tell_work_to
from activesynth.errors import ActiveSynthError, TransientError, WaitingForPeople

logger = logging.getLogger(__name__)
REPORT_SECONDS = 2.0


@contextmanager
def open_platform() -> Iterator[Platform]:
    """Give a task its platform.

    A :class:`TransientError` passes on, so Airflow retries. What needs a person (bad input, bad
    configuration, a lost race, corrupt bytes) fails the task at once, with reason code and message
    alone. Secrets are hidden in the task's log, and its lines carry run, campaign, iteration and
    step.
    """
    _guard_task()
    try:
        with ending_when_asked(), open_ports(report=LogReport()) as platform:
            yield platform
    except Terminated:
        raise TransientError(
            "the task was told to end (SIGTERM: its worker stops, or somebody marked or cleared "
            "it); what it held is released, and another try goes on from the last recorded step.",
            reason=TERMINATED,
        ) from None
    except (TransientError, WaitingForPeople) as error:
        raise error from None
    except ActiveSynthError as error:
        raise AirflowFailException(f"[{error.reason}] {error}") from None


def _guard_task() -> None:
    """Hide our secrets, by Airflow's own means too: its supervisor writes tracebacks down."""
    guard()
    for secret in redacted.known:
        mask_secret(secret)
    tell_work_to(_bind)


def _bind(work: Work) -> None:
    bind_contextvars(**{name: value for name, value in work.fields().items() if value})


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
