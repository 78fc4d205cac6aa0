"""The bias-amplification alarm fires where rare groups are neglected, and is silent otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation.amplification import amplification_rows, measure_amplification

SHARES = np.array([0.33, 0.33, 0.3, 0.04])


def draw(rows: int, shares: Array = SHARES, seed: int = 0) -> Array:
    return np.random.default_rng(seed).choice(len(shares), rows, p=shares)


def test_it_fires_where_synthetic_rows_leave_a_rare_cluster_out() -> None:
    neglecting = np.array([0.34, 0.34, 0.32, 0.0])

    found = measure_amplification(draw(1000), draw(400, neglecting, 1), 4, 0.02)

    assert found is not None
    assert found.groups == (3,)
    assert found.is_alarming
    assert 0.0 < found.loss.low < found.loss.gap
    assert found.mixed.value < found.real.value


@pytest.mark.parametrize("shares", [SHARES, np.full(4, 0.25)], ids=["as real", "balanced"])
def test_it_is_silent_where_rare_groups_get_their_share_or_more(shares: Array) -> None:
    found = measure_amplification(draw(1000), draw(400, shares, 1), 4, 0.02)

    assert found is not None
    assert not found.is_alarming


def test_by_chance_it_fires_in_at_most_one_of_twenty_campaigns() -> None:
    looks = [measure_amplification(draw(500, seed=k), draw(200, seed=k + 500), 4, 0.0)
             for k in range(200)]  # fmt: skip

    assert sum(one is not None and one.is_alarming for one in looks) <= 10


@pytest.mark.parametrize(
    ("real", "synthetic"),
    [([], [0]), ([0, 1], []), ([0, 1, 0, 1], [0, 0])],
    ids=["no real rows", "no synthetic rows", "nothing rare"],
)
def test_there_is_nothing_to_say_without_rows_or_without_rare_groups(
    real: list[int], synthetic: list[int]
) -> None:
    assert measure_amplification(np.array(real, int), np.array(synthetic, int), 2, 0.0) is None


def test_no_groups_at_all_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least 1 group"):
        measure_amplification(np.zeros(1, int), np.zeros(1, int), 0, 0.0)


def test_the_metrics_hold_both_shares_the_loss_and_the_alarm() -> None:
    found = measure_amplification(draw(1000), draw(400, np.array([1.0, 0, 0, 0])), 4, 0.02)
    assert found is not None

    rows = {(row.arm, row.name): row for row in amplification_rows(found, "rare_clusters")}

    assert rows["real", "share"].value == found.real.value
    assert rows["targeted", "share"].n == 1400
    assert rows["targeted", "bias_amplification"].n == 400
    assert rows["targeted", "bias_alarm"].value == 1.0
