"""A person's rows in a shard, and the shard without them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array, decode_arrays
from activesynth.domain.erasure import NameKind, name_hash
from activesynth.domain.samples import SampleSet
from activesynth.errors import CorruptArtifactError

SOURCE_GROUP = "source_group"
ANCESTORS = ("parents", "anchor")
"""Columns that name the real sample which a synthetic one was made from."""
_INVENTED = "synthetic:"
_SEPARATORS = re.compile(r"[/\\\\]")
_NPZ = b"PK\x03\x04"
_TRACE_BYTES, _TRACE_VALUES = 64, 16


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Who withdrew: a group by the value that the source gives it, or samples by their ids."""

    group: str | None
    samples: tuple[str, ...]

    def names(self) -> tuple[tuple[NameKind, str], ...]:
        """Return what was asked for as (kind, name)."""
        if self.group is not None:
            return (("group", self.group),)
        return tuple(("sample", sample) for sample in self.samples)

    def owns(self, rows: SampleSet) -> Array:
        """Tell which real rows are the person's, ``(n,)`` bool.

        Near duplicates join groups under one name, so the source's own group counts where it is
        known; rows in quarantine have no other group than their name.
        """
        if self.group is None:
            return np.isin(rows.ids, self.samples)
        if "detail" in rows.columns:  # refused items have a name and no group
            names = rows.columns["name"].tolist()
            return np.array([self.group in path_parts(name) for name in names], bool)
        groups = rows.columns.get(SOURCE_GROUP, rows.groups)
        return np.asarray(groups == self.group)


@dataclass(slots=True)
class Person:
    """What of a campaign is the person's, as far as it was found.

    Attributes:
        asked: Who withdrew.
        salt: Of this erasure; names that have to stay are replaced by a salted hash.
        ids: Ids of the person's real samples.
        groups: Names of groups of which no row is left.
        copies: Ids of transformed copies of them.
        children: Ids of synthetic samples that are removed with them; empty unless asked for.
        others: Ids of other people's rows that bear the person's name somewhere: near duplicates
            that stand in quarantine under the name of a joined group.
        classes: Names of classes, which a group may share.
    """

    asked: Withdrawn
    salt: str
    ids: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    children: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)

    @property
    def gone(self) -> set[str]:
        """Return the ids of all samples that go."""
        return self.ids | self.copies | self.children

    def copied(self, rows: SampleSet) -> Array:
        """Tell which synthetic rows are transformed copies of the person's rows, ``(n,)`` bool.

        An invented row has a group of its own; its ancestor is only what lies nearest.
        """
        found = np.isin(rows.ids, sorted(self.copies))
        is_invented = np.strings.startswith(rows.groups.astype(str), _INVENTED)
        for name in set(ANCESTORS) & set(rows.columns):
            found |= np.isin(rows.columns[name], sorted(self.ids)) & ~is_invented
        return found

    def cleaned(self, rows: SampleSet) -> SampleSet | None:
        """Return the rows without the person, or None where nothing of the person is in them.

        Others keep ids, inputs, labels and columns. What names the person in them, as the nearest
        real sample or as the name of a group joined by near duplicates, is blanked or renamed.
        """
        out = np.isin(rows.ids, sorted(self.gone)) | self.copied(rows)
        if self.asked.group is not None and (SOURCE_GROUP in rows.columns or not rows.x.size):
            out |= self.asked.owns(rows) & ~np.isin(rows.ids, sorted(self.others))
        kept = rows.take(~out)
        columns = dict(kept.columns)
        for name in set(ANCESTORS) & set(columns):
            named = np.isin(columns[name], sorted(self.gone))
            columns[name] = np.where(named, np.zeros(1, columns[name].dtype), columns[name])
        if SOURCE_GROUP in columns:
            columns[SOURCE_GROUP] = self._renamed(columns[SOURCE_GROUP])
        clean = SampleSet(kept.ids, kept.x, kept.y, self._renamed(kept.groups), columns)
        same = len(clean) == len(rows) and np.array_equal(clean.groups, rows.groups)
        is_same = same and all(np.array_equal(columns[n], rows.columns[n]) for n in columns)
        return None if is_same else clean

    def is_named_in(self, data: bytes) -> bool:
        """Tell whether arrays or JSON hold the id of a sample that goes, or the person's group.

        Not looked for are groups that are called as a class, or by a number alone: they would be
        found in whatever counts classes or clusters.
        """
        groups = self.groups | ({self.asked.group} if self.asked.group else set())
        gone = self.gone | {g for g in groups - self.classes if not g.isdecimal()}
        if data.startswith(_NPZ):
            texts = [a for a in decode_arrays(data).values() if a.dtype.kind == "U"]
            return any(np.isin(array, sorted(gone)).any() for array in texts)
        try:
            document = json.loads(data)
        except ValueError:
            return False
        return _mentions(document, gone)

    def _renamed(self, groups: Array) -> Array:
        names = self.ids | self.groups
        found = [name for name in np.unique(groups).tolist() if name in names]
        for name in found:
            other = f"erased-{name_hash(self.salt, 'group', name)[:16]}"
            width = max(len(other), groups.dtype.itemsize // 4)
            groups = np.where(groups == name, other, groups.astype(f"<U{width}"))
        return groups


def path_parts(name: str) -> list[str]:
    """Return the folders and the file that the name of an item in a source is made of."""
    return _SEPARATORS.split(name)


def is_telling(data: bytes) -> bool:
    """Tell whether a row's bytes found in weights mean that the row is in them.

    A blank picture or a few zeros stand in any weights, of whoever did not withdraw as well.
    """
    return len(data) >= _TRACE_BYTES and len(set(data)) >= _TRACE_VALUES


def decoded(data: bytes) -> SampleSet | None:
    """Return the rows in a blob, or None where it holds no rows."""
    if not data.startswith(_NPZ):
        return None
    try:
        return SampleSet.decode(data)
    except CorruptArtifactError:
        return None


def is_readable(data: bytes) -> bool:
    """Tell whether ids in a blob can be seen: it is arrays or JSON, and no index or tensors."""
    if data.startswith(_NPZ):
        return True
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _mentions(document: Any, names: Collection[str]) -> bool:
    if isinstance(document, str):
        return document in names
    if isinstance(document, dict):
        return any(key in names or _mentions(value, names) for key, value in document.items())
    if isinstance(document, list):
        return any(_mentions(value, names) for value in document)
    return False
