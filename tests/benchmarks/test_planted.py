"""The acceptance of diagnosis, short: what is planted comes first, and nothing comes of nothing."""

from __future__ import annotations

from functools import cache

import pytest

from activesynth.diagnosis.evidence import Evidence
from activesynth.nn.numerics import fix_threads
from benchmarks.planted.data import Pictures, digits, fitted, rows_of, split
from benchmarks.planted.lives import life
from benchmarks.planted.looking import look, surroundings
from benchmarks.planted.null import over_all_rows, reported, within_class
from benchmarks.planted.search import KINDS, search

RUNS = 20


@pytest.fixture(autouse=True)
def one_thread() -> None:
    fix_threads(1)


@cache
def looked_at() -> tuple[Evidence, Pictures]:
    pictures = digits()
    parts = split(pictures, 0)
    train, guide = rows_of(pictures, parts.train), rows_of(pictures, parts.guide)
    around = surroundings(train.x, train.x[:0], guide.x, 0)
    return look(fitted(train, 0, rows=len(train.y)), guide, around, 0), guide


def test_what_is_planted_is_the_first_weakness() -> None:
    found = dict(search(digits(), KINDS, 0))

    assert {kind for kind, outcome in found.items() if not outcome.is_first} == set()
    assert list(found) == list(KINDS)


def test_where_nothing_is_weak_hardly_anything_is_reported() -> None:
    evidence, guide = looked_at()

    within = reported(evidence, guide.classes, within_class, range(RUNS), 0.05)
    anywhere = reported(evidence, guide.classes, over_all_rows, range(RUNS), 0.0)

    # Of 20 runs with an error of 5 % each, more than 3 report in under 1.6 % of all cases.
    assert sum(map(bool, within)) <= 3
    assert sum(map(bool, anywhere)) <= 3


def test_a_planted_weakness_closes_when_it_is_healed_and_regresses_when_it_is_back() -> None:
    assert life(digits(), 0) == ["open", "closed", "not reported", "regressed"]
