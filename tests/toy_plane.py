"""A whole modality in one file: points in the plane, for tests of the loop that need no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.special import softmax

from activesynth.bootstrap import SystemClock, catalog
from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.domain.canonical import Array, content_id, derive_seed
from activesynth.domain.effects import Effects, Unwatched
from activesynth.domain.exchange import (
    GenerationRequest,
    GeneratorData,
    SourceData,
    State,
    SyntheticBatch,
    TrainingSet,
)
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Progress, silent
from activesynth.domain.registry import Catalog, Row
from activesynth.domain.samples import SampleSet
from activesynth.index.faiss_index import FaissIndex
from activesynth.lineage.lineage import open_lineage
from activesynth.operations.events import FileEventSink
from activesynth.storage.directory import DirectoryObjectStore

MEMBERS = 2


def features(x: Array) -> Array:
    points = np.asarray(x, np.float64)
    return np.column_stack([np.ones(len(points)), points, points**2, points.prod(axis=1)])


class PlanePredictor:
    def __init__(self, weights: Array) -> None:
        self._weights = weights

    def predict_proba(self, x: Array) -> Array:
        return np.asarray(softmax(features(x) @ self._weights, axis=2).mean(axis=0))

    def draws(self, x: Array, *, passes: int, seed: int) -> Array:
        generator = np.random.default_rng(seed)
        noise = generator.normal(scale=0.3, size=(MEMBERS, passes, 1, self._weights.shape[2]))
        logits = (features(x) @ self._weights)[:, None] + noise
        return np.asarray(softmax(logits, axis=3)).reshape(-1, len(x), self._weights.shape[2])


class PlaneTrainer:
    def check(self, x: Array) -> None:
        assert x.shape[1:] == (2,)

    def pretrain(self, x: Array, *, seed: int, progress: Progress = silent) -> State:
        return State({"encoder": np.asarray(x, np.float32).mean(axis=0)})

    def fit(
        self,
        data: TrainingSet,
        encoder: State | None,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> State:
        folds = np.array([derive_seed(i) % MEMBERS for i in data.samples.ids.tolist()])
        folds[data.is_synthetic] = -1
        weights = np.stack([self._solve(data, folds != k, seed + k) for k in range(MEMBERS)])
        real = np.flatnonzero(~data.is_synthetic)
        held_out = np.zeros((len(data.samples), data.classes))
        logits = features(data.samples.x) @ weights
        for row in real.tolist():
            held_out[row] = softmax(logits[folds[row], row])
        return State({"weights": weights, "out_of_fold": held_out[: len(real)]})

    def _solve(self, data: TrainingSet, rows: Array, seed: int) -> Array:
        design = features(data.samples.x[rows])
        target = np.eye(data.classes)[data.samples.y[rows]] * 4.0 - 1.0
        weight = data.weight[rows] * np.random.default_rng(seed).uniform(0.5, 1.5, rows.sum())
        gram = design.T @ (design * weight[:, None]) + 1e-3 * np.eye(design.shape[1])
        return np.asarray(np.linalg.solve(gram, design.T @ (target * weight[:, None])))

    def load(self, state: State) -> PlanePredictor:
        return PlanePredictor(state.tensors["weights"])

    def embed(self, encoder: State, x: Array) -> Array:
        vectors = np.column_stack([np.asarray(x, np.float32), np.full(len(x), 2.0, np.float32)])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


class PlaneGenerator:
    def fit(self, data: GeneratorData, *, seed: int, progress: Progress = silent) -> State:
        x, y = data.samples.x, data.samples.y
        means = np.stack([x[y == c].mean(axis=0) for c in range(data.classes)])
        return State({"means": means.astype(np.float32)})

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        labels = np.maximum(request.labels, 0)
        noise = [np.random.default_rng(int(s)).normal(size=2) for s in request.seeds]
        x = state.tensors["means"][labels] + np.array(noise, np.float32).reshape(-1, 2)
        return SyntheticBatch(x.astype(np.float32), labels, self.confidence(state, x, labels))

    def confidence(self, state: State, x: Array, y: Array) -> Array:
        distance = np.linalg.norm(np.asarray(x) - state.tensors["means"][y], axis=1)
        return np.asarray(np.exp(-distance / 4))


class SpreadParameters(BaseModel):
    """How far samples spread, and how strictly rows are scored that it did not make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spread: float = 1.0
    strictness: float = 1.0


