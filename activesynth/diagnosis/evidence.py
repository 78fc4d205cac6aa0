"""What a diagnosis looks at: predictions on guide rows, clean and corrupted, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError


@dataclass(frozen=True)
class Evidence:
    """Everything known about the guide rows, aligned over ``n`` rows.

    Attributes:
        ids: Sample ids, ``(n,)``, unicode.
        y: Labels, ``(n,)``, int64 in ``[0, classes)``.
        probs: Mean calibrated class probabilities, ``(n, classes)``.
        entropy: Predictive entropy in nats, ``(n,)``.
        mutual_information: BALD score in nats, ``(n,)``.
        variance: Ensemble variance, ``(n,)``.
        clusters: Cluster id in the frozen codebook, ``(n,)`` int64.
        is_a: Whether the row belongs to half A, ``(n,)`` bool.
        corrupted: By corruption, class probabilities on the corrupted rows,
            ``(severities, n, classes)``.
        train_clusters: Cluster id of each train row, ``(m,)`` int64.
        corrupted_at: Further corruptions at one severity, by ``name@severity``: probabilities
            ``(n, classes)``; what people declared and no campaign tries by itself.
        attributes: By name, the group of each row as text, ``(n,)`` unicode; "" is unknown.
        groups: What rows share that makes them alike (patient, scene), ``(n,)`` unicode; a row
            with "" is a group of its own, and so is every row where this is None.
    """

    ids: Array
    y: Array
    probs: Array
    entropy: Array
    mutual_information: Array
    variance: Array
    clusters: Array
    is_a: Array
    corrupted: Mapping[str, Array]
    train_clusters: Array
    corrupted_at: Mapping[str, Array] = field(default_factory=dict)
    attributes: Mapping[str, Array] = field(default_factory=dict)
    groups: Array | None = None

    @cached_property
    def owners(self) -> Array:
        """Return the group of each row as a code, ``(n,)`` int64."""
        rows = np.arange(len(self.y))
        if self.groups is None:
            return rows
        names, codes = np.unique(self.groups, return_inverse=True)
        owners: Array = np.where(self.groups == "", len(names) + rows, codes)
        return owners

    def __post_init__(self) -> None:
        """Refuse arrays that do not align."""
        per_row = {
            "ids": self.ids,
            "probs": self.probs,
            "entropy": self.entropy,
            "mutual_information": self.mutual_information,
            "variance": self.variance,
            "clusters": self.clusters,
            "is_a": self.is_a,
            **({} if self.groups is None else {"groups": self.groups}),
            **{f"attributes[{name}]": array for name, array in self.attributes.items()},
        }
        wrong = {name: len(array) for name, array in per_row.items() if len(array) != len(self.y)}
        wrong |= {
            f"corrupted[{name}]": array.shape
            for name, array in self.corrupted.items()
            if array.shape[1:] != self.probs.shape
        }
        wrong |= {
            f"corrupted_at[{name}]": array.shape
            for name, array in self.corrupted_at.items()
            if array.shape != self.probs.shape
        }
        if wrong:
            raise ShapeError(
                f"evidence is about {len(self.y)} guide rows with probabilities "
                f"{self.probs.shape}, but these do not align: {wrong}."
            )
