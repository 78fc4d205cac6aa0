"""Drawing splits that share no sample, no group and no near duplicate, and checking them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import combinations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.samples import UNLABELLED
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.near_duplicates import (
    ScaledRows,
    has_near_duplicate,
    joined,
    near_duplicate_groups,
)
from activesynth.evaluation.range_search import Table

GROWING = ("train", "pool")
"""The splits that later rows may enter; all others are guarded from them."""


def connected_groups(groups: Array, x: Table, near_duplicate: float) -> Array:
    """Merge groups that near duplicates connect.

    Args:
        groups: What must stay together, shape ``(n,)``, unicode.
        x: Rows as from ``unit_scaled``, shape ``(n, features)``.
        near_duplicate: Root-mean-square difference per feature under which two rows are one.

    Returns:
        The alphabetically first group name of each component, shape ``(n,)``.
    """
    names, own = np.unique(groups, return_inverse=True)
    component = near_duplicate_groups(x, near_duplicate)
    merged = joined(own, len(names) + component, len(names) + len(x))[own]
    first = np.full(len(names) + len(x), len(names))
    np.minimum.at(first, merged, own)
    result: Array = names[first[merged]]
    return result


def draw_splits(
    y: Array,
    groups: Array,
    x: Table,
    shares: Mapping[str, float],
    *,
    near_duplicate: float,
    seed: int,
) -> dict[str, Array]:
    """Divide rows into splits, stratified by class as far as groups allow.

    Groups of several rows go, largest first, where their classes are missing most; single rows
    then fill each class up to its share. Unlabelled rows enter the pool; those whose group stands
    in a guarded split are in no split at all.

    Args:
        y: Labels, shape ``(n,)``, ``-1`` where unknown.
        groups: What must stay together, shape ``(n,)``.
        x: Rows as from ``unit_scaled``, shape ``(n, features)``.
        shares: Share of the labelled rows per split, summing to 1.
        near_duplicate: See :func:`connected_groups`; 0 connects nothing.
        seed: Decides between equals.

    Returns:
        Ascending row numbers per split, int64; every name in ``shares`` is there.

    Raises:
        InputError: ``too_few_groups`` if a split with a share would stay empty.
        ShapeError: If the arguments do not align or the shares do not sum to 1.
    """
    if len(x) != len(groups):
        raise _unaligned(y, groups, shares)
    return split_groups(y, connected_groups(groups, x, near_duplicate), shares, seed=seed)


def split_groups(
    y: Array, groups: Array, shares: Mapping[str, float], *, seed: int
) -> dict[str, Array]:
    """Divide rows as :func:`draw_splits` does, where near duplicates share a group already."""
    if len(y) != len(groups) or abs(sum(shares.values()) - 1.0) > 1e-6:
        raise _unaligned(y, groups, shares)
    names = list(shares)
    _, group = np.unique(groups, return_inverse=True)
    is_labelled = y != UNLABELLED
    counts = np.zeros((group.max(initial=-1) + 1, max(1, int(y.max(initial=0)) + 1)))
    np.add.at(counts, (group[is_labelled], y[is_labelled]), 1)
    rng = np.random.default_rng(seed)
    place = _placed(counts, np.array([shares[name] for name in names]), rng)[group]
    splits = {
        name: np.flatnonzero(is_labelled & (place == number)) for number, name in enumerate(names)
    }
    empty = [name for name in names if shares[name] > 0 and not len(splits[name])]
    if empty:
        raise InputError(
            f"`splits`: nothing is left for {empty}; {int(is_labelled.sum())} labelled rows form "
            f"only {int((counts.sum(1) > 0).sum())} groups that must stay together. Add data, "
            "lower `splits.near_duplicate`, or set the share to 0.",
            reason="too_few_groups",
            field="splits",
        )
    if "pool" in splits:
        growing = [names.index(name) for name in GROWING if name in names]
        is_free = np.isin(place, growing) | (counts.sum(1)[group] == 0)
        splits["pool"] = np.union1d(splits["pool"], np.flatnonzero(~is_labelled & is_free))
    return splits


def _unaligned(y: Array, groups: Array, shares: Mapping[str, float]) -> ShapeError:
    return ShapeError(
        f"draw_splits needs aligned rows and shares that sum to 1, got {len(y)} labels, "
        f"{len(groups)} groups and shares {dict(shares)}."
    )


def _placed(counts: Array, shares: Array, rng: np.random.Generator) -> Array:
    """Return the split number of each group, ``counts`` being ``(groups, classes)``."""
    missing = shares[:, np.newaxis] * counts.sum(0)
    place = np.full(len(counts), -1)
    size = counts.sum(1)
    many = np.flatnonzero(size > 1)
    many = rng.permutation(many)
    for row in many[np.argsort(-size[many], kind="stable")]:
        # Relative to the share: else the largest split would swallow all large groups.
        need = (missing @ counts[row]) / np.maximum(shares, 1e-12)
        best = int(np.argmax(np.where(shares > 0, need, -np.inf)))
        place[row] = best
        missing[best] -= counts[row]
    for label in range(counts.shape[1]):
        single = rng.permutation(np.flatnonzero((size == 1) & (counts[:, label] == 1)))
        place[single] = np.repeat(
            np.arange(len(shares)), _filled(missing[:, label], shares, len(single))
        )
    return place


def _filled(missing: Array, shares: Array, count: int) -> Array:
    """Spread ``count`` rows over splits by what they miss; the parts sum to ``count``."""
    wanted = np.where(shares > 0, np.maximum(missing, 0.0), 0.0)
    wanted = wanted if wanted.sum() > 0 else shares
    exact = wanted / wanted.sum() * count
    parts: Array = np.floor(exact + 1e-9).astype(np.int64)
    rest = np.argsort(-(exact - parts), kind="stable")[: count - parts.sum()]
    parts[rest] += 1
    return parts


def halves(ids: Array, groups: Array, *, seed: int) -> Array:
    """Tell which rows belong to half A; a group is never divided.

    The answer for a row hangs on the name of its group (its own id where the group has no name)
    and on the seed alone, so it does not change when rows are added.

    Args:
        ids: Sample ids, shape ``(n,)``.
        groups: Group names, shape ``(n,)``.
        seed: The campaign's seed for halves.

    Returns:
        Shape ``(n,)`` bool, True in half A.
    """
    owners, inverse = np.unique(np.where(groups == "", ids, groups), return_inverse=True)
    is_a = [hashlib.sha256(f"half|{seed}|{name}".encode()).digest()[0] < 128 for name in owners]
    return np.array(is_a, bool)[inverse]


def leaks(
    splits: Mapping[str, Array], ids: Array, groups: Array, x: ScaledRows, *, near_duplicate: float
) -> list[str]:
    """Say, a sentence each, what two splits share that they must not; empty when all is well.

    Train and pool count as one, since the pool's rows move to train.

    Args:
        splits: Row numbers by split.
        ids: What names a row, ``(n,)``: texts, or numbers in their place.
        groups: What must stay together, ``(n,)``.
        x: All rows as from ``scaled_rows``.
        near_duplicate: See :func:`connected_groups`; 0 finds none.
    """
    growing = [splits[name] for name in GROWING if name in splits]
    sides = {"train and pool": np.concatenate(growing)} if growing else {}
    sides |= {name: rows for name, rows in splits.items() if name not in GROWING}
    found = []
    for (one, left), (other, right) in combinations(sides.items(), 2):
        for what, names in (("samples", ids), ("groups", groups)):
            shared = len(np.intersect1d(names[left], names[right]))
            if shared:
                found.append(f"{one} and {other} share {shared} {what}")
        near = int(has_near_duplicate(x.take(left), x.take(right), near_duplicate).sum())
        if near:
            found.append(f"{near} rows of {one} are near duplicates of rows in {other}")
    return found
