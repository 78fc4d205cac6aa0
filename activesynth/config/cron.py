"""Schedules of five cron fields, checked where a person writes them and not where they fire."""

from __future__ import annotations

import re
from dataclasses import dataclass

PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ITEM = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([0-9]+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Field:
    """What one field may hold: its smallest and largest number, and names of numbers."""

    name: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field("weekday", 0, 7, {name: number for number, name in enumerate(_WEEKDAYS)}),
)


def check_schedule(text: str) -> str:
    """Return ``text`` if it is a schedule that occurs.

    Five fields (minute, hour, day of the month, month, weekday with Sunday 0 or 7), each ``*``, a
    number, a range ``a-b``, either of ``*`` and a range with a step ``/n``, or a list of these
    with commas; months and weekdays also by three letters. Or one of :data:`PRESETS`.

    Raises:
        ValueError: Naming the field, what was found and what fits. Stricter than most readers of
            cron: what differs between them (seconds, ``L``, ``#``, ranges that wrap) is refused.
    """
    if text in PRESETS:
        return text
    parts = re.findall(r"\S+", text, re.ASCII)
    if len(parts) != len(_FIELDS):
        raise ValueError(
            "a schedule has five cron fields (minute hour day month weekday, in UTC), as in "
            f"'0 2 * * *', or is one of {', '.join(PRESETS)}; this has {len(parts)}"
        )
    _, _, days, months, _ = (
        _values(part, field) for part, field in zip(parts, _FIELDS, strict=True)
    )
    # A weekday is enough on its own: cron joins it with the day of the month by "or".
    if "*" in parts[4].split(",") and not any(
        day <= _DAYS_OF_MONTH[month - 1] for day in days for month in months
    ):
        raise ValueError(f"no month of {parts[3]!r} has a day {parts[2]!r}: it would never run")
    return text


def _values(part: str, field: _Field) -> set[int]:
    """Return every number that a field stands for."""
    found: set[int] = set()
    for item in part.lower().split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"{item!r} is no {field.name}: {_allowed(field)}")
        first, last, step = match.groups()
        if step is not None and (not 1 <= int(step) <= field.high or (first and not last)):
            raise ValueError(
                f"{item!r} is no {field.name}: a step follows * or a range and is from 1 to "
                f"{field.high}"
            )
        low = field.low if first is None else _number(first, field)
        high = field.high if first is None else low if last is None else _number(last, field)
        if field.names and high == 0 and last is not None:
            high = 7  # A range may end on Sunday.
        if last is not None and not low < high:
            raise ValueError(
                f"{item!r} is no {field.name}: a range goes up; write two of them, with a comma"
            )
        found.update(range(low, high + 1, int(step or 1)))
    return found


def _number(word: str, field: _Field) -> int:
    number = int(word) if word.isdecimal() else field.names.get(word, -1)
    if not field.low <= number <= field.high:
        raise ValueError(f"{word!r} is no {field.name}: {_allowed(field)}")
    return number


def _allowed(field: _Field) -> str:
    names = f" or {' '.join(field.names)}" if field.names else ""
    return f"use * or {field.low} to {field.high}{names}, with - for ranges and / for steps"
