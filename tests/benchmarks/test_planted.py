"""The acceptance of diagnosis, short: what is planted comes first, and nothing comes of nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from activesynth.diagnosis.evidence import Evidence
from activesynth.nn.numerics import fix_threads
from benchmarks.database import temporary_platform
from benchmarks.planted.closures import follow
from benchmarks.planted.data import Pictures, digits, fitted, rows_of, split
from benchmarks.planted.lives import life
from benchmarks.planted.looking import look, surroundings
from benchmarks.planted.null import over_all_rows, reported, within_class
from benchmarks.planted.search import KINDS, search
from benchmarks.planted.worlds import (
    BLIND,
    World,
    campaign_on,
    clustered,
    corrupted,
    grouped,
    mislabelled,
)

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


def small(world: World) -> World:
    """Return the world, as harsh as can be, for a model that learns for a moment only."""
    brief = {"width": 8, "members": 2, "steps": 20, "pretrain_steps": 10, "device": "cpu"}
    harsh = {**world.sections["diagnosis"], "severities": [1.0]}
    sections = {"trainer": {"name": "cnn", "parameters": brief}, "diagnosis": harsh}
    return replace(world, sections={**world.sections, **sections})


def test_the_loop_is_followed_from_the_first_diagnosis_until_it_closes_or_ends() -> None:
    rotation = 0
    world = small(corrupted(digits(), rotation))

    with temporary_platform() as (platform, folder):
        course = follow(world, "targeted", rotation, platform, folder, turns=1)
        committed = platform.reader.weaknesses("corruption-targeted-0")

    assert course.followed == "corruption:rotation"
    assert course.states in (("open", "open"), ("open", "closed"))
    reported = [row for row in committed if row["weakness"] == course.followed]
    assert reported[0]["gap"] == course.gaps[0] > 0.05


def test_labels_are_wrong_in_the_planted_class_of_train_and_right_wherever_it_is_judged(
    tmp_path: Path,
) -> None:
    world = mislabelled(digits(), 0)
    config = campaign_on(world, "labels", 0, tmp_path, {})

    assert config.sampling.label_noise.classes == ("even",)
    with np.load(config.source.parameters["path"], allow_pickle=False) as archive:
        assert (archive["y"] == digits().y % 2).all()


@pytest.mark.parametrize("plant", [clustered, grouped])
def test_few_pictures_have_the_rare_look_and_the_control_is_blind_to_it(
    plant: Callable[[Pictures, int], World], tmp_path: Path
) -> None:
    world = plant(digits(), 0)
    blind = campaign_on(world, "blind", 0, tmp_path, BLIND)

    changed = (world.pictures.x != digits().x).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(0.12, abs=0.03)
    assert (blind.selection.strategy, blind.selection.retrieve) == ("random", 0.0)
    assert blind.plan.everywhere == 1.0
