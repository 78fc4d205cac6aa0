"""Rows of data as aligned arrays, real and synthetic alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from activesynth.domain.canonical import Array, decode_arrays, encode_arrays
from activesynth.errors import CorruptArtifactError, ShapeError

UNLABELLED = -1


@dataclass(frozen=True, slots=True)
class SampleSet:
    """Samples with their labels, ids and groups, aligned on the first axis.

    Attributes:
        ids: Sample ids, shape ``(n,)``, unicode, unique.
        x: Inputs, shape ``(n, ...)``. Images are uint8 ``(n, height, width, channels)``;
            tables and sequences are float32.
        y: Labels, shape ``(n,)``, int64 in ``[0, classes)``; ``-1`` means unlabelled.
        groups: What must not be separated by a split (patient, scene), shape ``(n,)``, unicode.
        columns: Further aligned one-dimensional arrays: metadata, weights, weakness ids.
    """

    ids: Array
    x: Array
    y: Array
    groups: Array
    columns: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse arrays whose first axes differ."""
        lengths = {len(self.ids), len(self.x), len(self.y), len(self.groups)}
        lengths.update(len(column) for column in self.columns.values())
        if len(lengths) != 1:
            raise ShapeError(f"ids, x, y, groups and columns must align, got lengths {lengths}")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.ids)

    def take(self, index: Array | Sequence[int]) -> SampleSet:
        """Return the rows at ``index`` (integers or a boolean mask), in that order."""
        rows = np.asarray(index)
        if rows.dtype != bool:
            rows = rows.astype(np.int64)
        return SampleSet(
            self.ids[rows],
            self.x[rows],
            self.y[rows],
            self.groups[rows],
            {name: column[rows] for name, column in self.columns.items()},
        )

    def with_labels(self, y: Array) -> SampleSet:
        """Return the same rows under other labels."""
        return SampleSet(self.ids, self.x, np.asarray(y, np.int64), self.groups, self.columns)

    def encode(self) -> bytes:
        """Return the rows as canonical npz bytes."""
        arrays = {f"column.{name}": column for name, column in self.columns.items()}
        arrays.update(ids=self.ids, x=self.x, y=self.y, groups=self.groups)
        return encode_arrays(arrays)

    @classmethod
    def decode(cls, data: bytes) -> SampleSet:
        """Read rows written by :meth:`encode`.

        Raises:
            CorruptArtifactError: If one of the arrays is missing or unreadable.
        """
        arrays = decode_arrays(data)
        missing = {"ids", "x", "y", "groups"} - arrays.keys()
        if missing:
            raise CorruptArtifactError(f"sample shard lacks the arrays {sorted(missing)}")
        columns = {
            name.removeprefix("column."): array
            for name, array in arrays.items()
            if name.startswith("column.")
        }
        return cls(arrays["ids"], arrays["x"], arrays["y"], arrays["groups"], columns)


def concatenate(parts: Sequence[SampleSet]) -> SampleSet:
    """Join sets row-wise; only the columns that all parts share are kept."""
    if not parts:
        raise ShapeError("cannot concatenate zero sample sets; the caller must pass at least one")
    shared = set(parts[0].columns)
    for part in parts[1:]:
        shared &= set(part.columns)
    return SampleSet(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.groups for part in parts]),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in sorted(shared)},
    )
