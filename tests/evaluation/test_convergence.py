"""When the uncertain region counts as no longer shrinking."""

from __future__ import annotations

import pytest

from activesynth.evaluation.convergence import has_converged


def with_interval(shares: list[float], half: float) -> list[tuple[float, float, float]]:
    return [(share, share - half, share + half) for share in shares]


@pytest.mark.parametrize(
    ("shares", "half", "expected"),
    [
        ([0.20], 0.0, False),
        ([0.20, 0.20], 0.0, False),
        ([0.20, 0.20, 0.20], 0.0, True),
        ([0.20, 0.199, 0.199], 0.0, True),
        ([0.20, 0.18, 0.20], 0.0, False),
        ([0.20, 0.198, 0.195], 0.0, False),
        ([0.20, 0.18, 0.17], 0.05, True),
        ([0.20, 0.16, 0.12], 0.05, False),
        ([0.20, 0.25, 0.30], 0.0, True),
        ([0.0, 0.0, 0.0], 0.0, True),
        ([0.50, 0.30, 0.20, 0.20, 0.20], 0.0, True),
        ([0.50, 0.30, 0.20, 0.20, 0.10], 0.0, False),
    ],
)
def test_a_campaign_converges_when_no_recent_fall_exceeds_interval_and_threshold(
    shares: list[float], half: float, expected: bool
) -> None:
    assert has_converged(with_interval(shares, half), 0.02, 2) is expected


def test_patience_is_the_number_of_iterations_without_progress() -> None:
    shares = with_interval([0.20, 0.20, 0.20], 0.0)

    assert has_converged(shares, 0.02, 1)
    assert not has_converged(shares, 0.02, 3)
