"""Slices over metadata: their names, their rows, and that weak ones are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activesynth.diagnosis.attributes import (
    CLASS,
    MAX_SLICES,
    attribute_groups,
    candidate_slices,
    slice_key,
    slice_members,
    slice_parts,
    slice_title,
)
from activesynth.diagnosis.evidence import Evidence
from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from evidence_cases import by_id, make_evidence, probs_with_errors, run

TEXT = st.text(min_size=1, max_size=12)


def make_attributes(rows: int, seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng([seed, 9])
    return {
        "site": rng.choice(["north", "south", "west"], rows),
        "light": rng.choice(["day", "night"], rows),
    }


def with_weak_rows(evidence: Evidence, weak: Array) -> Evidence:
    rng = np.random.default_rng(5)
    is_error = (evidence.probs.argmax(axis=1) != evidence.y) | (
        weak & (rng.random(len(weak)) < 0.5)
    )
    return replace(evidence, probs=probs_with_errors(evidence.y, is_error))


def make_attributed(rows: int = 1200) -> Evidence:
    return replace(make_evidence(rows=rows), attributes=make_attributes(rows))


def test_a_weak_value_of_an_attribute_is_found_first() -> None:
    evidence = make_attributed()

    profile = run(with_weak_rows(evidence, evidence.attributes["site"] == "south"))

    first = profile.weaknesses[0]
    assert (first.id, first.kind, first.rank) == ("slice:site=south", "slice", 1)
    assert first.confirmed
    assert first.title == "site = south"


def test_a_weakness_of_two_attributes_together_is_found_as_that() -> None:
    evidence = make_attributed()
    weak = (evidence.attributes["site"] == "south") & (evidence.attributes["light"] == "night")

    profile = run(with_weak_rows(evidence, weak))

    assert profile.weaknesses[0].id == "slice:light=night&site=south"


def test_a_weakness_of_an_attribute_within_one_class_is_found_as_that() -> None:
    evidence = make_attributed(2400)
    weak = (evidence.attributes["light"] == "night") & (evidence.y == 2)

    found = by_id(run(with_weak_rows(evidence, weak)))

    weakness = found["slice:@class=2&light=night"]
    assert weakness.title == "light = night and class c2"
    assert set(weakness.class_share) == {2}


def test_attributes_that_say_nothing_yield_no_weakness() -> None:
    profile = run(make_attributed())

    assert profile.weaknesses == ()


def test_an_old_slice_whose_attribute_is_gone_is_left_out_and_one_with_few_rows_is_looked_up() -> (
    None
):
    evidence = make_attributed()
    previous = {"slice:colour=red": "open", "slice:site=east": "open", "slice:": "open"}

    found = by_id(run(evidence, previous=previous))

    assert set(found) == {"slice:site=east"}
    assert (found["slice:site=east"].n, found["slice:site=east"].state) == (0, "open")


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3, unique_by=lambda pair: pair[0]))
def test_a_key_tells_its_conditions_whatever_they_contain(parts: list[tuple[str, str]]) -> None:
    assert sorted(slice_parts(slice_key(parts))) == sorted(parts)
    assert slice_key(parts) == slice_key(reversed(parts))


def test_an_attribute_called_like_the_class_is_not_taken_for_it() -> None:
    y = np.array([0, 1])
    attributes = {CLASS: np.array(["1", "1"])}

    assert slice_members("%40class=1", y, attributes) is not None
    assert slice_parts(slice_key([("class", "1")])) == [("class", "1")]
    assert slice_members("@class=1", y, attributes).tolist() == [False, True]  # type: ignore[union-attr]
    assert slice_members("@class=x", y, attributes) is None


def test_numbers_are_cut_at_their_quartiles_and_equal_numbers_stay_together() -> None:
    ages = np.arange(100).astype(str)
    columns = {"attribute.age": ages, "attribute.grade": np.tile(["1", "2"], 50), "weight": ages}

    groups = attribute_groups(columns)

    assert set(groups) == {"age", "grade"}
    values, counts = np.unique(groups["age"], return_counts=True)
    assert values.tolist() == ["24.75 to 49.5", "49.5 to 74.25", "over 74.25", "up to 24.75"]
    assert counts.tolist() == [25, 25, 25, 25]
    assert groups["grade"].tolist() == columns["attribute.grade"].tolist()


def test_many_words_stay_words_and_nothing_known_is_no_group() -> None:
    words = np.array([f"w{k}" for k in range(20)] + [""])
    mostly_one = np.array(["1"] * 80 + [str(k) for k in range(2, 22)])

    groups = attribute_groups({"attribute.word": words})
    skewed = attribute_groups({"attribute.count": mostly_one})["count"]

    assert groups["word"].tolist() == words.tolist()
    assert set(skewed) == {"up to 1", "over 1"}
    everyone = np.ones(21, bool)
    keys = candidate_slices(np.zeros(21, int), groups, everyone, 1)
    assert "word=" not in keys


def test_only_slices_with_enough_rows_are_tested_and_not_more_than_the_limit() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=5000)
    many = {f"a{k}": rng.integers(8, size=5000).astype(str) for k in range(6)}
    searches = rng.random(5000) < 0.5

    found = candidate_slices(y, many, searches, 20)

    assert len(found) == MAX_SLICES
    assert all(rows[searches].sum() >= 20 for rows in found.values())
    assert slice_title("@class=7&a=b", ["x"]) == "a = b and class 7"


def test_attributes_that_do_not_align_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"attributes\[site\]"):
        replace(make_evidence(), attributes={"site": np.array(["a"])})
