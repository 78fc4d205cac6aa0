from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from activesynth.cli.output import cell, print_rows


def test_no_rows_as_json_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], as_json=True, empty="nothing there.")

    assert json.loads(capsys.readouterr().out) == []


def test_no_rows_as_a_table_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], as_json=False, empty="nothing there.")

    assert capsys.readouterr().out == "nothing there.\n"


def test_json_carries_times_and_digests_whole(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"head": "a" * 64, "at": datetime(2026, 1, 2, tzinfo=UTC), "low": None, "n": 3}

    print_rows([row], as_json=True, empty="")

    assert json.loads(capsys.readouterr().out) == [
        {"head": "a" * 64, "at": "2026-01-02T00:00:00+00:00", "low": None, "n": 3}
    ]


def test_a_table_shows_markup_and_control_characters_as_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows([{"title": "[red]x[/red]\x1b[2J"}], as_json=False, empty="")

    shown = capsys.readouterr().out
    assert "[red]x[/red]" in shown
    assert "\x1b" not in shown


def test_cells_are_short() -> None:
    assert cell(None) == ""
    assert cell(0.123456) == "0.1235"
    assert cell("ab" * 32) == "abababababab"
    assert cell({"b": 2.0, "a": 1}) == "a=1, b=2"
