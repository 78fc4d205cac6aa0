"""What the contract suites of activesynth run over: the parts of this package and some rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from activesynth_plane import PlaneSource

from activesynth.domain.exchange import GeneratorData

GENERATORS: dict[str, dict[str, Any]] = {"plane": {}}
TRAINERS: dict[str, dict[str, Any]] = {"plane": {"members": 2}}
CORRUPTIONS: dict[str, dict[str, Any]] = {"jitter": {}}
PERTURBATIONS = ("jitter",)


def rows() -> GeneratorData:
    """Return labelled points with the conditions that generators are told of."""
    samples = PlaneSource(PlaneSource.Parameters(rows=300)).read().samples
    count = len(samples)
    return GeneratorData(
        samples=samples,
        clusters=np.arange(count) % 4,
        levels=np.arange(count) % 3,
        weight=np.ones(count),
        classes=3,
        cluster_count=4,
    )
