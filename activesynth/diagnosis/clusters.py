"""How samples spread over the clusters of the frozen codebook, and which clusters are rare."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError


def cluster_shares(assignments: Array, count: int) -> Array:
    """Return p_c, the share of samples in each cluster.

    Args:
        assignments: Cluster id per sample, ``(n,)``, in ``[0, count)``.
        count: Number of clusters.

    Returns:
        Shape ``(count,)``, summing to 1, or all 0 for no samples.

    Raises:
        ShapeError: If an id is no cluster.
    """
    assignments = np.asarray(assignments, dtype=np.int64)
    if len(assignments) and (assignments.min() < 0 or assignments.max() >= count):
        raise ShapeError(
            f"cluster ids must lie in [0, {count}), got {assignments.min()} to "
            f"{assignments.max()}; assign with the campaign's own codebook."
        )
    shares: Array = np.bincount(assignments, minlength=count) / max(1, len(assignments))
    return shares


def rare_clusters(shares: Array, delta: float) -> tuple[int, ...]:
    """Return the clusters with a share strictly below ``delta``, in order of their id."""
    return tuple(int(c) for c in np.flatnonzero(np.asarray(shares) < delta))
