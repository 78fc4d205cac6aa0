"""Slices over metadata: one value of an attribute, two attributes together, or one with a class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from urllib.parse import quote, unquote

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.documents import MAX_WEAKNESS_ID

PREFIX = "attribute."
"""What the names of attribute columns begin with in a sample set."""
CLASS = "@class"
"""Stands for the label in a slice's key; no attribute is written so, since ``@`` is quoted."""
MAX_VALUES = 8
"""Most distinct numbers that count as groups of their own; more are cut at the quartiles."""
MAX_SLICES = 400
"""Most slices that are tested; those with the most rows, whatever their errors."""


def attribute_groups(columns: Mapping[str, Array]) -> dict[str, Array]:
    """Return each attribute's groups by name, ``(n,)`` unicode, from a sample set's columns.

    A column of numbers with more than ``MAX_VALUES`` different ones is cut at its quartiles into
    groups such as ``3.5 to 8``. The quartiles are those of the rows given: guide, which stays
    the same for a campaign's epoch, and so do they. Empty text means that nothing is known.
    """
    return {
        name.removeprefix(PREFIX): _grouped(np.asarray(column).astype(str))
        for name, column in sorted(columns.items())
        if name.startswith(PREFIX)
    }


def _grouped(texts: Array) -> Array:
    """Return the texts themselves, or the quartile that each number lies in."""
    is_known = texts != ""
    values = np.unique(texts[is_known])
    if len(values) <= MAX_VALUES:
        return texts
    try:
        numbers = texts[is_known].astype(np.float64)
    except ValueError:
        return texts
    if not np.isfinite(numbers).all():
        return texts
    cuts = np.unique(np.quantile(numbers, [0.25, 0.5, 0.75]))
    limits = [f"{cut:.6g}" for cut in cuts]
    names = [f"up to {limits[0]}"]
    names += [f"{low} to {high}" for low, high in pairwise(limits)]
    names.append(f"over {limits[-1]}")
    groups = np.full(len(texts), "", dtype=f"<U{max(map(len, names))}")
    # Equal numbers share a group: a cut belongs to the group below it.
    groups[is_known] = np.array(names)[np.searchsorted(cuts, numbers, side="left")]
    return groups


def slice_key(parts: Iterable[tuple[str, str]]) -> str:
    """Write conditions such as ``(("site", "A"), ("@class", "3"))`` as a stable key."""
    written = sorted(
        (name if name == CLASS else quote(name, safe=""), quote(value, safe=""))
        for name, value in parts
    )
    return "&".join(f"{name}={value}" for name, value in written)


def slice_parts(key: str) -> list[tuple[str, str]]:
    """Read what :func:`slice_key` wrote."""
    pairs = [part.partition("=") for part in key.split("&")]
    return [(name if name == CLASS else unquote(name), unquote(value)) for name, _, value in pairs]


def slice_members(key: str, y: Array, attributes: Mapping[str, Array]) -> Array | None:
    """Return which rows meet every condition of a key, ``(n,)`` bool.

    None where an attribute of the key is not there any more, or the key names no class.
    """
    members = np.ones(len(y), dtype=bool)
    for name, value in slice_parts(key):
        if name == CLASS:
            if not value.isdecimal():
                return None
            members &= y == int(value)
        elif name in attributes:
            members &= attributes[name] == value
        else:
            return None
    return members


def slice_title(key: str, class_names: Sequence[str]) -> str:
    """Say a key in words, as ``site = A and class 3``."""
    said = []
    for name, value in slice_parts(key):
        if name != CLASS:
            said.append(f"{name} = {value}")
        else:
            label = int(value) if value.isdecimal() else -1
            said.append(f"class {class_names[label] if 0 <= label < len(class_names) else value}")
    # The class comes last, however the key is sorted.
    return " and ".join(sorted(said, key=lambda part: part.startswith("class ")))


def candidate_slices(
    y: Array, attributes: Mapping[str, Array], searches: Array, min_support: int
) -> dict[str, Array]:
    """Return the slices worth a test by key, each with its rows ``(n,)`` bool.

    Every value of every attribute, every pair of values of two attributes, and every value with
    a class, provided ``min_support`` rows of it lie in the half that searches and as many outside
    of it. Beyond ``MAX_SLICES`` those with the most rows are kept: support says nothing of
    errors, so choosing by it leaves the tests honest.
    """
    groups = {
        (name, str(value)): column == value
        for name, column in attributes.items()
        for value in np.unique(column[column != ""])
    }
    labels = {(CLASS, str(label)): y == label for label in np.unique(y).tolist()}
    frequent = {part: rows for part, rows in groups.items() if rows[searches].sum() >= min_support}
    found = {slice_key([part]): rows for part, rows in frequent.items()}
    pairs = [
        *((a, b) for a, b in combinations(frequent.items(), 2) if a[0][0] != b[0][0]),
        *((a, b) for a in frequent.items() for b in labels.items()),
    ]
    found |= {slice_key([a, b]): left & right for (a, left), (b, right) in pairs}
    total = int(searches.sum())
    support = {key: int(rows[searches].sum()) for key, rows in found.items()}
    worth = [
        key
        for key, rows in support.items()
        if min_support <= rows <= total - min_support
        and len(key) + len("slice:") <= MAX_WEAKNESS_ID
    ]
    worth.sort(key=lambda key: (-support[key], key))
    return {key: found[key] for key in worth[:MAX_SLICES]}
