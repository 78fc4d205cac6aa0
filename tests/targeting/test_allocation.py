"""The plan: exact sums, floors, learning from benefits, and honesty about weak evidence."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activesynth.domain.documents import EVERYWHERE, Plan, Weakness
from activesynth.errors import InputError
from activesynth.targeting.allocation import allocate, largest_remainder
from activesynth.targeting.belief import believe, difference_p_value

SHARES = st.lists(st.floats(0, 1e6), min_size=1, max_size=12).filter(any)
HISTORIES = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["w0", "w1", "w2", "gone"]), st.floats(-0.3, 0.3)),
    max_size=12,
)


def make_weakness(name: str, gap: float = 0.2, n: int = 100, **more: Any) -> Weakness:
    half = 1.96 * (0.25 / n) ** 0.5
    facts: dict[str, Any] = {
        "kind": "class",
        "key": "0",
        "title": name,
        "low": gap - half,
        "high": gap + half,
        "p_value": 0.01,
        "confirmed": True,
    }
    return Weakness(id=name, gap=gap, n=n, **{**facts, **more})


def plan_for(
    weaknesses: list[Weakness],
    history: list[tuple[int, str, float]] | None = None,
    budget: int = 1000,
    explore: float = 0.2,
    seed: int = 0,
) -> Plan:
    return allocate(weaknesses, budget, history or [], labels=7, explore=explore, seed=seed)


def counts(plan: Plan) -> dict[str, int]:
    return {item.weakness: item.count for item in plan.items}


@settings(deadline=None)
@given(SHARES, st.integers(0, 10**9))
def test_parts_sum_exactly_and_stay_within_one_of_their_quota(
    shares: list[float], budget: int
) -> None:
    parts = largest_remainder(np.array(shares), budget)
    total = sum(map(Fraction, shares))

    assert int(parts.sum()) == budget
    for part, share in zip(parts.tolist(), shares, strict=True):
        assert abs(part - budget * Fraction(share) / total) < 1


def test_the_textbook_example_of_largest_remainders() -> None:
    votes = np.array([47_000, 16_000, 15_800, 12_000, 6_100, 3_100])

    assert largest_remainder(votes, 10).tolist() == [5, 2, 1, 1, 1, 0]


def test_equal_remainders_go_to_the_earlier_part() -> None:
    assert largest_remainder(np.ones(3), 5).tolist() == [2, 2, 1]


def test_shares_that_cannot_be_split_are_refused() -> None:
    for shares, budget in (([-1.0, 2.0], 3), ([np.inf], 3), ([1.0], -1)):
        with pytest.raises(InputError, match="finite and not negative"):
            largest_remainder(np.array(shares), budget)
    with pytest.raises(InputError, match="pass equal shares"):
        largest_remainder(np.zeros(2), 3)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(-0.2, 0.9), min_size=1, max_size=6),
    history=HISTORIES,
    budget=st.integers(0, 5000),
    explore=st.floats(0, 1),
)
def test_every_plan_sums_exactly_and_keeps_the_floor(
    gaps: list[float], history: list[tuple[int, str, float]], budget: int, explore: float
) -> None:
    kinds = ("class", "corruption")
    weak = [
        make_weakness(f"w{k}", gap, n=10 + 50 * k, kind=kinds[k % 2]) for k, gap in enumerate(gaps)
    ]
    plan = plan_for(weak, history, budget, explore)

    assert plan.budget == budget == sum(counts(plan).values())
    assert plan.labels == 7
    assert min(counts(plan).values()) >= int(explore / len(weak) * budget - 1e-6)


def test_without_history_shares_follow_gap_times_root_n() -> None:
    weak = [make_weakness("a", 0.6, 100), make_weakness("b", 0.1, 400)]
    plan = plan_for(weak, explore=0.0)

    assert not plan.is_uniform
    assert counts(plan) == {"a": 750, "b": 250}  # 0.6 * 10 against 0.1 * 20
    assert "no benefit measured yet" in plan.items[0].evidence


def test_a_planted_good_weakness_gets_most_of_the_budget_and_the_others_their_floor() -> None:
    weak = [make_weakness(f"w{k}", 0.3) for k in range(4)]
    history = [(t, f"w{k}", 0.2 if k == 2 else 0.0) for t in range(5) for k in range(4)]
    plan = plan_for(weak, history)
    parts = counts(plan)

    assert not plan.is_uniform
    assert parts["w2"] > 750
    assert min(parts.values()) >= 50
    assert plan.items[2].expected_gain > 0.1 > plan.items[0].expected_gain
    assert "measured benefit +20.0 points over 5 iterations" in plan.items[2].evidence


def test_thompson_learns_a_planted_arm_from_noisy_measurements() -> None:
    weak = [make_weakness(f"w{k}", 0.3, 200) for k in range(4)]
    wins = 0
    for trial in range(20):
        rng = np.random.default_rng(trial)
        history: list[tuple[int, str, float]] = []
        for t in range(8):
            history += [
                (t, f"w{k}", (0.15 if k == 1 else 0.02) + rng.normal(0, 0.05)) for k in range(4)
            ]
        parts = counts(plan_for(weak, history, seed=trial))
        wins += max(parts, key=lambda name: parts[name]) == "w1"

    assert wins >= 18


def test_recent_benefits_count_more_than_old_ones() -> None:
    weak = [make_weakness("a", 0.3), make_weakness("b", 0.3)]
    old_a = [(0, "a", 0.2), (0, "b", 0.0), (6, "a", 0.0), (6, "b", 0.2)]

    mean = believe(weak, old_a).mean
    assert mean[1] > mean[0] + 0.02


def test_beliefs_equal_the_conjugate_normal_update() -> None:
    weak = [make_weakness("a", 0.0, 50)]  # without a gap the prior mean is zero
    belief = believe(weak, [(3, "a", 0.1), (4, "a", 0.3)])
    precision = 1 / 0.05**2 + (0.7 + 1.0) / (0.5 / 50)

    assert belief.mean[0] == pytest.approx((0.7 * 0.1 + 0.3) / (0.5 / 50) / precision)
    assert belief.sd[0] == pytest.approx(precision**-0.5)
    assert belief.observed[0] == pytest.approx((0.07 + 0.3) / 1.7)


def test_a_weakness_nobody_worked_on_profits_from_what_others_showed() -> None:
    weak = [make_weakness("a", 0.4, 400), make_weakness("new", 0.4, 400)]
    good = believe(weak, [(t, "a", 0.3) for t in range(4)]).mean[1]
    bad = believe(weak, [(t, "a", -0.1) for t in range(4)]).mean[1]

    assert good > believe(weak, []).mean[1] > bad


def test_weaknesses_that_do_not_differ_share_evenly_and_the_plan_says_so() -> None:
    weak = [make_weakness("a", 0.21), make_weakness("b", 0.2), make_weakness("c", 0.19)]
    plan = plan_for(weak, budget=300)

    assert plan.is_uniform
    assert set(counts(plan).values()) == {100}
    assert all("no better than uniform" in item.evidence for item in plan.items)


def test_noise_alone_is_called_uniform_about_nine_times_in_ten() -> None:
    rng = np.random.default_rng(0)
    deviation = (0.25 / 100) ** 0.5
    p_values = []
    for _ in range(400):
        weak = [make_weakness(f"w{k}", 0.2 + rng.normal(0, deviation)) for k in range(5)]
        p_values.append(difference_p_value(weak, believe(weak, [])))

    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=0.05)


def test_measured_benefits_can_tell_weaknesses_of_equal_gap_apart() -> None:
    weak = [make_weakness("a", 0.2, 200), make_weakness("b", 0.2, 200)]
    history = [(t, name, benefit) for t in range(4) for name, benefit in (("a", 0.2), ("b", -0.1))]

    assert plan_for(weak).is_uniform
    assert not plan_for(weak, history).is_uniform


def test_closed_weaknesses_get_nothing_and_regressed_ones_do() -> None:
    weak = [
        make_weakness("open"),
        make_weakness("closed", 0.9, state="closed"),
        make_weakness("regressed", state="regressed"),
    ]

    assert set(counts(plan_for(weak))) == {"open", "regressed"}


@pytest.mark.parametrize("weak", [[], [make_weakness("closed", state="closed")]])
def test_without_open_weaknesses_the_plan_is_empty(weak: list[Weakness]) -> None:
    plan = plan_for(weak)

    assert (plan.budget, plan.items, plan.labels) == (0, (), 7)


def test_a_single_weakness_gets_everything() -> None:
    plan = plan_for([make_weakness("only")])

    assert counts(plan) == {"only": 1000}
    assert "only open weakness" in plan.items[0].evidence


def test_corruptions_do_not_crowd_out_the_rest() -> None:
    weak = [make_weakness(f"c{k}", 0.5, 400, kind="corruption") for k in range(3)]
    weak.append(make_weakness("class", 0.2, 40))
    parts = counts(plan_for(weak))

    assert parts["class"] == 750
    assert min(parts[f"c{k}"] for k in range(3)) >= 50


def test_corruptions_may_have_everything_when_they_are_all_there_is() -> None:
    weak = [make_weakness("a", 0.6, kind="corruption"), make_weakness("b", 0.1, kind="corruption")]

    assert counts(plan_for(weak, explore=0.0))["a"] == pytest.approx(857, abs=1)


def test_a_declared_weakness_without_rows_or_interval_can_be_planned() -> None:
    weak = [make_weakness("a", 0.9), make_weakness("declared", 0.1, low=0.1, high=0.1)]
    weak[1] = weak[1].model_copy(update={"n": 0})

    assert sum(counts(plan_for(weak)).values()) == 1000


def test_a_share_for_everywhere_is_taken_before_weaknesses_divide_the_rest() -> None:
    weak = [make_weakness("w0", 0.4), make_weakness("w1", 0.2)]

    plan = allocate(weak, 101, [], labels=0, explore=0.2, seed=0, everywhere=0.5)

    found = counts(plan)
    assert list(found)[-1] == EVERYWHERE
    assert found[EVERYWHERE] == round(0.5 * 101)
    assert sum(found.values()) == 101
    assert found["w0"] > found["w1"]


def test_equal_seeds_give_equal_plans() -> None:
    weak = [make_weakness("a", 0.5), make_weakness("b", 0.1)]
    history = [(0, "a", 0.05), (0, "b", 0.05)]

    assert plan_for(weak, history, seed=3).digest == plan_for(weak, history, seed=3).digest


def test_impossible_budgets_are_refused() -> None:
    with pytest.raises(InputError, match=r"plan\.explore"):
        plan_for([make_weakness("a")], explore=1.5)
    with pytest.raises(InputError, match="at least 0"):
        plan_for([make_weakness("a")], budget=-1)
