"""Ten nearest neighbours: FAISS flat and inverted lists, against scikit-learn (CPU seconds)."""

from __future__ import annotations

from time import process_time

import numpy as np
from sklearn.neighbors import NearestNeighbors

from activesynth.domain.canonical import Array
from activesynth.index.faiss_index import FaissIndex
from benchmarks.measure import Case, measured
from benchmarks.pictures import embeddings

NEIGHBOURS = 10


def measure(*, quick: bool) -> list[Case]:
    """Time searches, each with its recall against the exact answer, and what building took."""
    rows, asked = (2000, 200) if quick else (60_000, 2000)
    vectors = embeddings(rows + asked)
    held, queries = vectors[:rows], vectors[rows:]
    brute = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute").fit(held)
    flat, lists = FaissIndex(flat_rows=rows), FaissIndex(flat_rows=rows - 1)
    flat_bytes = flat.build(held)
    building, lists_bytes = measured(
        "build inverted lists", lambda: lists.build(held), clock=process_time
    )

    def search(index: FaissIndex, data: bytes) -> Array:
        return index.search(data, queries, NEIGHBOURS)[1]

    def other_way() -> Array:
        return np.asarray(brute.kneighbors(queries, return_distance=False))

    repeats = 1 if quick else 3
    exact, truth = measured(
        "search flat", lambda: search(flat, flat_bytes), repeats=repeats, clock=process_time
    )
    near, found = measured(
        "search inverted lists",
        lambda: search(lists, lists_bytes),
        repeats=repeats,
        clock=process_time,
    )
    other, same = measured(
        "scikit-learn, brute force", other_way, repeats=repeats, clock=process_time
    )
    return [
        exact.noted(f"{asked} queries in {rows} x {held.shape[1]}, recall 1.000"),
        near.noted(f"recall {_recall(truth, found):.3f}"),
        other.noted(f"recall {_recall(truth, same):.3f}"),
        building.noted("up to 50,000 rows an index stays flat"),
    ]


def _recall(truth: Array, found: Array) -> float:
    pairs = zip(truth.tolist(), found.tolist(), strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in pairs]))
