"""What the server keeps: made once, within its bound, the oldest let go of first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from activesynth_airflow.web.kept import Kept


def test_a_value_is_made_once_however_many_ask_at_once() -> None:
    kept: Kept[int] = Kept(3)
    made: list[int] = []
    gate = threading.Barrier(8)

    def make() -> int:
        made.append(1)
        return len(made)

    def ask() -> int:
        gate.wait()
        return kept.get("key", make)

    with ThreadPoolExecutor(8) as pool:
        found = [turn.result() for turn in [pool.submit(ask) for _ in range(8)]]

    assert found == [1] * 8
    assert made == [1]


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept: Kept[str] = Kept(10, len)
    made: list[str] = []

    def make(text: str) -> str:
        made.append(text)
        return text

    for text in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"):
        assert kept.get(text, partial(make, text)) == text

    assert made == ["aaaa", "bbbb", "cccc", "bbbb"]


def test_one_value_that_is_too_heavy_is_kept_alone() -> None:
    kept: Kept[str] = Kept(3, len)

    kept.get("x", lambda: "x")
    kept.get("heavy", lambda: "heavy")

    assert kept.get("heavy", lambda: "made again") == "heavy"
    assert kept.get("x", lambda: "again") == "again"


def test_what_fails_is_not_kept() -> None:
    kept: Kept[int] = Kept(3)

    with pytest.raises(ZeroDivisionError):
        kept.get("key", lambda: 1 // 0)

    assert kept.get("key", lambda: 2) == 2
