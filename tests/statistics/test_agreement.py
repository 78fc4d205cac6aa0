"""Agreement beyond chance, against published numbers and another way to compute it."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activesynth.errors import ShapeError
from activesynth.statistics.agreement import Category, cohen_kappa, krippendorff_alpha

# Krippendorff 2011, section C: four observers, twelve units, values missing.
OBSERVERS = {
    "A": "1 2 3 3 2 1 4 1 2 . . .",
    "B": "1 2 3 3 2 2 4 1 2 5 . 3",
    "C": ". 3 3 3 2 3 4 2 2 5 1 .",
    "D": "1 2 3 3 2 4 4 1 2 5 1 .",
}
# Section A: two observers, binary, nothing missing.
BINARY = {"A": "0 1 0 0 0 0 0 0 1 0", "B": "1 1 1 0 0 1 0 0 0 0"}

Units = list[dict[str, Category]]
units = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from([0, 1, 2, "reject"]), min_size=1),
    min_size=1,
    max_size=20,
)


def as_units(observers: dict[str, str]) -> Units:
    columns = zip(*(said.split() for said in observers.values()), strict=True)
    return [
        {who: value for who, value in zip(observers, column, strict=True) if value != "."}
        for column in columns
    ]


def alpha_by_pairs(units: Units) -> float | None:
    """Return alpha as one less the disagreement within units over that between any values."""
    judged = [list(unit.values()) for unit in units if len(unit) > 1]
    values = [value for unit in judged for value in unit]
    between = [a != b for a, b in permutations(values, 2)]
    if not any(between):
        return None
    within = sum(
        sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in judged
    ) / len(values)
    return 1 - within / (sum(between) / len(between))


def test_alpha_is_the_published_one_of_the_published_examples() -> None:
    assert krippendorff_alpha(as_units(OBSERVERS)) == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(as_units(BINARY)) == pytest.approx(0.095, abs=5e-4)


@given(units)
def test_alpha_equals_what_all_pairs_of_values_give(units: Units) -> None:
    expected = alpha_by_pairs(units)

    found = krippendorff_alpha(units)

    assert found is None if expected is None else found == pytest.approx(expected)


def test_kappa_is_that_of_the_worked_table_of_counts() -> None:
    # 20 and 15 agreed, 5 and 10 did not: observed 0.7, by chance 0.5.
    first = [1] * 20 + [1] * 5 + ["reject"] * 10 + ["reject"] * 15
    second = [1] * 20 + ["reject"] * 5 + [1] * 10 + ["reject"] * 15

    assert cohen_kappa(first, second) == pytest.approx(0.4)
    assert cohen_kappa(second, first) == pytest.approx(0.4)


def test_what_chance_alone_decides_is_undefined_and_not_a_number() -> None:
    assert cohen_kappa([], []) is None
    assert cohen_kappa([3, 3], [3, 3]) is None
    assert krippendorff_alpha([]) is None
    assert krippendorff_alpha([{"ada": 1}, {"bob": 2}]) is None
    assert krippendorff_alpha([{"ada": 1, "bob": 1}, {"ada": 1, "bob": 1}]) is None


def test_values_without_partners_are_no_pairs() -> None:
    with pytest.raises(ShapeError, match="needs pairs, got 2 and 1"):
        cohen_kappa([1, 2], [1])
