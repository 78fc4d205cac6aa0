"""Requests and training rows that cannot work are refused before any work."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from activesynth.errors import InputError, ShapeError
from activesynth.generation.conditions import Conditions, check_data
from generation_rows import blob_data, request, sample_set


def test_free_is_token_zero_and_values_follow() -> None:
    conditions = Conditions.of(blob_data())

    tokens = conditions.tokens(np.array([-1, 1]), np.array([2, -1]), np.array([0, -1]))

    np.testing.assert_array_equal(tokens, [[0, 3, 1], [2, 0, 0]])


def test_a_cluster_or_level_nobody_showed_counts_as_free() -> None:
    data = dataclasses.replace(blob_data(), cluster_count=9, levels=np.zeros(240, np.int64))
    conditions = Conditions.of(data)

    tokens = conditions.tokens(np.array([0]), np.array([7]), np.array([2]))

    np.testing.assert_array_equal(tokens, [[1, 0, 0]])


def test_free_labels_follow_the_shares_of_the_cluster() -> None:
    data = blob_data()
    weight = np.where(data.samples.y == 1, 3.0, 1.0)
    conditions = Conditions.of(dataclasses.replace(data, weight=weight))

    drawn = conditions.resolve(request(np.full(3000, -1), np.zeros(3000, np.int64)))

    inside = data.clusters == 0
    expected = weight[inside & (data.samples.y == 1)].sum() / weight[inside].sum()
    assert drawn.mean() == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("labels", "clusters", "levels", "complaint"),
    [
        ([2], [0], [0], r"request\.labels must be in \[-1, 2\), got 2"),
        ([-2], [0], [0], r"request\.labels must be in \[-1, 2\), got -2"),
        ([0], [3], [0], r"request\.clusters must be in \[-1, 3\), got 3"),
        ([0], [0], [3], r"request\.levels must be in \[-1, 3\), got 3"),
        ([0], [0, 1], [0], r"request\.clusters must have shape \(1,\), got \(2,\)"),
        ([0], [0.5], [0], r"request\.clusters must be integers, got dtype float64"),
    ],
)
def test_a_bad_request_names_field_value_and_limit(
    labels: list[int], clusters: list[float], levels: list[int], complaint: str
) -> None:
    bad = dataclasses.replace(request(labels), clusters=np.array(clusters), levels=np.array(levels))

    with pytest.raises(ShapeError, match=complaint):
        Conditions.of(blob_data()).resolve(bad)


@pytest.mark.parametrize("seeds", [np.array([-1]), np.array([0.5]), np.array([[1]])])
def test_seeds_are_integers_from_zero_up(seeds: Any) -> None:
    with pytest.raises(ShapeError, match=r"request\.seeds"):
        Conditions.of(blob_data()).resolve(dataclasses.replace(request([0]), seeds=seeds))


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("clusters", np.full(240, 3), r"data\.clusters must be in \[0, 3\)"),
        ("clusters", np.full(240, -1), r"data\.clusters must be in \[0, 3\)"),
        ("levels", np.full(240, 5), r"data\.levels must be in \[0, 3\)"),
        ("levels", np.zeros(3, np.int64), r"data\.levels must have shape \(240,\)"),
        ("classes", 1, r"data\.samples\.y must be in \[-1, 1\)"),
        ("weight", np.full(240, -1.0), "finite numbers of at least 0"),
        ("weight", np.full(240, np.nan), "finite numbers of at least 0"),
        ("weight", np.zeros(240), "positive sum"),
    ],
)
def test_bad_training_rows_name_field_and_limit(field: str, value: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        check_data(dataclasses.replace(blob_data(), **{field: value}))


def test_rows_that_are_not_numbers_are_refused_with_the_first_row() -> None:
    x = np.zeros((240, 3), np.float32)
    x[17, 1] = np.inf

    with pytest.raises(InputError, match="first in row 17") as caught:
        check_data(dataclasses.replace(blob_data(), samples=sample_set(x, np.zeros(240))))

    assert caught.value.reason == "not_finite"


def test_rows_without_any_label_or_of_a_wrong_type_are_refused() -> None:
    data = blob_data()

    with pytest.raises(InputError, match="both a label and a positive weight"):
        check_data(dataclasses.replace(data, samples=data.samples.with_labels(np.full(240, -1))))
    whole = sample_set(np.zeros((240, 3), np.int64), np.zeros(240))
    with pytest.raises(ShapeError, match="uint8 images or floats, got int64"):
        check_data(dataclasses.replace(data, samples=whole))
    with pytest.raises(InputError, match="2 real rows or more, got 1"):
        check_data(dataclasses.replace(data, samples=data.samples.take([0])))
