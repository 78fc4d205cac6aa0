"""Which pool rows lie nearest to where the model fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.documents import Plan
from activesynth.targeting.apportionment import largest_remainder


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What a search found for one weakness: pool rows and squared distances, ``(queries, k)``.

    Nearest first along the second axis; row -1 means that an approximate index found no more.
    """

    rows: Array
    distances: Array


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One pool row to ask about: its row number, the weakness it was found for, how far it is.

    ``distance`` is Euclidean, in embedding space, to the nearest of the weakness's failures.
    """

    row: int
    weakness: str
    distance: float


def failures(members: Array, is_wrong: Array, searching: Array) -> Array:
    """Return the guide rows that stand for a weakness, ``(m,)`` int64.

    Rows of the half that found the weakness, in its slice and predicted wrongly; where none is
    wrong (an uncertain region can be lucky), all rows of the slice in that half. The confirming
    half is never looked at, so it can still say what the bought labels were worth.

    Args:
        members: Which guide rows lie in the slice, ``(n,)`` bool.
        is_wrong: Which are predicted wrongly, ``(n,)`` bool.
        searching: Which belong to the half that found the weakness, ``(n,)`` bool.
    """
    there = members & searching
    wrong = there & is_wrong
    return np.flatnonzero(wrong if wrong.any() else there)


def shares_to_retrieve(plan: Plan, found: Mapping[str, Neighbours], budget: int) -> dict[str, int]:
    """Split the labels to retrieve over the weaknesses that can be searched for, as the plan does.

    Returns:
        Weakness id to a number of labels, in the plan's order, summing to ``budget``, or empty
        where nothing can be searched for or the plan spends nothing.
    """
    items = [item for item in plan.items if item.weakness in found and item.count > 0]
    if budget < 1 or not items:
        return {}
    parts = largest_remainder(np.array([item.count for item in items], np.float64), budget)
    return {item.weakness: int(part) for item, part in zip(items, parts, strict=True)}


def retrieve(
    wanted: Mapping[str, int], found: Mapping[str, Neighbours], ids: Array
) -> list[Retrieved]:
    """Choose distinct pool rows for each weakness, nearest first; what one lacks goes to the next.

    A weakness takes the first neighbour of each of its failures before any second one: else one
    crowded place would take all. Equals go by distance, then by id, so the choice does not hang
    on the order of the pool.

    Args:
        wanted: Weakness id to a number of rows, in the order they are served.
        found: What the search gave for each.
        ids: Pool ids, ``(n,)``.

    Returns:
        At most ``sum(wanted)`` rows, by weakness, each in the order of choice.
    """
    missing = 0
    taken: set[int] = set()
    chosen: list[Retrieved] = []
    for is_first_round in (True, False):
        for weakness, count in wanted.items():
            goal = missing + (count if is_first_round else 0)
            picks = _nearest(weakness, found[weakness], ids, taken, goal)
            missing = goal - len(picks)
            taken.update(pick.row for pick in picks)
            chosen.extend(picks)
    return chosen


def _nearest(
    weakness: str, found: Neighbours, ids: Array, taken: set[int], count: int
) -> list[Retrieved]:
    rows, distances = found.rows.ravel(), np.sqrt(found.distances.astype(np.float64)).ravel()
    rank = np.broadcast_to(np.arange(found.rows.shape[1]), found.rows.shape).ravel()
    is_row = rows >= 0
    rows, distances, rank = rows[is_row], distances[is_row], rank[is_row]
    least = np.full(len(ids), np.inf)
    np.minimum.at(least, rows, distances)
    picks: dict[int, Retrieved] = {}
    for row in rows[np.lexsort((ids[rows], distances, rank))].tolist():
        if len(picks) == count:
            break
        if row not in taken and row not in picks:
            picks[row] = Retrieved(row, weakness, float(least[row]))
    return list(picks.values())
