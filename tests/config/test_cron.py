"""Schedules: what we accept, croniter (which Airflow asks) accepts too, with a next date."""

from __future__ import annotations

from datetime import datetime

import pytest
from croniter import croniter
from hypothesis import example, given
from hypothesis import strategies as st

from activesynth.config.cron import PRESETS, check_schedule

START = datetime(2026, 1, 1)
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def items(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    ranges = st.lists(numbers, min_size=2, max_size=2, unique=True).map(
        lambda pair: f"{min(pair)}-{max(pair)}"
    )
    stepped = st.builds("{}/{}".format, ranges | st.just("*"), st.integers(1, high))
    return st.just("*") | numbers.map(str) | ranges | stepped


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    return st.lists(items(low, high), min_size=1, max_size=3).map(",".join)


EXPRESSIONS = st.tuples(*(fields(*bounds) for bounds in BOUNDS)).map(" ".join)
ALMOST = st.text("0123456789*/-, ajnsuLW#?@\u00a0", max_size=16)


def has_next_date(text: str) -> bool:
    try:
        return bool(croniter(text, START).get_next(datetime))
    except ValueError:
        return False


@given(EXPRESSIONS)
@example("0 0 31 2 *")
@example("0 0 30 2 1")
@example("0 0 31 4,6,9,11 0-6")
@example("0 0 31 4,6,9,11 */2")
@example("0 0 31 4,6,9,11 1,*")
@example("0 0 29 2 *")
def test_well_formed_fields_are_accepted_exactly_when_they_occur(text: str) -> None:
    if has_next_date(text):
        assert check_schedule(text) == text
    else:
        with pytest.raises(ValueError, match="it would never run"):
            check_schedule(text)


@given(ALMOST.map(lambda text: f"0 2 {text} * *") | ALMOST.map(lambda text: f"0 2 * * {text}"))
@example("0 2 1-1 * *")
@example("0 2\u00a0* * * *")
def test_nothing_is_accepted_that_airflow_would_refuse(text: str) -> None:
    try:
        check_schedule(text)
    except ValueError:
        return

    assert has_next_date(text)


@pytest.mark.parametrize(
    "text",
    [*PRESETS, "0 2 * * *", "*/15 8-18 * * MON-FRI", "0 0 * jan,JUL sun", "0 0 * * fri-sun"],
)
def test_usual_schedules_are_accepted(text: str) -> None:
    assert check_schedule(text) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("every night", "five cron fields .* this has 2"),
        ("", "five cron fields .* this has 0"),
        ("0 0 2 * * *", "this has 6"),
        ("60 * * * *", "'60' is no minute: .*0 to 59"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day of the month"),
        ("0 0 * 13 *", "'13' is no month"),
        ("0 0 * mon *", "'mon' is no month: .*jan feb"),
        ("0 0 * * 8", "'8' is no weekday: .*sun mon"),
        ("0 22-2 * * *", "a range goes up"),
        ("1-1 * * * *", "a range goes up"),
        ("*/0 * * * *", "a step follows"),
        ("*/70 * * * *", "a step follows"),
        ("5/10 * * * *", "a step follows"),
        ("0 0 L * *", "'l' is no day"),
        ("0 0 * * 1#2", "'1#2' is no weekday"),
        ("0 0 , * *", "'' is no day"),
        ("-5 * * * *", "'-5' is no minute"),
        ("@fortnightly", "one of @hourly, @daily"),
    ],
)
def test_what_is_no_schedule_is_refused_with_its_field(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_schedule(text)
