"""Ids, copies and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from activesynth.datasets.assembly import as_inputs, assemble, encode_labels
from activesynth.domain.canonical import content_id
from activesynth.errors import InputError
from fakes import make_pictures


def test_rows_come_in_an_order_that_depends_on_the_content_alone() -> None:
    x, y = make_pictures(20), np.arange(20) % 3
    order = np.random.default_rng(1).permutation(20)

    one = assemble(x, y, ["a", "b", "c"])
    other = assemble(x[order], y[order], ["a", "b", "c"])

    assert one.samples.encode() == other.samples.encode()
    assert one.samples.ids[0] == content_id(one.samples.x[0])


def test_exact_copies_are_dropped_and_the_first_is_kept() -> None:
    x = make_pictures(3)[[0, 1, 0, 2]]

    data = assemble(x, np.array([0, 1, 0, 1]), ["a", "b"])

    assert len(data.samples) == 3
    assert data.duplicates == 1
    assert data.conflicts == ()


def test_copies_with_another_label_are_reported() -> None:
    x = make_pictures(3)[[0, 1, 0, 2]]

    data = assemble(x, np.array([0, 1, 1, 1]), ["a", "b"])

    assert data.conflicts == (content_id(x[0]),)
    assert data.samples.y[data.samples.ids == content_id(x[0])].tolist() == [0]


def test_an_unlabelled_row_takes_the_first_label_of_its_copies() -> None:
    x = make_pictures(1)[[0, 0, 0]]

    data = assemble(x, np.array([-1, 1, 0]), ["a", "b"])

    assert data.samples.y.tolist() == [1]
    assert data.conflicts == (content_id(x[0]),)


@pytest.mark.parametrize(
    ("values", "codes", "classes"),
    [
        ([2, 0, -1], [2, 0, -1], ("0", "1", "2")),
        (["dog", "cat", None, ""], [1, 0, -1, -1], ("cat", "dog")),
        ([1.0, float("nan"), 0.0], [1, -1, 0], ("0", "1")),
    ],
)
def test_labels_become_numbers(
    values: list[Any], codes: list[int], classes: tuple[str, ...]
) -> None:
    y, names = encode_labels(values)

    assert y.tolist() == codes
    assert names == classes


@pytest.mark.parametrize("value", [0.5, -3, 10_000])
def test_a_label_that_is_no_class_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="only classification") as caught:
        encode_labels([value])

    assert caught.value.reason == "bad_label"


def test_a_label_outside_the_named_classes_is_refused() -> None:
    with pytest.raises(InputError, match="not among the classes"):
        encode_labels([0, 2], ["cat", "dog"])


def test_three_axes_of_bytes_are_grey_pictures() -> None:
    pictures = as_inputs(np.zeros((2, 8, 8), np.int64))

    assert pictures.shape == (2, 8, 8, 1)
    assert pictures.dtype == np.uint8


@pytest.mark.parametrize(
    "x",
    [
        np.full((2, 8, 8), 256),
        np.full((2, 3), np.nan),
        np.array([["a"], ["b"]]),
        np.zeros(4),
    ],
)
def test_values_that_no_row_can_have_are_refused(x: Any) -> None:
    with pytest.raises(InputError) as caught:
        as_inputs(x)

    assert caught.value.reason == "bad_values"
