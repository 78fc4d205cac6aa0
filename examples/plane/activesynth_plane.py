"""Points in the plane: a whole modality in one file, without torch."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import softmax

from activesynth.domain.canonical import Array, content_id, derive_seed
from activesynth.domain.exchange import (
    GenerationRequest,
    GeneratorData,
    SourceData,
    State,
    SyntheticBatch,
    TrainingSet,
)
from activesynth.domain.ports import Progress, silent
from activesynth.domain.samples import SampleSet
from activesynth.errors import InputError, ShapeError
from activesynth.generation.conditions import refuse_course

CLASSES = ("left", "middle", "far")
CENTRES = np.array([[0.0, 0.0], [1.6, 0.0], [4.0, 3.0]])


def check_points(x: Array) -> None:
    """Refuse rows that are no points.

    Raises:
        InputError: With what was found.
    """
    if x.dtype != np.float32 or x.shape[1:] != (2,):
        raise InputError(
            f"`x`: points must be float32 of shape (n, 2), got {x.dtype} {x.shape}; convert them "
            "when reading the source.",
            reason="plane_shape",
            field="x",
        )


class PlaneModality:
    """Binds corruption weaknesses to `corruption`, which knows `jitter` by its entry point."""

    name = "plane"

    def check(self, samples: SampleSet) -> None:
        """Refuse rows that are no points."""
        check_points(samples.x)

    def generator_for(self, weakness_kind: str, chosen: str) -> str:
        """Return the generator's name for a kind of weakness."""
        return "corruption" if weakness_kind == "corruption" else chosen

    def as_pixels(self, x: Array) -> Array | None:
        """Return None: points are no pictures, and pages show none."""
        return None


class PlaneSource:
    """Draws three clouds of points; a real source would read a file."""

    class Parameters(BaseModel):
        """What a campaign may set; found by this name."""

        model_config = ConfigDict(extra="forbid", frozen=True)

        rows: Annotated[int, Field(ge=100, le=100_000)] = 600
        seed: int = 5

    def __init__(self, parameters: Parameters) -> None:
        """Take the checked parameters."""
        self._parameters = parameters

    def read(self) -> SourceData:
        """Return labelled points under ids that come from their content."""
        generator = np.random.default_rng(self._parameters.seed)
        y = np.arange(self._parameters.rows, dtype=np.int64) % len(CLASSES)
        x = (CENTRES[y] + generator.normal(size=(len(y), 2))).astype(np.float32)
        ids = np.array([content_id(row) for row in x])
        return SourceData(SampleSet(ids, x, y, groups=ids), CLASSES)


class Jitter:
    """A shaking hand: noise of up to two units."""

    name = "jitter"

    def apply(self, x: Array, *, severity: float, seed: int) -> Array:
        """Return moved points; a row's noise depends on ``seed`` and its position."""
        noise = [np.random.default_rng([seed, row]).normal(size=2) for row in range(len(x))]
        moved: Array = x + 2.0 * severity * np.array(noise, np.float32).reshape(-1, 2)
        return moved.astype(np.float32)


class PlaneGenerator:
    """One round cloud per class, around the mean of its real points."""

    def fit(self, data: GeneratorData, *, seed: int, progress: Progress = silent) -> State:
        """Learn the mean and the spread of each class that has points."""
        x, y = data.samples.x, data.samples.y
        rows = [x[y == label] if (y == label).any() else x for label in range(data.classes)]
        means = np.stack([points.mean(axis=0) for points in rows])
        spreads = np.array([points.std() for points in rows])
        progress(1, 1)
        return State({"means": means.astype(np.float32), "spreads": spreads.astype(np.float32)})

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        """Return points of the labels asked for, each from its own seed."""
        if len(request.labels) != request.count:
            raise ShapeError(
                f"request.labels has {len(request.labels)} entries for {request.count} seeds."
            )
        refuse_course(request, "plane")
        means, spreads = state.tensors["means"], state.tensors["spreads"]
        draws = [np.random.default_rng(int(seed)) for seed in request.seeds]
        free = np.array([draw.integers(len(means)) for draw in draws], np.int64)
        y = np.where(np.asarray(request.labels) < 0, free, request.labels).astype(np.int64)
        noise = np.array([draw.normal(size=2) for draw in draws], np.float32).reshape(-1, 2)
        x = (means[y] + spreads[y][:, None] * noise).astype(np.float32)
        progress(request.count, request.count)
        return SyntheticBatch(x, y, self.confidence(state, x, y))

    def confidence(self, state: State, x: Array, y: Array) -> Array:
        """Return 1 in the middle of a class, falling with the distance from it."""
        away = x.astype(np.float64) - state.tensors["means"][y]
        spread = state.tensors["spreads"][y].astype(np.float64)
        return np.asarray(np.exp(-0.5 * (away**2).sum(axis=1) / spread**2))


