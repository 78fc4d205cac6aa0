"""What pages draw from blobs: a map of embeddings, and what the arms predicted on guide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array, decode_arrays
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest, WeaknessProfile
from activesynth.errors import ActiveSynthError
from activesynth.experiments.plots import Figure
from activesynth_airflow.web import charts
from activesynth_airflow.web.door import Door


@dataclass(frozen=True, slots=True)
class DrawnMap:
    """A map and the clusters that are on it; empty where there is none."""

    figures: list[Figure] = field(default_factory=list)
    clusters: list[int] = field(default_factory=list)


def drawn_map(door: Door, name: str, number: int | None) -> DrawnMap:
    """Draw the embeddings of an iteration; nothing where its screen drew none, or it is gone."""
    if number is None:
        return DrawnMap()
    reader, objects = door.platform.reader, door.platform.objects
    screened = reader.step_artifacts(name, number, "screen")
    diagnosed = reader.step_artifacts(name, number, "diagnose")
    if "map" not in screened or "profile" not in diagnosed:
        return DrawnMap()
    try:
        rows = decode_arrays(objects.get(screened["map"]))
        profile = WeaknessProfile.decode(objects.get(diagnosed["profile"]))
    except ActiveSynthError:
        return DrawnMap()  # erased or collected: the page shows the rest
    weak = {c for found in profile.weaknesses if found.state != "closed" for c in found.clusters}
    figure, clusters = charts.embedding_map(rows, profile.tau, weak)
    return DrawnMap([figure], clusters)


def guide_figures(door: Door, name: str, number: int) -> dict[str, Any]:
    """Draw what the arms predicted on guide; nothing where it is not in the store any more."""
    try:
        found = guide_predictions(door, name, number)
    except ActiveSynthError:
        return {}  # erased or collected: the page shows the rest
    return {} if found is None else {**found["figures"]}


def guide_predictions(door: Door, name: str, number: int) -> dict[str, Any] | None:
    """Return ``predictions`` of the arms on guide and their ``figures``, or None if none are.

    Raises:
        ActiveSynthError: If a blob of them cannot be had.
    """
    artifacts = door.platform.reader.step_artifacts(name, number, "evaluate")
    if "probs" not in artifacts:
        return None
    manifest = door.manifest(name)
    guide = tuple(ref.blob for ref in manifest.splits["guide"])
    key = ("predictions", artifacts["probs"], guide, manifest.classes)
    return door.pages.get(key, lambda: _drawn(door, manifest, artifacts["probs"]))


def _drawn(door: Door, manifest: DatasetManifest, probs: str) -> dict[str, Any]:
    arrays: Mapping[str, Array] = decode_arrays(door.platform.objects.get(probs))
    guide = load_split(door.platform.objects, manifest, "guide")
    order = {sample: place for place, sample in enumerate(guide.ids.tolist())}
    places = [order.get(sample, -1) for sample in arrays["ids"].tolist()]
    known = np.array([place >= 0 for place in places])
    labels = guide.y[np.array([place for place in places if place >= 0], np.int64)]
    predictions = charts.Predictions(
        classes=manifest.classes,
        ids=arrays["ids"][known],
        labels=labels,
        said={arm: _said(found[..., known, :]) for arm, found in arrays.items() if arm != "ids"},
    )
    return {"predictions": predictions, "figures": predictions.figures()}


def _said(probs: Array) -> tuple[Array, Array]:
    """Return labels and confidences, of means over replicates: what pages need and is kept."""
    mean = probs.mean(axis=0) if probs.ndim == 3 else probs
    return mean.argmax(axis=1).astype(np.int32), mean.max(axis=1).astype(np.float32)
