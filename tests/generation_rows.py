"""Rows and requests that the tests of generators share, made by code."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import GenerationRequest, GeneratorData
from activesynth.domain.samples import SampleSet

CLUSTERS = 12


def sample_set(x: Array, y: Array) -> SampleSet:
    names = np.array([f"row{n}" for n in range(len(x))])
    return SampleSet(names, x, np.asarray(y, np.int64), names)


@cache
def digits() -> tuple[Array, Array]:
    """Return all digits as uint8 images in a fixed random order, and their labels."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return np.rint(x[order] * 15.9375).astype(np.uint8).reshape(-1, 8, 8, 1), y[order]


@cache
def digit_data() -> tuple[GeneratorData, KMeans]:
    """Return 300 digits with a mild tail, their clusters and random levels, and the codebook."""
    x, y = (part[:900] for part in digits())
    wanted = np.linspace(50, 10, 10).astype(int)
    rows = np.concatenate([np.flatnonzero(y == c)[: wanted[c]] for c in range(10)])
    x, y = x[rows], y[rows]
    codebook = KMeans(CLUSTERS, n_init=2, random_state=0).fit(x.reshape(len(x), -1))
    data = GeneratorData(
        samples=sample_set(x, y),
        clusters=codebook.labels_.astype(np.int64),
        levels=np.random.default_rng(1).integers(0, 3, len(x)),
        weight=np.sqrt(1.0 / np.bincount(y)[y]),
        classes=10,
        cluster_count=CLUSTERS,
    )
    return data, codebook


def colour_data() -> GeneratorData:
    """Return digits in the checkpoints' own size and colours: nothing is resized."""
    data = digit_data()[0]
    x = np.repeat(np.repeat(np.repeat(data.samples.x, 2, axis=1), 2, axis=2), 3, axis=3)
    return dataclasses.replace(data, samples=dataclasses.replace(data.samples, x=x))


def blob_data(rows: int = 240) -> GeneratorData:
    """Return a table whose columns are the label, the cluster and the level, plus small noise."""
    rng = np.random.default_rng(2)
    parts = [rng.integers(0, size, rows) for size in (2, 3, 3)]
    x = np.stack(parts, axis=1) * [1.0, 100.0, 0.01] + rng.normal(0, 0.05, (rows, 3)) * [
        1,
        100,
        0.01,
    ]
    labels, clusters, levels = parts
    return GeneratorData(
        sample_set(x.astype(np.float32), labels), clusters, levels, np.ones(rows), 2, 3
    )


def request(
    labels: Array | list[int],
    clusters: Array | list[int] | None = None,
    levels: Array | list[int] | None = None,
    first_seed: int = 2**62,
) -> GenerationRequest:
    """Return a request with seeds counting up from ``first_seed``; what is left out is free."""
    count = len(labels)
    free = np.full(count, -1)
    return GenerationRequest(
        labels=np.asarray(labels, np.int64),
        clusters=free if clusters is None else np.asarray(clusters),
        levels=free if levels is None else np.asarray(levels),
        seeds=np.arange(first_seed, first_seed + count, dtype=np.uint64),
    )
