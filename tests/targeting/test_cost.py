"""Seconds are attributed without loss, and gain per second beats gain where costs differ."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activesynth.domain.documents import Plan, Weakness
from activesynth.errors import InputError
from activesynth.targeting.allocation import allocate
from activesynth.targeting.apportionment import largest_remainder
from activesynth.targeting.cost import CostRow, attribute_seconds, seconds_per_row

NAMES = ["w0", "w1", "w2", "w3"]
ROWS = 400
BUDGET = 100


def make_weakness(name: str, gap: float = 0.3, n: int = ROWS) -> Weakness:
    half = 1.96 * (0.25 / n) ** 0.5
    return Weakness(
        id=name,
        kind="class",
        key="0",
        title=name,
        gap=gap,
        low=gap - half,
        high=gap + half,
        n=n,
        p_value=0.01,
        confirmed=True,
    )


def counts(plan: Plan) -> dict[str, int]:
    return {item.weakness: item.count for item in plan.items}


def plan_for(gaps: list[float], seconds: Mapping[str, float] | None, explore: float = 0.0) -> Plan:
    weak = [make_weakness(name, gap) for name, gap in zip(NAMES, gaps, strict=False)]
    return allocate(weak, 1000, [], labels=0, explore=explore, seed=0, seconds=seconds)


@given(
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 500), min_size=1),
    st.sets(st.sampled_from(NAMES)),
    st.floats(0, 1e4),
    st.floats(0, 1e4),
)
def test_what_is_attributed_sums_to_what_was_spent(
    planned: dict[str, int], copied: set[str], making: float, screening: float
) -> None:
    spent = attribute_seconds(planned, copied, making=making, screening=screening)

    assert set(spent) == {name for name, rows in planned.items() if rows}
    if spent:
        assert sum(spent.values()) == pytest.approx(making + screening)


def test_an_invented_row_takes_the_generator_twice_and_a_transformed_one_once() -> None:
    spent = attribute_seconds({"class": 10, "blur": 10}, ["blur"], making=30.0, screening=8.0)

    assert spent == pytest.approx({"class": 24.0, "blur": 14.0})


def test_negative_seconds_are_refused() -> None:
    with pytest.raises(InputError, match="cannot be negative"):
        attribute_seconds({"a": 1}, [], making=-1.0, screening=0.0)
    with pytest.raises(InputError, match="cannot cost 0 seconds"):
        plan_for([0.6, 0.1], {"w0": 0.0})


def test_costs_are_discounted_means_shrunk_to_the_mean_over_all() -> None:
    history = [CostRow(0, "a", 100, 100.0), CostRow(2, "a", 50, 500.0), CostRow(2, "b", 50, 50.0)]
    found = seconds_per_row(["a", "b", "new"], history)
    mean = (0.49 * 100 + 550) / (0.49 * 100 + 100)

    costly = (0.49 * 100 + 500 + 10 * mean) / (0.49 * 100 + 50 + 10)
    assert found["a"] == pytest.approx(costly / 1.3)
    assert found["b"] == pytest.approx(1.3 * (50 + 10 * mean) / 60)
    assert found["new"] == pytest.approx(mean)
    assert seconds_per_row(["a"], []) == {}


def test_small_differences_of_cost_are_ignored() -> None:
    history = [CostRow(0, "a", 1000, 1200.0), CostRow(0, "b", 1000, 1000.0)]
    found = seconds_per_row(["a", "b"], history)

    assert found["a"] == found["b"] == pytest.approx(1.1)


def test_without_history_shares_follow_gap_per_second() -> None:
    plan = plan_for([0.6, 0.2], {"w0": 3.0, "w1": 1.0})

    assert counts(plan) == {"w0": 500, "w1": 500}
    assert counts(plan_for([0.6, 0.2], None)) == {"w0": 750, "w1": 250}


def test_weaknesses_that_do_not_differ_get_equal_seconds() -> None:
    plan = plan_for([0.3, 0.3], {"w0": 3.0, "w1": 1.0})

    assert counts(plan) == {"w0": 250, "w1": 750}
    assert not plan.is_uniform
    assert "equal seconds for each" in plan.items[0].evidence


@pytest.mark.parametrize("gaps", [[0.6, 0.1], [0.3, 0.3]])
def test_equal_costs_change_nothing(gaps: list[float]) -> None:
    costs = {"w0": 7.0, "w1": 7.0}

    assert plan_for(gaps, costs, 0.2).digest == plan_for(gaps, None, 0.2).digest


@cache
def closed_in(policy: str, seed: int, costs: tuple[float, ...], horizon: float) -> float:
    """Play a campaign of so many seconds; return how much of the gaps was closed.

    A row closes a part of what is left of its weakness's gap, another part for each weakness; what
    is measured of it, and of the seconds, is noisy.
    """
    rng = np.random.default_rng([seed, 0])
    gaps = rng.uniform(0.15, 0.5, len(costs))
    effect = rng.uniform(0.0005, 0.006, len(costs))
    cost = rng.permutation(costs)
    noise = np.random.default_rng([seed, 1])
    before, left = gaps.sum(), horizon
    history: list[tuple[int, str, float]] = []
    spent: list[CostRow] = []
    for iteration in range(60):
        weak = [make_weakness(n, float(g)) for n, g in zip(NAMES, gaps, strict=True)]
        if policy == "uniform":
            rows = largest_remainder(np.ones(len(costs)), BUDGET)
        else:
            seconds = seconds_per_row(NAMES, spent) if policy == "per second" else None
            plan = allocate(
                weak, BUDGET, history, labels=0, explore=0.2, seed=seed + iteration, seconds=seconds
            )
            rows = np.array([item.count for item in plan.items])
        needed = float((rows * cost).sum())
        part = min(1.0, left / needed)  # the last iteration does what time is left for
        gain = gaps * (1.0 - np.exp(-effect * rows * part))
        gaps, left = gaps - gain, left - part * needed
        if left <= 0.0:
            break
        measured = gain + noise.normal(0.0, 0.02, len(costs))
        history += [(iteration, n, float(v)) for n, v in zip(NAMES, measured, strict=True)]
        took = rows * cost * noise.lognormal(0.0, 0.2, len(costs))
        spent += [
            CostRow(iteration, n, int(r), float(t))
            for n, r, t in zip(NAMES, rows, took, strict=True)
            if r
        ]
    return float(before - gaps.sum())


def paired(
    costs: tuple[float, ...], against: str, seeds: int, horizon: float
) -> tuple[float, float]:
    """Return mean and half-width (95 %) of what gain per second closes more, per campaign."""
    lifts = np.array(
        [
            closed_in("per second", seed, costs, horizon) - closed_in(against, seed, costs, horizon)
            for seed in range(seeds)
        ]
    )
    return float(lifts.mean()), float(1.96 * lifts.std(ddof=1) / seeds**0.5)


@pytest.mark.parametrize("against", ["uniform", "by gain"])
def test_where_costs_differ_gain_per_second_closes_more_in_the_same_time(against: str) -> None:
    mean, half = paired((1.0, 1.0, 8.0, 8.0), against, seeds=200, horizon=1500.0)

    assert mean - half > 0.0


def test_where_costs_are_equal_looking_at_them_loses_next_to_nothing() -> None:
    mean, half = paired((4.0, 4.0, 4.0, 4.0), "by gain", seeds=200, horizon=1500.0)

    assert abs(mean) < half + 0.0005
