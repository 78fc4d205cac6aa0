"""From a plan to candidates: counts, labels, conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from activesynth.domain.canonical import Array
from activesynth.domain.documents import (
    EVERYWHERE,
    Plan,
    PlanItem,
    Weakness,
    WeaknessProfile,
)
from activesynth.errors import InputError
from activesynth.targeting.requests import Order, expand, untargeted

SEEN = np.array([50, 30, 20, 10])


def make_weakness(name: str, kind: str, key: str, **more: Any) -> Weakness:
    facts: dict[str, Any] = {
        "title": name,
        "gap": 0.2,
        "low": 0.1,
        "high": 0.3,
        "n": 20,
        "p_value": 0.01,
        "confirmed": True,
    }
    return Weakness.model_validate({"id": name, "kind": kind, "key": key, **facts, **more})


def make_profile(*weaknesses: Weakness) -> WeaknessProfile:
    return WeaknessProfile(
        campaign="c",
        iteration=0,
        model="m",
        margin=0.05,
        found_on="A",
        tau=1.0,
        uncertain_share=0.2,
        uncertain_low=0.1,
        uncertain_high=0.3,
        rare_clusters=(),
        cluster_shares=(),
        class_difficulty=(),
        corruption_accuracy={},
        weaknesses=weaknesses,
    )


def make_plan(**parts: int) -> Plan:
    items = tuple(
        PlanItem(weakness=name, count=count, expected_gain=0.0, evidence="")
        for name, count in parts.items()
    )
    return Plan(budget=sum(parts.values()), labels=0, is_uniform=False, items=items)


def order_for(
    weakness: Weakness, count: int = 20, oversample: float = 2.0, seen: Array = SEEN, seed: int = 0
) -> Order:
    return expand(
        make_plan(**{weakness.id: count}),
        make_profile(weakness),
        classes=4,
        oversample=oversample,
        train_counts=seen,
        seed=seed,
    )


@pytest.mark.parametrize("key", ["2", "class:2"])
def test_a_class_weakness_fixes_the_label(key: str) -> None:
    order = order_for(make_weakness("w", "class", key))

    assert len(order) == 40
    assert set(order.labels.tolist()) == {2}
    assert set(order.clusters.tolist()) == set(order.levels.tolist()) == {-1}
    assert set(order.weakness.tolist()) == {"w"}


def test_a_cluster_weakness_fixes_the_cluster_and_draws_labels_from_its_share() -> None:
    weakness = make_weakness("w", "cluster", "7", clusters=(7,), class_share={0: 0.25, 3: 0.75})
    order = order_for(weakness)

    assert set(order.clusters.tolist()) == {7}
    assert np.bincount(order.labels, minlength=4).tolist() == [10, 0, 0, 30]


def test_a_cluster_weakness_without_cluster_list_reads_its_key() -> None:
    assert set(order_for(make_weakness("w", "cluster", "7")).clusters.tolist()) == {7}


def test_several_clusters_are_spread_evenly() -> None:
    order = order_for(make_weakness("w", "slice", "night", clusters=(4, 5)))

    assert np.bincount(order.clusters)[4:].tolist() == [20, 20]


def test_an_uncertain_region_asks_for_the_highest_level() -> None:
    order = order_for(make_weakness("w", "uncertain", "high", clusters=(1,), class_share={1: 1.0}))

    assert set(order.levels.tolist()) == {2}
    assert set(order.clusters.tolist()) == {-1}
    assert set(order.labels.tolist()) == {1}


def test_a_corruption_draws_severities_from_half_the_profiles_to_the_harshest() -> None:
    order = order_for(make_weakness("w", "corruption", "blur", severity=0.66), count=200)

    assert set(order.perturbations.tolist()) == {"blur"}
    assert 0.33 <= order.severities.min() < 0.37
    assert 0.94 < order.severities.max() <= 1.0


def test_severities_stay_in_their_range_and_cover_it_where_nothing_is_known() -> None:
    harsh = order_for(make_weakness("w", "corruption", "noise", severity=1.0), count=100)
    unknown = order_for(make_weakness("w", "corruption", "noise"), count=100)

    assert harsh.severities.min() >= 0.5
    assert harsh.severities.max() <= 1.0
    assert 0.05 <= unknown.severities.min() < 0.2
    assert unknown.severities.max() > 0.8


def test_a_corruption_asks_for_all_classes_alike_wherever_its_errors_lie() -> None:
    weakness = make_weakness("w", "corruption", "blur", severity=0.5, class_share={1: 1.0})

    assert np.bincount(order_for(weakness).labels).tolist() == [10, 10, 10, 10]


def test_classes_without_a_training_row_are_not_asked_for() -> None:
    seen = np.array([50, 0, 20, 10])
    order = order_for(make_weakness("w", "uncertain", "u", class_share={1: 0.5, 2: 0.5}), seen=seen)
    only_unseen = order_for(make_weakness("w", "uncertain", "u", class_share={1: 1.0}), seen=seen)

    assert set(order.labels.tolist()) == {2}
    assert set(only_unseen.labels.tolist()) == {0, 2, 3}
    assert len(order_for(make_weakness("w", "class", "1"), seen=seen)) == 0


def test_a_plan_of_several_weaknesses_keeps_its_order_and_its_counts() -> None:
    profile = make_profile(
        make_weakness("a", "class", "0"),
        make_weakness("b", "corruption", "blur", severity=0.5),
        make_weakness("long-name-of-a-weakness", "uncertain", "u"),
    )
    plan = make_plan(b=10, a=5, **{"long-name-of-a-weakness": 0})
    order = expand(plan, profile, classes=4, oversample=2.5, train_counts=SEEN, seed=0)

    assert order.weakness.tolist() == ["b"] * 25 + ["a"] * 13
    assert {len(getattr(order, f)) for f in Order.__dataclass_fields__} == {38}
    assert order.labels.dtype == order.clusters.dtype == order.levels.dtype == np.int64


def test_equal_seeds_give_equal_orders_and_others_do_not() -> None:
    weakness = make_weakness("w", "corruption", "blur", severity=0.5)
    one, two, three = (order_for(weakness, seed=seed) for seed in (1, 1, 2))

    assert np.array_equal(one.severities, two.severities)
    assert np.array_equal(one.labels, two.labels)
    assert not np.array_equal(one.severities, three.severities)


def test_what_is_planned_for_everywhere_asks_for_every_class_that_has_rows_alike() -> None:
    item = PlanItem(weakness=EVERYWHERE, count=4, expected_gain=0.0, evidence="")
    plan = Plan(budget=4, labels=0, is_uniform=False, items=(item,))

    order = expand(
        plan,
        make_profile(),
        classes=3,
        oversample=3.0,
        train_counts=np.array([5, 0, 2]),
        seed=0,
    )

    assert np.bincount(order.labels).tolist() == [6, 0, 6]
    assert set(order.weakness.tolist()) == {EVERYWHERE}
    assert set(order.clusters.tolist()) == {-1}


def test_an_empty_plan_asks_for_nothing() -> None:
    order = expand(
        make_plan(), make_profile(), classes=4, oversample=3.0, train_counts=SEEN, seed=0
    )

    assert len(order) == 0
    assert order.weakness.dtype.kind == "U"


@pytest.mark.parametrize("count", [0, 7, 40])
def test_untargeted_candidates_are_balanced_over_classes(count: int) -> None:
    order = untargeted(count, 4)
    counts = np.bincount(order.labels, minlength=4)

    assert counts.sum() == count
    assert counts.max() - counts.min() <= 1
    assert set(order.weakness.tolist()) <= {""}
    assert set(order.perturbations.tolist()) <= {""}


def test_plans_that_do_not_fit_their_profile_are_refused() -> None:
    with pytest.raises(InputError, match="plan again from this profile"):
        expand(make_plan(x=1), make_profile(), classes=4, oversample=1.0, train_counts=SEEN, seed=0)
    with pytest.raises(InputError, match="does not end in a number"):
        order_for(make_weakness("w", "class", "seven"))
    with pytest.raises(InputError, match="there are 4 classes"):
        order_for(make_weakness("w", "class", "9"))
    with pytest.raises(InputError, match="names class 9"):
        order_for(make_weakness("w", "uncertain", "u", class_share={9: 1.0}))