class SpreadGenerator(PlaneGenerator):
    def __init__(self, parameters: SpreadParameters) -> None:
        self._parameters = parameters

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        made = super().generate(state, request, progress=progress)
        centres = state.tensors["means"][made.y]
        x = centres + np.float32(self._parameters.spread) * (made.x - centres)
        return SyntheticBatch(x, made.y, np.exp(-np.linalg.norm(x - centres, axis=1) / 4))

    def confidence(self, state: State, x: Array, y: Array) -> Array:
        return super().confidence(state, x, y) ** self._parameters.strictness


class Jitter:
    name = "jitter"

    def apply(self, x: Array, *, severity: float, seed: int) -> Array:
        noise = np.random.default_rng(seed).normal(size=x.shape)
        return np.asarray(x + severity * noise, np.float32)


class PlaneModality:
    name = "plane"

    def check(self, samples: SampleSet) -> None:
        assert samples.x.shape[1:] == (2,)

    def generator_for(self, weakness_kind: str, chosen: str) -> str:
        return chosen

    def as_pixels(self, x: Array) -> Array | None:
        return None


class PlaneParameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = 600
    seed: int = 5


class PlaneSource:
    def __init__(self, parameters: PlaneParameters) -> None:
        self._parameters = parameters

    def read(self) -> SourceData:
        generator = np.random.default_rng(self._parameters.seed)
        y = np.arange(self._parameters.rows) % 3
        centres = np.array([[0.0, 0.0], [1.6, 0.0], [4.0, 3.0]])
        x = (centres[y] + generator.normal(size=(len(y), 2))).astype(np.float32)
        ids = np.array([content_id(row) for row in x])
        return SourceData(SampleSet(ids, x, y.astype(np.int64), ids), ("left", "middle", "far"))


@cache
def plane_parts() -> Catalog:
    """Return the built-in parts and those of this file, read once: forked children share them."""
    parts = catalog()
    here = __name__
    parts.add("trainer", "plane", Row(f"{here}:PlaneTrainer"))
    parts.add("generator", "plane", Row(f"{here}:PlaneGenerator"))
    parts.add("generator", "spread", Row(f"{here}:SpreadGenerator", f"{here}:SpreadParameters"))
    parts.add("corruption", "jitter", Row(f"{here}:Jitter"))
    parts.add("modality", "plane", Row(f"{here}:PlaneModality"))
    parts.add("source", "plane", Row(f"{here}:PlaneSource", f"{here}:PlaneParameters"))
    return parts


def plane_config(**changes: Any) -> CampaignConfig:
    """Return a campaign whose iteration takes a fraction of a second."""
    document: dict[str, Any] = {
        "name": "plane",
        "modality": "plane",
        "source": {"name": "plane"},
        "sampling": {"long_tail": 4, "label_budget": 100},
        "splits": {"train": 0.2, "pool": 0.2},
        "trainer": {"name": "plane"},
        "generator": {"name": "plane"},
        "uncertainty": {"passes": 4},
        "clusters": {"count": 4},
        "diagnosis": {"corruptions": ["jitter"], "severities": [0.5, 1.0], "margin": 0.02},
        "selection": {"strategy": "margin", "labels": 10, "review": 3},
        "plan": {"growth": 0.4},
        "training": {"replicates": 2},
        "evaluation": {"resamples": 100},
        "gate": {"margin": 0.05, "guarded": {}},
        "loop": {"patience": 100},
    }
    return parse_campaign(document | changes, "plane")


@contextmanager
def plane_platform(
    database_url: str, folder: Path, effects: Effects | None = None
) -> Iterator[Platform]:
    """Open a platform on real Postgres and a directory store, with the toy parts."""
    watch = effects or Unwatched()
    with closing(open_lineage(database_url, watch)) as lineage:
        yield Platform(
            objects=DirectoryObjectStore(
                folder / "objects", watch, lambda digest: lineage.store.hold([digest])
            ),
            lineage=lineage.store,
            queue=lineage.queue,
            reader=lineage.reader,
            index=FaissIndex(),
            parts=plane_parts(),
            sink=FileEventSink(folder / "events"),
            clock=SystemClock(),
            profile="toy",
            effects=watch,
        )
