"""The budget of an iteration, split over weaknesses by what their data is expected to bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.documents import EVERYWHERE, Plan, PlanItem, Weakness
from activesynth.errors import InputError
from activesynth.targeting.apportionment import largest_remainder
from activesynth.targeting.belief import (
    Belief,
    History,
    believe,
    difference_p_value,
    positive_gaps,
    rows_behind,
)

__all__ = ["EVIDENCE_ALPHA", "allocate", "largest_remainder"]

EVIDENCE_ALPHA = 0.1
CORRUPTION_SHARE = 0.25
THOMPSON_DRAWS = 4096


def allocate(
    weaknesses: Sequence[Weakness],
    budget: int,
    history: History,
    *,
    labels: int,
    explore: float,
    seed: int,
    corruption_share: float = CORRUPTION_SHARE,
    pressure: Mapping[str, float] | None = None,
    seconds: Mapping[str, float] | None = None,
    everywhere: float = 0.0,
) -> Plan:
    """Split ``budget`` over the open and regressed weaknesses.

    The gain from a weakness is its benefit times the root of the rows behind it, halfway
    between counting every slice alike and counting every row alike. Before anything was
    measured, shares are proportional to gap * sqrt(n). Afterwards a weakness's share is the
    probability that its gain is the largest (Thompson sampling, averaged over draws, since a
    whole batch is planned at once) under a discounted, shrunk normal posterior. In both cases
    ``explore`` of the budget is spread evenly.

    Corruptions together get at most ``corruption_share`` while other weaknesses are open, but
    never less than their even part of what is explored: every row can be corrupted, so by gap and
    rows they would crowd out the rest, and their data lowers the accuracy on clean rows.

    All shares are equal when the evidence is no better than uniform: when Cochran's test does
    not tell the weaknesses apart at the 10 % level, neither by gap nor by measured benefit.

    With ``seconds`` gain per second takes the place of gain throughout: what counts when time, and
    not rows, is what a campaign runs out of. Weaknesses that cannot be told apart then get equal
    seconds instead of equal rows.

    Args:
        weaknesses: Of the current profile; closed ones get nothing and are left out.
        budget: Number of synthetic samples, at least 0.
        history: (iteration, weakness id, measured benefit), any order.
        labels: Annotation budget, copied into the plan.
        explore: Share of the budget spread evenly, in ``[0, 1]``.
        seed: Seed of the Thompson draws.
        corruption_share: Largest share of all corruptions together, in ``[0, 1]``.
        pressure: How much the last training's adaptive sampler favoured each weakness's rows, 1
            being the average; a weakness that it had to draw more often is worth more data.
        seconds: What a row for each weakness costs, positive; one that is missing costs the mean.
        everywhere: Share of the budget, in ``[0, 1]``, that goes to all classes alike and stands
            in the plan under :data:`EVERYWHERE`; the rest is split as said.

    Returns:
        The plan. Its parts sum exactly to its budget, which is 0 when no weakness is open.

    Raises:
        InputError: If ``budget`` is negative, ``explore`` lies outside ``[0, 1]``, or a cost is not
            above 0.

    References:
        Thompson 1933, doi:10.1093/biomet/25.3-4.285; with costs Xia et al. 2015, IJCAI
        ("Thompson sampling for budgeted multi-armed bandits"), whose ratio this is.
    """
    if budget < 0 or not 0.0 <= explore <= 1.0:
        raise InputError(
            f"the budget must be at least 0 and `plan.explore` in [0, 1], got {budget} and "
            f"{explore:g}.",
            reason="budget",
        )
    weak = [weakness for weakness in weaknesses if weakness.state != "closed"]
    if not weak:
        return Plan(budget=0, labels=labels, is_uniform=True, items=())
    belief = believe(weak, history)
    p_value = difference_p_value(weak, belief)
    even = np.full(len(weak), 1.0 / len(weak))
    per_second = _per_second(weak, seconds)
    is_equal = p_value > EVIDENCE_ALPHA
    is_uniform = is_equal and bool(np.ptp(per_second) == 0.0)
    wanted = even
    if not is_uniform:
        factors = np.array([(pressure or {}).get(weakness.id, 1.0) for weakness in weak])
        wanted = (
            per_second / per_second.sum()
            if is_equal
            else _preference(weak, belief, seed, factors * per_second)
        )
    shares = explore * even + (1.0 - explore) * wanted
    if not is_uniform:
        shares = _capped(weak, shares, explore * even, corruption_share)
    reason = ""
    if is_equal:
        reason = _uniform_reason(len(weak), p_value)
    if is_equal and not is_uniform:
        reason = f"equal seconds for each: the gains differ no more than chance (p = {p_value:.2f})"
    apart = round(everywhere * budget)
    items = tuple(
        PlanItem(
            weakness=weakness.id,
            count=int(count),
            expected_gain=float(belief.mean[k]),
            evidence=_evidence(weakness, belief, k, float(wanted[k]), reason),
        )
        for k, (weakness, count) in enumerate(
            zip(weak, largest_remainder(shares, budget - apart), strict=True)
        )
    )
    if apart:
        told = f"`plan.everywhere` = {everywhere:g} of the budget, all classes alike"
        rest = PlanItem(weakness=EVERYWHERE, count=apart, expected_gain=0.0, evidence=told)
        items = (*items, rest)
    return Plan(budget=budget, labels=labels, is_uniform=is_uniform, items=items)


def _per_second(weak: Sequence[Weakness], seconds: Mapping[str, float] | None) -> Array:
    """Return how many rows of each weakness a second buys, relative to their mean cost."""
    known = [value for value in (seconds or {}).values() if value > 0.0]
    if len(known) < len(seconds or {}):
        raise InputError(
            f"a row cannot cost 0 seconds or less, got {dict(seconds or {})}; leave out what was "
            "not measured.",
            reason="seconds",
        )
    mean = float(np.mean(known)) if known else 1.0
    return mean / np.array([(seconds or {}).get(weakness.id, mean) for weakness in weak])


def _preference(weak: Sequence[Weakness], belief: Belief, seed: int, factors: Array) -> Array:
    """Return shares that sum to 1, without the floor."""
    importance = np.sqrt(rows_behind(weak)) * factors
    if not belief.measurements.any():
        gains = positive_gaps(weak) * importance
        total = gains.sum()
        return gains / total if total > 0 else np.full(len(weak), 1.0 / len(weak))
    rng = np.random.default_rng(seed)
    draws = belief.mean + belief.sd * rng.standard_normal((THOMPSON_DRAWS, len(weak)))
    best = (draws * importance).argmax(axis=1)
    shares: Array = np.bincount(best, minlength=len(weak)) / THOMPSON_DRAWS
    return shares


def _capped(weak: Sequence[Weakness], shares: Array, floor: Array, cap: float) -> Array:
    """Hand what corruptions have above ``cap`` to the others, in proportion to their shares."""
    is_corruption = np.array([weakness.target_kind == "corruption" for weakness in weak])
    total, least = shares[is_corruption].sum(), floor[is_corruption].sum()
    limit = max(cap, least)
    if is_corruption.all() or total <= limit:
        return shares
    others = np.where(is_corruption, 0.0, shares)
    if not others.any():
        others = np.where(is_corruption, 0.0, 1.0)
    kept = floor + (shares - floor) * (limit - least) / (total - least)
    capped: Array = np.where(is_corruption, kept, shares + (total - limit) * others / others.sum())
    return capped


def _uniform_reason(count: int, p_value: float) -> str:
    if count == 1:
        return "it is the only open weakness and gets the whole budget"
    return (
        f"spread evenly over {count} weaknesses: the evidence is no better than uniform, they "
        f"differ no more than chance would make them (p = {p_value:.2f})"
    )


def _evidence(weakness: Weakness, belief: Belief, k: int, share: float, uniform: str) -> str:
    """Say in plain words why the weakness gets its part."""
    gap = (
        f"fails {100 * weakness.gap:.1f} points more often than the reference "
        f"[{100 * weakness.low:.1f}, {100 * weakness.high:.1f}] on {weakness.n} rows"
    )
    times = int(belief.measurements[k])
    if times:
        measured = (
            f"measured benefit {100 * belief.observed[k]:+.1f} points over {times} "
            f"iteration{'s' if times > 1 else ''}, shrunk to {100 * belief.mean[k]:+.1f} "
            f"(sd {100 * belief.sd[k]:.1f})"
        )
    else:
        measured = "no benefit measured yet"
    if uniform:
        return f"{gap}; {measured}; {uniform}"
    rule = "best in" if belief.measurements.any() else "by gap * sqrt(n) it is due"
    unit = "of Thompson draws" if belief.measurements.any() else "of what is not explored"
    return f"{gap}; {measured}; {rule} {share:.0%} {unit}"
