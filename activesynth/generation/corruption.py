"""Targeted corruption: real rows as they look when they fail, under the label they have."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import GenerationRequest, GeneratorData, State, SyntheticBatch
from activesynth.domain.ports import Progress, silent
from activesynth.domain.samples import SampleSet
from activesynth.errors import InputError, ShapeError
from activesynth.perturbations.registry import CORRUPTIONS
from activesynth.perturbations.rows import catalog, corrupt_rows


class CorruptionGenerator:
    """Corrupts the request's anchors as it says; learns nothing.

    A label is kept, so confidence is 1 for every row: there is nothing learnt that could doubt it.
    """

    def fit(self, data: GeneratorData, *, seed: int, progress: Progress = silent) -> State:
        """Return an empty state."""
        progress(1, 1)
        return State({}, {"part": "corruption"})

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        """Return each anchor under its perturbation, with the anchor's own label.

        Chance comes from the row's own seed. The anchor's label wins over a requested one, and
        clusters and levels are not looked at.

        Raises:
            InputError: If anchors, perturbations or severities are missing or unusable.
            ShapeError: If they do not align with the seeds.
        """
        anchors, names, severities = _checked(request)
        x = anchors.x.copy()
        done = 0
        for name in np.unique(names):
            rows = np.flatnonzero(names == name)
            seeds = np.asarray(request.seeds, np.uint64)[rows]
            x[rows] = corrupt_rows(str(name), anchors.x[rows], severities[rows], seeds)
            done += len(rows)
            progress(done, request.count)
        return SyntheticBatch(x, np.asarray(anchors.y, np.int64), np.ones(request.count))

    def confidence(self, state: State, x: Array, y: Array) -> Array:
        """Return ones, ``(n,)`` float64: a corrupted real row is what it was said to be."""
        return np.ones(len(x))


def _checked(request: GenerationRequest) -> tuple[SampleSet, Array, Array]:
    anchors, names, severities = request.anchors, request.perturbations, request.severities
    if anchors is None or names is None or severities is None:
        fields = ("anchors", "perturbations", "severities")
        missing = [f"request.{name}" for name in fields if getattr(request, name) is None]
        raise InputError(
            f"generator 'corruption' transforms real rows, but {', '.join(missing)} is None; give "
            "one real row, one corruption and one severity per sample, or use a generator that "
            "invents, such as 'diffusion'.",
            reason="missing_anchors",
        )
    columns = {"anchors": anchors.ids, "perturbations": names, "severities": severities}
    for field, values in {"labels": request.labels, **columns}.items():
        if np.shape(values) != (request.count,):
            raise ShapeError(
                f"request.{field} must have one entry for each of the {request.count} seeds, "
                f"got shape {np.shape(values)}."
            )
    _check_names(names)
    if len(anchors) and int(anchors.y.min()) < 0:
        raise InputError(
            f"request.anchors has no label in row {int(np.argmin(anchors.y))}; a corruption keeps "
            "the label, so take anchors from labelled rows.",
            reason="unlabelled_anchor",
        )
    return anchors, np.asarray(names), np.asarray(severities, np.float64)


def _check_names(names: Array) -> None:
    foreign = {str(name) for name in names} - set(CORRUPTIONS)
    there = catalog().names("corruption") if foreign else []
    unknown = sorted(foreign - set(there))
    if unknown:
        raise InputError(
            f"request.perturbations holds {unknown}; there are: {', '.join(there)}.",
            reason="unknown_corruption",
        )
