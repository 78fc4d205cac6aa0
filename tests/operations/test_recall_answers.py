"""Which answers a recall of a person takes back, and in which versions each of them stands."""

from __future__ import annotations

from typing import Any

import pytest

from activesynth.domain.recalls import Answered, Interval, LinedVersion, RecallRecord, Selection
from activesynth.operations.recall_batch import Batch, intervals, taken


def answer(
    iteration: int, by: str, kind: Any = "recheck", action: Any = "relabel", **more: Any
) -> Answered:
    values: dict[str, Any] = {"proposed": 0, "label": 1, "shard": "s", "sample": "a"} | more
    return Answered(iteration=iteration, kind=kind, action=action, annotator=by, **values)


def line(*iterations: int | None) -> list[LinedVersion]:
    """Return versions v0, v1, ... that these iterations committed, None for a refresh or so."""
    at, found = -1, []
    for number, iteration in enumerate(iterations):
        at = max(at, -1 if iteration is None else iteration)
        found.append(LinedVersion(f"v{number}", iteration, "promoted", at))
    return found


@pytest.mark.parametrize(
    ("answers", "meant"),
    [
        ([(0, "ada")], [0]),
        ([(0, "ada"), (1, "ada")], [0, 1]),
        ([(0, "bob"), (1, "ada")], [1]),
        ([(0, "ada"), (1, "bob"), (2, "ada")], [2]),
        ([(0, "ada"), (1, "bob")], []),
        ([(0, "bob")], []),
    ],
)
def test_answers_are_taken_back_as_far_as_nobody_else_answered_after_them(
    answers: list[tuple[int, str]], meant: list[int]
) -> None:
    found = taken([answer(number, who) for number, who in answers], "ada")

    assert [one.iteration for one in found.get("a", ())] == meant


def test_a_question_that_was_skipped_is_no_answer() -> None:
    skipped = answer(1, "bob", action="skip", label=None)

    assert taken([answer(0, "ada"), skipped], "ada")["a"] == (answer(0, "ada"),)
    assert taken([skipped], None) == {}


def test_an_answer_stands_from_the_version_of_its_iteration_to_the_recall_of_it() -> None:
    versions = line(None, 0, None, 1, None, 2)
    batch = Batch(Selection(campaign="c", annotator="ada"), (), {"a": (answer(1, "ada"),)})
    record = RecallRecord("c", "v4", 1, {"annotator": "ada"}, "why", "eve", 2, {})

    assert intervals(batch, versions, []) == ([Interval("a", 3, 5)], [])
    assert intervals(batch, versions, [record]) == ([Interval("a", 3, 3)], [])


def test_a_recall_of_somebody_else_or_of_before_does_not_end_it() -> None:
    versions = line(None, 0, None, 1)
    batch = Batch(Selection(campaign="c", annotator="ada"), (), {"a": (answer(1, "ada"),)})
    before = RecallRecord("c", "v2", 1, {"annotator": "ada"}, "why", "eve", 1, {})
    other = RecallRecord("c", "v3", 1, {"annotator": "bob"}, "why", "eve", 2, {})

    assert intervals(batch, versions, [before, other]) == ([Interval("a", 3, 3)], [])


def test_a_row_that_was_taken_out_is_told_apart_and_what_changes_nothing_is_left_out() -> None:
    versions = line(None, 0, 1)
    given = {
        "out": (answer(0, "ada", action="reject", label=None, sample="out"),),
        "same": (answer(0, "ada", action="accept", label=0, sample="same"),),
    }
    batch = Batch(Selection(campaign="c", annotator="ada"), (), given)

    assert intervals(batch, versions, []) == ([], [Interval("out", 1, 2)])
