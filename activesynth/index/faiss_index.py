"""FAISS behind the :class:`VectorIndex` port: exact when small, approximate when large."""

from __future__ import annotations

from typing import Any, Literal

import faiss
import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import CorruptArtifactError, InputError, ShapeError
from activesynth.index.codebook import fit_codebook

FLAT_ROWS = 50_000
IVF_ROWS = 1_000_000
LINKS = 32
MIN_PROBES, MAX_PROBES = 16, 64
"""Lists that a search looks into are a sixteenth of all, within these bounds: without the upper one
the time of a search grows with the rows."""

_BUILT = (faiss.IndexFlat, faiss.IndexIVFFlat, faiss.IndexHNSWFlat)

Layout = Literal["flat", "ivf", "hnsw"]


class FaissIndex:
    """Euclidean nearest neighbours and codebooks.

    Equal vectors give equal bytes. Bytes per vector of dimension d: flat 4 d, IVF 4 d + 8,
    HNSW about 4 d + 270. Distances may differ in the last digits between batches of fewer than
    20 queries and larger ones, because FAISS computes them in another order.
    """

    def __init__(
        self, *, device: str = "cpu", flat_rows: int = FLAT_ROWS, ivf_rows: int = IVF_ROWS
    ) -> None:
        """Choose where searches run, and up to how many rows an index stays flat, then IVF.

        Args:
            device: ``cpu``, or ``cuda`` to search on the first GPU if this FAISS build can.
            flat_rows: Largest number of rows that is searched exactly.
            ivf_rows: Largest number of rows for inverted lists; beyond it a graph (HNSW).
        """
        self._on_gpu = device.startswith("cuda") and gpu_is_usable()
        self._flat_rows = flat_rows
        self._ivf_rows = ivf_rows

    def layout(self, rows: int) -> Layout:
        """Return the kind of index that is built for so many rows."""
        if rows <= self._flat_rows:
            return "flat"
        return "ivf" if rows <= self._ivf_rows else "hnsw"

    def build(self, vectors: Array) -> bytes:
        """Return the serialised index over ``(n, d)`` vectors; rows are the ids.

        Raises:
            ShapeError: If the vectors are not ``(n, d)`` or not finite.
        """
        points = _vectors(vectors, "build")
        faiss.omp_set_num_threads(1)
        rows, dimension = points.shape
        layout = self.layout(rows)
        if layout == "ivf":
            index = _inverted_lists(points)
        elif layout == "hnsw":
            index = faiss.IndexHNSWFlat(dimension, LINKS)
            index.hnsw.efConstruction = 80
            index.hnsw.efSearch = 128
        else:
            index = faiss.IndexFlatL2(dimension)
        index.add(points)
        return bytes(faiss.serialize_index(index))

    def search(self, index: bytes, queries: Array, k: int) -> tuple[Array, Array]:
        """Return squared Euclidean distances and row ids, ``(m, k)`` each, nearest first.

        Load only bytes that :meth:`build` wrote and whose digest was verified: FAISS trusts them.
        In an approximate index fewer than ``k`` rows may be found; the rest has id -1 and an
        infinite distance.

        Raises:
            CorruptArtifactError: If the bytes are no index of a kind that is built here.
            InputError: If the index holds fewer than ``k`` rows.
            ShapeError: If the queries do not fit the index.
        """
        points = _vectors(queries, "search")
        faiss.omp_set_num_threads(1)
        found = _deserialise(index)
        if points.shape[1] != found.d:
            raise ShapeError(
                f"queries have {points.shape[1]} dimensions, the index has {found.d}: they come "
                "from different encoders; embed both with one model."
            )
        if not 1 <= k <= found.ntotal:
            raise InputError(
                f"k must lie between 1 and the {found.ntotal} rows of the index, got {k}; "
                "ask for fewer neighbours.",
                reason="neighbours",
            )
        if self._on_gpu and not isinstance(found, faiss.IndexHNSW):
            found = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, found)
        distances, ids = found.search(points, k)
        distances = np.where(ids < 0, np.inf, np.maximum(distances, 0.0)).astype(np.float32)
        return distances, ids.astype(np.int64)

    def codebook(self, vectors: Array, count: int, *, seed: int) -> Array:
        """Return ``(count, d)`` float32 centroids; see :func:`fit_codebook`."""
        return fit_codebook(_vectors(vectors, "codebook"), count, seed=seed)

    def assign(self, centroids: Array, vectors: Array) -> Array:
        """Return the nearest centroid of each vector, ``(n,)`` int64 in ``[0, count)``.

        Raises:
            ShapeError: If centroids and vectors have different dimensions.
        """
        centres = _vectors(centroids, "assign")
        points = _vectors(vectors, "assign")
        if centres.shape[1] != points.shape[1] or len(centres) == 0:
            raise ShapeError(
                f"assign got centroids {centres.shape} for vectors {points.shape}; both must "
                "come from the encoder the codebook was frozen with."
            )
        faiss.omp_set_num_threads(1)
        index = faiss.IndexFlatL2(centres.shape[1])
        index.add(centres)
        nearest: Array = index.search(points, 1)[1][:, 0].astype(np.int64)
        return nearest


def gpu_is_usable() -> bool:
    """Tell whether this FAISS build knows GPUs and sees one."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


def _inverted_lists(points: Array) -> Any:
    """Return an empty IVF index whose lists are centred by our own seeded k-means."""
    rows, dimension = points.shape
    lists = max(1, min(int(4 * np.sqrt(rows)), rows // 39))
    sample = points[:: max(1, rows // (64 * lists))]
    lists = min(lists, len(np.unique(sample, axis=0)))
    # FAISS's own k-means starts at random rows and ends with a clearly worse partition.
    centres = fit_codebook(sample, lists, seed=0)
    quantiser = faiss.IndexFlatL2(dimension)
    quantiser.add(centres)
    index = faiss.IndexIVFFlat(quantiser, dimension, lists)
    index.train(points[:1])  # finds the quantiser filled and only marks the index as trained
    index.nprobe = min(max(MIN_PROBES, lists // 16), MAX_PROBES)
    return index


def _deserialise(data: bytes) -> Any:
    try:
        found = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    except RuntimeError as error:
        raise CorruptArtifactError(f"not a readable FAISS index: {error}", field="index") from error
    if not isinstance(found, _BUILT) or found.metric_type != faiss.METRIC_L2:
        raise CorruptArtifactError(
            f"not a readable FAISS index: {type(found).__name__} is none that is built here",
            field="index",
        )
    return found


def _vectors(vectors: Array, what: str) -> Array:
    points = np.ascontiguousarray(vectors, np.float32)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise ShapeError(
            f"{what} needs finite vectors of shape (n, d), got {points.shape}; "
            "check the embeddings for NaN."
        )
    return points