class PlanePredictor:
    """A few least-squares classifiers on quadratic features; dropout leaves features out."""

    def __init__(self, weights: Array, dropout: float) -> None:
        """Take ``(members, features, classes)`` weights."""
        self._weights, self._dropout = weights, dropout

    def predict_proba(self, x: Array) -> Array:
        """Return mean class probabilities, ``(n, classes)``."""
        return np.asarray(softmax(features(x) @ self._weights, axis=2).mean(axis=0))

    def draws(self, x: Array, *, passes: int, seed: int) -> Array:
        """Return ``(members * passes, n, classes)``; a pass drops the same features in all rows."""
        generator = np.random.default_rng(seed)
        shape = (len(self._weights) * passes, 1, self._weights.shape[1])
        kept = (generator.random(shape) >= self._dropout) / (1.0 - self._dropout)
        weights = np.repeat(self._weights, passes, axis=0)
        return np.asarray(softmax((features(x) * kept) @ weights, axis=2))


class PlaneTrainer:
    """Fits cross-fitted least-squares classifiers; its encoder only knows the data's scale."""

    class Parameters(BaseModel):
        """What a campaign may set."""

        model_config = ConfigDict(extra="forbid", frozen=True)

        members: Annotated[int, Field(ge=2, le=50)] = 3
        dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.2

    def __init__(self, parameters: Parameters) -> None:
        """Take the checked parameters."""
        self._parameters = parameters

    def check(self, x: Array) -> None:
        """Refuse what is no point, before any work."""
        check_points(x)

    def pretrain(self, x: Array, *, seed: int, progress: Progress = silent) -> State:
        """Learn centre and scale of the points."""
        check_points(x)
        progress(1, 1)
        return State({"centre": x.mean(axis=0), "scale": np.maximum(x.std(axis=0), 1e-6)})

    def embed(self, encoder: State, x: Array) -> Array:
        """Return unit vectors: the scaled points, seen from one unit above the plane."""
        points = (x - encoder.tensors["centre"]) / encoder.tensors["scale"]
        vectors = np.column_stack([points, np.ones(len(x), np.float32)])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def fit(
        self,
        data: TrainingSet,
        encoder: State | None,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> State:
        """Fit members that each leave one fold of the groups out, and test them on it."""
        members, samples = self._parameters.members, data.samples
        # By the group's name, so that a copy of a real row is left out together with it.
        folds = np.array([derive_seed("fold", group) % members for group in samples.groups])
        design = features(samples.x)
        target = np.eye(data.classes)[samples.y] * 4.0 - 1.0
        weights, held_out = [], np.zeros((len(samples), data.classes))
        for member in range(members):
            seen = folds != member
            if not seen.any():
                seen = np.ones(len(samples), bool)
            jitter = np.random.default_rng([seed, member]).uniform(0.5, 1.5, len(samples))
            weight = (data.weight * jitter * seen)[:, None]
            gram = design.T @ (design * weight) + 1e-3 * np.eye(design.shape[1])
            weights.append(np.linalg.solve(gram, design.T @ (target * weight)))
            tested = ~seen & ~data.is_synthetic
            held_out[tested] = softmax(design[tested] @ weights[-1], axis=1)
            progress(member + 1, members)
        tensors = {"weights": np.stack(weights), "out_of_fold": held_out}
        return State(tensors, {"dropout": self._parameters.dropout})

    def load(self, state: State) -> PlanePredictor:
        """Rebuild the fitted ensemble."""
        return PlanePredictor(state.tensors["weights"], float(state.facts["dropout"]))


def features(x: Array) -> Array:
    """Return ``(n, 6)``: one, both coordinates, their squares and their product."""
    points = np.asarray(x, np.float64)
    return np.column_stack([np.ones(len(points)), points, points**2, points.prod(axis=1)])
