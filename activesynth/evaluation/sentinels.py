"""Alarms about the data: what raises one, what it says, and what it means for a promotion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from activesynth.domain.records import MetricRow
from activesynth.statistics.intervals import Interval
from activesynth.statistics.means import difference

SAID = {
    "tail_mass": "synthetic rows hold less of the classes' tails than in the first iteration",
    "generator_drift": "fewer of the generator's rows lie among real ones than at first",
    "verifier_drift": "the verifier is right less often on guide than at first",
    "bias_amplification": "synthetic rows neglect rare classes or clusters",
    "synthetic_overfitting": "the model learns the generator (nats) and is no better on real rows",
    "split_leaks": "real rows that were added resemble guarded rows (how many)",
    "guarded_copies": "synthetic rows that were added resemble guarded rows (share)",
    "test_reads": "the test split was read too often to be called unseen (times)",
}
"""What each sentinel says when it raises its alarm."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What one sentinel measured.

    Attributes:
        name: One of :data:`SAID`.
        measured: The number with its interval where it has one; None where too few rows, or no
            earlier iteration, allow none.
        limit: Beyond it the alarm is raised.
        is_raised: Whether it is.
        blocks: Whether it refuses a promotion when raised, or only warns.
    """

    name: str
    measured: Interval | None
    limit: float
    is_raised: bool
    blocks: bool

    def __str__(self) -> str:
        """Say it in a sentence for people."""
        if self.measured is None:
            return f"{self.name}: not measured"
        text = f"{self.measured.value:.3g}"
        if self.measured.low < self.measured.high:
            text += f" [{self.measured.low:.3g}, {self.measured.high:.3g}]"
        return f"{self.name}: {SAID[self.name]}: {text}, limit {self.limit:.3g}"


def watch_fall(
    name: str, first: Interval | None, now: Interval | None, *, limit: float, blocks: bool
) -> Alarm:
    """Raise an alarm where a number fell by more than ``limit``, its whole 95 % interval.

    Args:
        name: One of :data:`SAID`.
        first: The number in the campaign's first iteration; None where there is none yet.
        now: The number now; None where it is not estimable.
        limit: The fall that is still acceptable, in units of the number.
        blocks: Whether a raised alarm refuses a promotion.
    """
    if first is None or now is None:
        return Alarm(name, None, limit, is_raised=False, blocks=blocks)
    fall = difference(first, now)
    return Alarm(name, fall, limit, fall.low > limit, blocks)


def watch_share(name: str, share: Interval, *, limit: float, blocks: bool) -> Alarm:
    """Raise an alarm where a share exceeds ``limit`` with its whole 95 % interval."""
    return Alarm(name, share if share.n else None, limit, share.low > limit, blocks)


def watch_count(name: str, count: int, *, limit: int, blocks: bool) -> Alarm:
    """Raise an alarm where more was counted than ``limit``."""
    exact = Interval(float(count), float(count), float(count), count)
    return Alarm(name, exact, float(limit), count > limit, blocks)


def alarm_rows(alarm: Alarm) -> list[MetricRow]:
    """Return an alarm as metrics of the slice ``sentinel:<name>``; what was not measured is left.

    ``alarm`` is 1 where it is raised and 0 elsewhere, ``alarm_blocks`` 1 where that refuses a
    promotion, ``alarm_value`` and ``alarm_limit`` are what was compared.
    """
    part, found = f"sentinel:{alarm.name}", alarm.measured
    n = 0 if found is None else found.n
    values = {
        "alarm": float(alarm.is_raised),
        "alarm_blocks": float(alarm.blocks),
        "alarm_limit": alarm.limit,
    }
    rows = [
        MetricRow("base", "sentinels", part, name, value, n=n) for name, value in values.items()
    ]
    if found is not None:
        rows.append(
            MetricRow(
                "base", "sentinels", part, "alarm_value", found.value, found.low, found.high, n
            )
        )
    return rows


def heed(alarms: Sequence[Alarm], is_promoted: bool, reason: str) -> tuple[bool, str]:
    """Add raised alarms to the gate's decision and its reason.

    Returns:
        Whether the iteration is promoted after all, and why: a raised alarm that blocks refuses
        it, one that only warns is named after the reason.
    """
    raised = [alarm for alarm in alarms if alarm.is_raised]
    blocking = "; ".join(str(alarm) for alarm in raised if alarm.blocks)
    warning = "; ".join(str(alarm) for alarm in raised if not alarm.blocks)
    if blocking:
        reason = f"refused: alarm that `sentinels.blocking` names: {blocking}; {reason}"
    if warning:
        reason = f"{reason.rstrip('.')}. Alarm that only warns: {warning}"
    return is_promoted and not blocking, reason
