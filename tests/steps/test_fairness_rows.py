"""A campaign that names an attribute has the fairness of every arm on record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    equal_opportunity_difference,
    true_positive_rate,
)

from activesynth.domain.canonical import decode_arrays
from activesynth.domain.dataset_access import load_split
from activesynth.domain.platform import Platform
from activesynth.domain.records import MetricRow
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConfigurationError
from activesynth.experiments.fairness_table import fairness_table
from activesynth.operations.ingest import ingest
from activesynth.steps.fairness import arm_rows, data_rows
from activesynth.steps.loop import run
from activesynth.steps.turn import Turn, open_turn
from toy_people import people_config, people_platform


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with people_platform(database_url, tmp_path) as opened:
        yield opened


def start(platform: Platform, **changes: Any) -> Turn:
    ingest(people_config(**changes), platform)
    (iteration,) = run(platform, conf={"campaign": "people", "iterations": 1})
    return open_turn(iteration, platform)


def make_people(women: int, men: int, unknown: int = 0) -> SampleSet:
    rows = women + men + unknown
    sex = np.array(["F"] * women + ["M"] * men + [""] * unknown, "<U1")
    ids = np.array([f"{number:04d}" for number in range(rows)])
    y = np.arange(rows) % 2
    return SampleSet(ids, np.zeros((rows, 1), np.float32), y, ids, {"attribute.sex": sex})


def by_name(rows: list[MetricRow]) -> dict[tuple[str, str], MetricRow]:
    return {(row.slice, row.name): row for row in rows}


def test_the_rows_of_an_iteration_agree_with_fairlearn(platform: Platform) -> None:
    turn = start(platform)
    guide = load_split(platform.objects, turn.manifest, "guide")
    probs = decode_arrays(platform.objects.get(turn.step("evaluate").artifacts["probs"]))
    known = guide.columns["attribute.sex"] != ""
    sex = guide.columns["attribute.sex"][known]

    rows = {
        (row["slice"], row["name"]): row
        for row in platform.reader.metrics("people", 0)
        if row["arm"] == "targeted" and row["split"] == "guide"
    }

    found = probs["targeted"].argmax(axis=2)[:, known]
    y = guide.y[known]
    women = sex == "F"
    rates = [true_positive_rate(y[women], one[women], pos_label=1) for one in found]
    assert rows["attribute:sex=F", "true_positive_rate"]["value"] == pytest.approx(np.mean(rates))
    assert rows["attribute:sex", "unknown_rows"]["value"] == (~known).sum() > 0
    assert rows["attribute:sex=F", "cell_rows"]["value"] == women.sum()
    for name in ("demographic_parity_difference", "equal_opportunity_difference"):
        row = rows["attribute:sex", name]
        assert row["low"] <= row["value"] <= row["high"]


def test_one_training_gives_the_numbers_of_fairlearn() -> None:
    people = make_people(100, 140)
    predicted = np.random.default_rng(2).integers(0, 2, (1, len(people)))

    rows = by_name(arm_rows("a", "guide", people, predicted, "sex", 1, resamples=100, seed=0))

    of_people = {"sensitive_features": people.columns["attribute.sex"]}
    for name, metric in (
        ("demographic_parity_difference", demographic_parity_difference),
        ("equal_opportunity_difference", equal_opportunity_difference),
    ):
        expected = metric(people.y, predicted[0], **of_people)
        assert rows["attribute:sex", name].value == pytest.approx(expected)


def test_a_cell_under_thirty_rows_has_its_size_and_no_number() -> None:
    people = make_people(29, 80, unknown=7)
    predicted = np.tile(people.y, (3, 1))

    rows = arm_rows("targeted", "guide", people, predicted, "sex", 1, resamples=100, seed=0)

    found = by_name(rows)
    assert found["attribute:sex=F", "cell_rows"].value == 29
    assert ("attribute:sex=F", "selection_rate") not in found
    assert ("attribute:sex", "demographic_parity_difference") not in found
    assert found["attribute:sex=M", "selection_rate"].n == 80
    assert found["attribute:sex", "unknown_rows"].value == 7
    table = fairness_table([{f: getattr(row, f) for f in MetricRow.__slots__} for row in rows])
    assert table is not None
    assert table.groups[0][3] == "not estimable (29 rows, 30 needed)"
    assert table.differences == (("targeted", *["not estimable"] * 3),)
    assert "of 116 rows, 7 tell no sex" in table.unknown[0]


def test_thirty_rows_are_enough_however_many_trainings_there_are() -> None:
    people = make_people(30, 30)
    predicted = np.stack([people.y, 1 - people.y])

    rows = by_name(arm_rows("a", "guide", people, predicted, "sex", 1, resamples=100, seed=0))

    assert rows["attribute:sex=F", "selection_rate"].n == 30
    assert rows["attribute:sex=F", "selection_rate"].value == pytest.approx(0.5)
    assert ("attribute:sex=F", "true_positive_rate") not in rows


def test_where_no_group_is_known_only_that_is_said() -> None:
    rows = data_rows(make_people(0, 0, unknown=40), "sex", 1, resamples=100, seed=0)

    assert [(row.name, row.value) for row in rows] == [("unknown_rows", 40.0)]


def test_labels_have_rows_of_their_own_and_gate_and_test_are_left_out(platform: Platform) -> None:
    splits = {"train": 0.2, "pool": 0.0, "guide": 0.2, "judge": 0.2, "gate": 0.2, "test": 0.2}

    turn = start(platform, splits=splits | {"near_duplicate": 0.0})

    rows = [row for row in platform.reader.metrics("people", 0) if row["arm"] == "data"]
    seen = [load_split(platform.objects, turn.manifest, s) for s in ("train", "guide", "judge")]
    (unknown,) = (row for row in rows if row["name"] == "unknown_rows")
    assert unknown["n"] == sum(map(len, seen)) < 480
    assert {row["split"] for row in rows} == {"real"}


@pytest.mark.parametrize(
    ("fairness", "words"),
    [
        ({"attribute": "age", "favourable": "ill"}, r"fairness\.attribute.*'age'.*\['sex'\]"),
        ({"attribute": "sex", "favourable": "dead"}, r"favourable.*'dead'.*\['healthy', 'ill'\]"),
    ],
)
def test_what_the_rows_have_not_is_refused_before_any_work(
    platform: Platform, fairness: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        start(platform, evaluation={"resamples": 100, "fairness": fairness})
