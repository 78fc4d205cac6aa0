"""Which member leaves out which rows, and which rows a member sees how often."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError

EVERYWHERE = -1
"""The fold of a row that no member leaves out."""


def group_folds(y: Array, groups: Array, count: int, *, seed: int) -> Array:
    """Split rows into folds that share no group and have similar class counts.

    Groups are dealt out by size, the largest first; each goes to the fold that has the fewest
    rows of the group's most frequent class, then the fewest rows.

    Args:
        y: Labels, ``(n,)``.
        groups: What must stay together, ``(n,)``.
        count: Folds wanted; there are never more than groups.
        seed: Decides the order among groups of one size.

    Returns:
        Fold per row, ``(n,)`` int64 in ``[0, min(count, groups))``.

    Raises:
        InputError: If there are fewer than two groups; reason ``too_few_groups``.
    """
    names, member_of = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise InputError(
            f"cross-fitting needs at least 2 groups of real rows, got {len(names)} in {len(y)} "
            "rows; label more, or give independent samples different groups.",
            reason="too_few_groups",
        )
    table = np.zeros((len(names), int(y.max()) + 1), np.int64)
    np.add.at(table, (member_of, y), 1)
    sizes, main_class = table.sum(axis=1), table.argmax(axis=1)
    order = np.random.default_rng(seed).permutation(len(names))
    # Groups of one class follow each other, so that single-row groups are dealt like cards.
    order = order[np.lexsort((main_class[order], -sizes[order]))]
    filled = np.zeros((min(count, len(names)), table.shape[1]), np.int64)
    fold_of = np.zeros(len(names), np.int64)
    for group in order:
        crowding = filled[:, main_class[group]] * (len(y) + 1) + filled.sum(axis=1)
        fold_of[group] = crowding.argmin()
        filled[fold_of[group]] += table[group]
    return fold_of[member_of]


def spread_folds(real_folds: Array, real_groups: Array, groups: Array) -> Array:
    """Give synthetic rows the fold of the real group they name, ``EVERYWHERE`` if none.

    A sample made from a real row carries that row's group; training on it would let a member see
    the row it is to be tested on.
    """
    fold_of = dict(zip(real_groups.tolist(), real_folds.tolist(), strict=True))
    return np.array([fold_of.get(group, EVERYWHERE) for group in groups.tolist()], np.int64)


def member_weights(weight: Array, is_synthetic: Array, is_held_out: Array) -> Array:
    """Return the sampling weights of one member, ``(n,)``: zero for the rows it leaves out.

    Real and synthetic rows keep their shares of the total, so that leaving out a fold does not
    lower the share of real rows in a batch.
    """
    kept = np.where(is_held_out, 0.0, weight.astype(np.float64))
    for part in (is_synthetic, ~is_synthetic):
        total = kept[part].sum()
        if total > 0:
            kept[part] *= weight[part].sum() / total
    return kept


def draw_batches(weight: Array, steps: int, batch_size: int, *, seed: int) -> Array:
    """Draw the rows of every batch in proportion to ``weight``, ``(steps, batch_size)`` int64.

    Systematic resampling over the whole training: each row is seen as often as its share of the
    weight says, to within one, in random order. Independent draws would add noise that a small
    class feels.
    """
    generator = np.random.default_rng(seed)
    total = steps * batch_size
    points = (np.arange(total) + generator.random()) / total
    edges = np.cumsum(weight) / weight.sum()
    rows = np.searchsorted(edges, points, side="right")
    last = np.flatnonzero(weight)[-1]
    return generator.permutation(np.minimum(rows, last)).reshape(steps, batch_size)
