"""What a row for each weakness costs in seconds: measured, attributed and averaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from activesynth.errors import InputError
from activesynth.targeting.belief import DISCOUNT

PRIOR_ROWS = 10.0  # a weakness with fewer rows behind its cost is believed to cost like the others
IGNORED = 1.3  # within this factor costs differ on a busy machine by themselves


@dataclass(frozen=True, slots=True)
class CostRow:
    """What was spent on a weakness in an iteration: ``rows`` planned, at least 1, and seconds."""

    iteration: int
    weakness: str
    rows: int
    seconds: float


def attribute_seconds(
    planned: Mapping[str, int], transformed: Iterable[str], *, making: float, screening: float
) -> dict[str, float]:
    """Split the seconds of an iteration over the rows of its plan, at the margin.

    Every row of the plan brings a row of the control along, which is always invented. A row that
    is invented itself therefore costs twice what the generator takes for one; a transformed real
    row (a corruption, which takes the generator nothing worth measuring) costs it once. Both are
    screened like their control. What does not grow with the plan, fitting above all, is no part.

    Args:
        planned: Rows by weakness id.
        transformed: The ids whose rows are transformed real ones.
        making: Seconds that generating took, at least 0.
        screening: Seconds that screening took, at least 0.

    Returns:
        Seconds by weakness id, for those with rows; they sum to ``making + screening``.

    Raises:
        InputError: If seconds are negative.
    """
    if making < 0.0 or screening < 0.0:
        raise InputError(
            f"seconds cannot be negative, got {making:g} for making and {screening:g} for "
            "screening; check the clock of the machine that ran the iteration.",
            reason="seconds",
        )
    copied = set(transformed)
    total = sum(planned.values())
    invented = {name: rows * (1 if name in copied else 2) for name, rows in planned.items()}
    made = sum(invented.values())
    return {
        name: making * invented[name] / made + screening * rows / total
        for name, rows in planned.items()
        if rows
    }


def seconds_per_row(weaknesses: Sequence[str], history: Sequence[CostRow]) -> dict[str, float]:
    """Return what a row for each weakness is believed to cost.

    A discounted mean over iterations, by rows, shrunk towards the mean over all weaknesses by ten
    pseudo-rows: a weakness that is new costs what the others cost. Then its ratio to that mean is
    moved towards 1 by a factor of 1.3 at most: to follow what is only noise costs more than to
    ignore a small difference.

    Args:
        weaknesses: Ids.
        history: Costs of past iterations, any order.

    Returns:
        Seconds by id, positive; empty where nothing was measured or everything took no time.
    """
    newest = max((row.iteration for row in history), default=0)
    rows_of: dict[str, float] = {}
    seconds_of: dict[str, float] = {}
    for row in history:
        weight = DISCOUNT ** (newest - row.iteration)
        rows_of[row.weakness] = rows_of.get(row.weakness, 0.0) + weight * row.rows
        seconds_of[row.weakness] = seconds_of.get(row.weakness, 0.0) + weight * row.seconds
    rows, seconds = sum(rows_of.values()), sum(seconds_of.values())
    if not seconds > 0.0:
        return {}
    mean = seconds / rows
    found = {}
    for name in weaknesses:
        here, behind = seconds_of.get(name, 0.0), rows_of.get(name, 0.0)
        ratio = (here / mean + PRIOR_ROWS) / (behind + PRIOR_ROWS)
        found[name] = mean * (max(1.0, ratio / IGNORED) if ratio > 1 else min(1.0, ratio * IGNORED))
    return found
