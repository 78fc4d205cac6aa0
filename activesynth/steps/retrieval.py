"""Look in the pool for what the plan would have made, before it is made."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from activesynth.diagnosis.attributes import attribute_groups
from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import Plan, WeaknessProfile
from activesynth.steps.evaluate import confirming, rows_of
from activesynth.steps.turn import Turn
from activesynth.targeting.retrieval import (
    Neighbours,
    Retrieved,
    failures,
    retrieve,
    shares_to_retrieve,
)

MAKING = ("fit_generator", "generate", "screen")
"""The steps that a generated row needs and a retrieved one does not."""

logger = logging.getLogger(__name__)


def retrieve_for(turn: Turn, plan: Plan, profile: WeaknessProfile) -> dict[str, Array]:
    """Find the pool rows nearest to where the model fails, as aligned arrays.

    Returns:
        ``ids``, ``weakness`` (unicode) and ``distance`` (Euclidean, embedding space), ``(n,)``,
        in the order in which they are to be asked about.
    """
    embedded = turn.step("embed").artifacts
    settings = turn.config.selection
    budget = round(settings.retrieve * settings.labels)
    if "pool_index" not in embedded or budget < 1 or not plan.items:
        return _as_arrays([], np.zeros(0, "<U1"))
    ids = turn.artifacts.arrays(embedded["pool"])["ids"]
    found = _search(turn, profile, k=min(budget, len(ids)), pool_index=embedded["pool_index"])
    return _as_arrays(retrieve(shares_to_retrieve(plan, found, budget), found, ids), ids)


def _search(
    turn: Turn, profile: WeaknessProfile, *, k: int, pool_index: str
) -> dict[str, Neighbours]:
    """Search the pool around the failures of every weakness that has some."""
    guide = load_split(turn.platform.objects, turn.manifest, "guide")
    vectors = turn.artifacts.arrays(turn.step("embed").artifacts["guide"])["vectors"]
    scores = turn.artifacts.arrays(turn.step("diagnose").artifacts["scores"])
    searching = ~confirming(scores, profile.found_on)
    index = turn.platform.objects.get(pool_index)
    is_wrong = scores["probs"].argmax(axis=1) != guide.y
    found = {}
    attributes = attribute_groups(guide.columns)
    for weakness in profile.weaknesses:
        # A corruption has no rows: the pool holds clean inputs, whose labels do not show it.
        members = rows_of(weakness, guide.y, scores, attributes)
        if members is not None and len(rows := failures(members, is_wrong, searching)):
            distances, neighbours = turn.platform.index.search(index, vectors[rows], k)
            found[weakness.id] = Neighbours(neighbours, distances)
    return found


def _as_arrays(picks: list[Retrieved], ids: Array) -> dict[str, Array]:
    return {
        "ids": ids[[pick.row for pick in picks]] if picks else np.zeros(0, "<U1"),
        "weakness": np.array([pick.weakness for pick in picks], "<U64"),
        "distance": np.array([pick.distance for pick in picks], np.float64),
    }


def cost_of_both(turn: Turn, retrieved: int, generated: int) -> dict[str, dict[str, int]]:
    """Say what this plan's rows cost either way, in rows and labels, and log the expected seconds.

    A retrieved row costs a label; a generated one no label, and the seconds that a row of both arms
    took to make and to screen in the last committed iteration. Seconds are told and not recorded
    among the facts: the same work has the same facts, however long it took.
    """
    before = turn.ref.number - 1
    each = seconds_per_generated(
        turn.platform.reader.step_costs(turn.ref.campaign),
        turn.platform.reader.metrics(turn.ref.campaign, before) if before >= 0 else [],
        before,
    )
    logger.info(
        "plan iteration=%s retrieved=%d generated=%d expected_seconds=%s",
        turn.ref,
        retrieved,
        generated,
        "unknown" if each is None else f"{each * generated:.1f}",
    )
    return {
        "retrieved": {"rows": retrieved, "labels": retrieved},
        "generated": {"rows": generated, "labels": 0},
    }


def seconds_per_generated(
    costs: Iterable[Mapping[str, Any]], metrics: Iterable[Mapping[str, Any]], iteration: int
) -> float | None:
    """Return the seconds that one row that trains cost in an iteration; None if there was none."""
    made = sum(float(row["value"]) for row in metrics if row["name"] == "synthetic_rows")
    spent = sum(
        float(row["seconds"])
        for row in costs
        if row["step"] in MAKING and int(row["iteration"]) == iteration
    )
    return spent / made if made else None
