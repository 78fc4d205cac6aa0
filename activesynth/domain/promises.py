"""What each kind of part must be able to do, for judging parts of other packages."""

from __future__ import annotations

from types import FunctionType

from activesynth.domain.ports import (
    Annotator,
    Arm,
    Corruption,
    DatasetSource,
    Metric,
    Modality,
    QueryStrategy,
    SampleGenerator,
    Trainer,
)

PORTS: dict[str, type] = {
    "trainer": Trainer,
    "generator": SampleGenerator,
    "corruption": Corruption,
    "strategy": QueryStrategy,
    "metric": Metric,
    "arm": Arm,
    "annotator": Annotator,
    "source": DatasetSource,
    "modality": Modality,
}


def lacking(kind: str, part: object) -> list[str]:
    """Return the methods of the kind's port that a part does not have, sorted."""
    wanted = {
        name
        for name, value in vars(PORTS[kind]).items()
        if isinstance(value, FunctionType) and (not name.startswith("_") or name == "__call__")
    }
    # Every class can be called; only a method of its own makes its instances callable.
    return sorted(n for n in wanted if not isinstance(getattr(part, n, None), FunctionType))
