"""When a campaign has converged."""

from __future__ import annotations

from collections.abc import Sequence


def has_converged(
    shares: Sequence[tuple[float, float, float]], min_reduction: float, patience: int
) -> bool:
    """Tell whether the uncertain region has stopped shrinking.

    Converged when in none of the last ``patience`` iterations the region's share lay below the
    interval it had before them by ``min_reduction`` (relative to the share then) or more. A slow
    but steady fall is counted over the whole window, and a fall that the interval could
    explain is none. The threshold tau must be the same throughout.

    Args:
        shares: Share of guide in the uncertain region per iteration, oldest first, each as
            (share, low, high), all in ``[0, 1]``.
        min_reduction: Relative fall that counts as progress, in ``[0, 1]`` (0.02 is 2 %).
        patience: How many iterations without progress are enough, 1 or more.

    Returns:
        False while there are too few iterations to tell.
    """
    if len(shares) <= patience:
        return False
    before, low, _ = shares[-patience - 1]
    limit = low - min_reduction * before
    return all(share >= limit for share, _, _ in shares[-patience:])
