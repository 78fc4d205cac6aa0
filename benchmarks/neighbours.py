"""Ten nearest neighbours, building included: FAISS flat and IVF, against scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from activesynth.domain.canonical import Array
from activesynth.index.faiss_index import FaissIndex
from benchmarks.measure import Case, measured
from benchmarks.pictures import embeddings

NEIGHBOURS = 10


def measure(*, quick: bool) -> list[Case]:
    """Time four ways, each with its recall against the exact answer."""
    rows, asked = (2000, 200) if quick else (50_000, 2000)
    vectors = embeddings(rows + asked)
    held, queries = vectors[:rows], vectors[rows:]
    flat, lists = FaissIndex(flat_rows=rows), FaissIndex(flat_rows=1)
    size = f"{asked} queries in {rows} x {held.shape[1]}"

    def with_faiss(index: FaissIndex) -> Array:
        return index.search(index.build(held), queries, NEIGHBOURS)[1]

    def with_sklearn(algorithm: str) -> Array:
        model = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm=algorithm).fit(held)
        return np.asarray(model.kneighbors(queries, return_distance=False))

    first, truth = measured("our index, flat", lambda: with_faiss(flat))
    cases = [Case(first.name, first.seconds, first.memory_mb, f"{size}, recall 1.000")]
    for name, call in (
        ("our index, IVF", lambda: with_faiss(lists)),
        ("scikit-learn, brute force", lambda: with_sklearn("brute")),
        ("scikit-learn, ball tree", lambda: with_sklearn("ball_tree")),
    ):
        case, found = measured(name, call)
        note = f"recall {_recall(truth, found):.3f}"
        cases.append(Case(case.name, case.seconds, case.memory_mb, note))
    return cases


def _recall(truth: Array, found: Array) -> float:
    pairs = zip(truth.tolist(), found.tolist(), strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in pairs]))
