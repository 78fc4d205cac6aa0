"""Ids, copies and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from activesynth.datasets.assembly import assemble
from activesynth.datasets.labels import as_texts, encode_labels
from activesynth.datasets.rows import Rows
from activesynth.datasets.values import as_inputs, bad_rows, in_common_type
from activesynth.domain.canonical import content_id
from activesynth.errors import InputError
from fakes import make_pictures


def test_rows_come_in_an_order_that_depends_on_the_content_alone() -> None:
    x, y = make_pictures(20), np.arange(20) % 3
    order = np.random.default_rng(1).permutation(20)

    one = assemble(Rows(x, y, ("a", "b", "c")))
    other = assemble(Rows(x[order], y[order], ("a", "b", "c")))

    assert one.samples.encode() == other.samples.encode()
    assert one.samples.ids[0] == content_id(one.samples.x[0])


def test_exact_copies_are_dropped_and_the_first_is_kept() -> None:
    x = make_pictures(3)[[0, 1, 0, 2]]

    data = assemble(Rows(x, np.array([0, 1, 0, 1]), ("a", "b")))

    assert len(data.samples) == 3
    assert data.duplicates == 1
    assert data.conflicts == ()


def test_copies_with_another_label_are_reported() -> None:
    x = make_pictures(3)[[0, 1, 0, 2]]

    data = assemble(Rows(x, np.array([0, 1, 1, 1]), ("a", "b")))

    assert data.conflicts == (content_id(x[0]),)
    assert data.samples.y[data.samples.ids == content_id(x[0])].tolist() == [0]


def test_an_unlabelled_row_takes_the_first_label_of_its_copies() -> None:
    x = make_pictures(1)[[0, 0, 0]]

    data = assemble(Rows(x, np.array([-1, 1, 0]), ("a", "b")))

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
    y, names, wrong = encode_labels(values)

    assert wrong == {}
    assert y.tolist() == codes
    assert names == classes


@pytest.mark.parametrize("value", [0.5, -3, 10_000, float("inf"), [1], b"\xff" * 3, 1j])
def test_a_label_that_is_no_class_is_refused_alone(value: Any) -> None:
    y, names, wrong = encode_labels(["cat", value, "dog"], ["cat", "dog"])

    assert y.tolist() == [0, -1, 1]
    assert names == ("cat", "dog")
    assert {position: error.reason for position, error in wrong.items()} == {1: "bad_label"}


def test_a_label_outside_the_named_classes_is_refused() -> None:
    _, _, wrong = encode_labels([0, 2], ["cat", "dog"])

    assert "not among the classes" in str(wrong[1])


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101, "\x1b[31m", "\ud800"])
def test_a_name_that_pages_and_databases_cannot_carry_names_no_class(name: str) -> None:
    with pytest.raises(InputError, match="printable") as caught:
        encode_labels([0, 1], ["fine", name])

    assert caught.value.reason == "bad_class_name"


def test_what_is_known_of_a_row_is_text_that_anything_can_show() -> None:
    texts = as_texts([None, float("nan"), 3.0, "a\x00b", b"c", "\ud800"])

    assert texts.tolist() == ["", "", "3", "a\\x00b", "c", "\\ud800"]


def test_three_axes_of_bytes_are_grey_pictures() -> None:
    pictures = in_common_type(as_inputs(np.zeros((2, 8, 8), np.int64)))

    assert pictures.shape == (2, 8, 8, 1)
    assert pictures.dtype == np.uint8


@pytest.mark.parametrize("x", [np.array([["a"], ["b"]]), np.zeros(4), np.zeros((2, 0))])
def test_arrays_that_cannot_hold_rows_are_refused(x: Any) -> None:
    with pytest.raises(InputError) as caught:
        as_inputs(x)

    assert caught.value.reason == "bad_type"


@pytest.mark.parametrize(
    ("bad", "shape", "reason"),
    [(256, (3, 8, 8), "bad_values"), (-1, (3, 8, 8), "bad_values"), (np.inf, (3, 2), "not_finite")],
)
def test_rows_with_impossible_values_are_found_one_by_one(
    bad: float, shape: tuple[int, ...], reason: str
) -> None:
    x = np.zeros(shape, type(bad))
    x[1, 0] = bad

    wrong = bad_rows(as_inputs(x))

    assert {row: error.reason for row, error in wrong.items()} == {1: reason}
