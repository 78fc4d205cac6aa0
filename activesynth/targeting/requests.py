"""From a plan to one row per candidate: what each sample is to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.documents import EVERYWHERE, Plan, PlanItem, Weakness, WeaknessProfile
from activesynth.errors import InputError
from activesynth.targeting.apportionment import largest_remainder

FREE = -1
UNCERTAIN_LEVEL = 2
LEAST_SEVERITY = 0.05


@dataclass(frozen=True, slots=True)
class Order:
    """What each candidate is to be; aligned arrays of shape ``(m,)``.

    Attributes:
        labels: int64 class.
        clusters: int64 cluster, -1 where free.
        levels: int64 uncertainty level (2 is high), -1 where free.
        weakness: Unicode id of the weakness it is made for, "" for none.
        perturbations: Unicode name of a corruption, "" for none.
        severities: float64 in ``[0, 1]``, 0 without a corruption.
    """

    labels: Array
    clusters: Array
    levels: Array
    weakness: Array
    perturbations: Array
    severities: Array

    def __len__(self) -> int:
        """Return the number of candidates."""
        return len(self.labels)


def _shares(share: Mapping[int, float], classes: int) -> Array:
    shares = np.zeros(classes)
    for label, value in share.items():
        if not 0 <= label < classes:
            raise InputError(
                f"class_share names class {label}, but there are {classes} classes (0 to "
                f"{classes - 1}); diagnose again with this campaign's classes.",
                reason="class_share",
            )
        shares[label] = value
    return shares


def expand(
    plan: Plan,
    profile: WeaknessProfile,
    *,
    classes: int,
    oversample: float,
    train_counts: Array,
    seed: int,
) -> Order:
    """Turn a plan into candidates, ``oversample`` for each planned sample.

    A class weakness fixes the label; a cluster weakness the cluster; an uncertain region asks
    for level 2; a corruption for its name with severities from half the profile's to the
    harshest, and for all classes evenly: a corruption that is seen with few classes only becomes
    a cue for them; a slice of attributes for the clusters its errors lie in, since no generator
    knows attributes. A declared weakness is treated as what was declared, and what is planned for
    everywhere asks for all classes evenly. Other labels that are not fixed follow the weakness's
    ``class_share``. A class without a single training row is left out, since no generator could
    have learnt it: a class weakness of such a class yields no candidates, and the shortfall shows
    in the selection.

    Args:
        plan: The plan.
        profile: The weakness profile it was made from.
        classes: Number of classes.
        oversample: Candidates per planned sample, at least 1.
        train_counts: Training rows per class, ``(classes,)``.
        seed: Seed of the order of labels and of severities.

    Returns:
        The candidates, in the order of the plan.

    Raises:
        InputError: If the plan names a weakness that the profile does not hold, or a key cannot
            be read as its kind demands.
    """
    by_id = {weakness.id: weakness for weakness in profile.weaknesses}
    seen = np.asarray(train_counts) > 0
    parts = []
    for number, item in enumerate(plan.items):
        count = _candidates(item, oversample)
        rng = np.random.default_rng([seed, number])
        if item.weakness == EVERYWHERE:
            known = np.flatnonzero(seen) if seen.any() else np.arange(classes)
            parts.append(_fill(np.resize(known, count), EVERYWHERE))
            continue
        parts.append(_order(_find(by_id, item), count, classes, seen, rng))
    return _join(parts)


def candidates(plan: Plan, oversample: float) -> int:
    """Return how many candidates :func:`expand` makes of a plan at most."""
    return sum(_candidates(item, oversample) for item in plan.items)


def _candidates(item: PlanItem, oversample: float) -> int:
    return int(np.ceil(item.count * oversample - 1e-9))


def untargeted(count: int, classes: int) -> Order:
    """Return ``count`` class-balanced candidates for no weakness: what the random arm gets."""
    return _fill(np.arange(count, dtype=np.int64) % max(classes, 1))


def _find(by_id: Mapping[str, Weakness], item: PlanItem) -> Weakness:
    if item.weakness not in by_id:
        raise InputError(
            f"the plan spends on weakness {item.weakness!r}, which the profile does not hold; "
            "plan again from this profile.",
            reason="unknown_weakness",
        )
    return by_id[item.weakness]


def _order(
    weakness: Weakness, count: int, classes: int, seen: Array, rng: np.random.Generator
) -> Order:
    if weakness.target_kind == "class":
        return _fill(_of_class(weakness, count, classes, seen), weakness.id)
    shares = _shares(weakness.class_share, classes) * seen
    if weakness.target_kind == "corruption" or not shares.any():
        shares = seen if seen.any() else np.ones(classes)
    labels = rng.permutation(np.repeat(np.arange(classes), largest_remainder(shares, count)))
    if weakness.target_kind == "uncertain":
        return _fill(labels, weakness.id, level=UNCERTAIN_LEVEL)
    if weakness.target_kind == "corruption":
        name = weakness.target_key.removeprefix("corruption:").partition(":")[0]
        return _fill(
            labels, weakness.id, perturbation=name, severities=_severities(weakness, count, rng)
        )
    return _fill(labels, weakness.id, clusters=_clusters(weakness, count, rng))


def _of_class(weakness: Weakness, count: int, classes: int, seen: Array) -> Array:
    label = _number(weakness)
    if not 0 <= label < classes:
        raise InputError(
            f"weakness {weakness.id!r} is about class {label}, but there are {classes} classes.",
            reason="weakness_key",
        )
    return np.full(count if seen[label] else 0, label, np.int64)


def _clusters(weakness: Weakness, count: int, rng: np.random.Generator) -> Array | None:
    clusters = weakness.clusters
    if not clusters and weakness.target_kind == "cluster":
        clusters = (_number(weakness),)
    if not clusters:
        return None
    return rng.permutation(np.resize(np.array(clusters, np.int64), count))


def _number(weakness: Weakness) -> int:
    """Read the class or cluster off a key such as ``3`` or ``class:3``."""
    text = weakness.key.rpartition(":")[2]
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"weakness {weakness.id!r} of kind {weakness.kind} has the key {weakness.key!r}, which "
            "does not end in a number; write it as `3` or "
            f"`{weakness.kind}:3`.",
            reason="weakness_key",
        ) from None


def _severities(weakness: Weakness, count: int, rng: np.random.Generator) -> Array:
    """Draw from half the severity that hurts to the harshest; from all where none is known.

    The profile names the mildest severity found, and what hurts there hurts no less beyond it. A
    model that learns from clean rows and harsh copies alone stays weak to what lies between.
    """
    return rng.uniform(max(LEAST_SEVERITY, weakness.severity / 2.0), 1.0, count)


def _fill(
    labels: Array,
    weakness: str = "",
    *,
    clusters: Array | None = None,
    level: int = FREE,
    perturbation: str = "",
    severities: Array | None = None,
) -> Order:
    count = len(labels)
    return Order(
        labels=labels.astype(np.int64),
        clusters=np.full(count, FREE, np.int64) if clusters is None else clusters,
        levels=np.full(count, level, np.int64),
        weakness=np.full(count, weakness),
        perturbations=np.full(count, perturbation),
        severities=np.zeros(count) if severities is None else severities,
    )


def _join(parts: list[Order]) -> Order:
    if not parts:
        return _fill(np.zeros(0, np.int64))
    return Order(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in Order.__dataclass_fields__
        )
    )
