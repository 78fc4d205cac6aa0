"""Pool rows nearest to failures, shared out as the plan does."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from activesynth.domain.documents import Plan, PlanItem
from activesynth.targeting.retrieval import Neighbours, failures, retrieve, shares_to_retrieve


def make_plan(**counts: int) -> Plan:
    items = tuple(
        PlanItem(weakness=name, count=count, expected_gain=0.1, evidence="")
        for name, count in counts.items()
    )
    return Plan(budget=sum(counts.values()), labels=10, is_uniform=False, items=items)


SLICE = np.array([True, True, True, True, False, False])
WRONG = np.array([False, True, True, False, False, True])


def test_a_weakness_is_searched_around_the_wrongly_predicted_rows_of_its_slice() -> None:
    assert failures(SLICE, WRONG, np.ones(6, bool)).tolist() == [1, 2]


def test_the_confirming_half_is_never_searched_with() -> None:
    searching = np.array([True, True, False, True, True, False])

    assert failures(SLICE, WRONG, searching).tolist() == [1]


def test_a_slice_without_a_wrong_row_is_searched_around_all_of_its_rows() -> None:
    assert failures(SLICE, np.zeros(6, bool), np.ones(6, bool)).tolist() == [0, 1, 2, 3]


def test_a_slice_without_rows_is_not_searched_for() -> None:
    assert failures(np.zeros(6, bool), WRONG, np.ones(6, bool)).tolist() == []


def test_labels_are_shared_over_what_can_be_searched_for_as_the_plan_shares_its_budget() -> None:
    found = {name: Neighbours(np.zeros((1, 1)), np.zeros((1, 1))) for name in ("a", "b")}

    shares = shares_to_retrieve(make_plan(a=30, blur=50, b=10), found, 4)

    assert shares == {"a": 3, "b": 1}


def test_the_first_neighbour_of_every_failure_comes_before_any_second_one() -> None:
    ids = np.array(list("abcdef"))
    found = Neighbours(np.array([[0, 1], [2, 3]]), np.array([[0.01, 0.02], [0.5, 0.6]]))

    chosen = retrieve({"w": 3}, {"w": found}, ids)

    assert [ids[pick.row] for pick in chosen] == ["a", "c", "b"]
    assert np.isclose(chosen[0].distance, 0.1)


def test_equal_distances_go_by_id_and_not_by_place_in_the_pool() -> None:
    ids = np.array(["z", "a"])
    found = Neighbours(np.array([[0], [1]]), np.array([[0.25], [0.25]]))

    assert [ids[p.row] for p in retrieve({"w": 1}, {"w": found}, ids)] == ["a"]


def test_what_one_weakness_lacks_goes_to_the_others_also_to_earlier_ones() -> None:
    ids = np.array(list("abcd"))
    rich = Neighbours(np.array([[0, 1, 2, 3]]), np.array([[0.1, 0.2, 0.3, 0.4]]))
    poor = Neighbours(np.array([[0, -1, -1, -1]]), np.array([[0.1, np.inf, np.inf, np.inf]]))

    chosen = retrieve({"rich": 2, "poor": 2}, {"rich": rich, "poor": poor}, ids)

    assert [pick.weakness for pick in chosen] == ["rich"] * 4


@given(st.integers(0, 2**31), st.integers(1, 12), st.integers(0, 20))
def test_no_row_is_proposed_twice_and_all_labels_are_used_where_the_pool_has_rows(
    seed: int, pool: int, wanted: int
) -> None:
    rng = np.random.default_rng(seed)
    ids = np.array([f"{n:02d}" for n in range(pool)])
    found = {}
    for name in ("a", "b"):
        distances = rng.random((3, pool))
        order = np.argsort(distances, axis=1)
        found[name] = Neighbours(order, np.take_along_axis(distances, order, 1))

    chosen = retrieve({"a": wanted, "b": wanted}, found, ids)

    rows = [pick.row for pick in chosen]
    assert len(set(rows)) == len(rows) == min(pool, 2 * wanted)
