"""The static arm keeps what it began with, however large the others grow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from activesynth.arms.static import StaticArm, repeated
from activesynth.domain.exchange import ArmContext
from activesynth.domain.samples import SampleSet


def make_rows(prefix: str, count: int, weight: float = 1.0) -> SampleSet:
    ids = np.array([f"{prefix}{n}" for n in range(count)])
    columns = {"weight": np.full(count, weight)}
    x = np.arange(count, dtype=np.float32)[:, None]
    return SampleSet(ids, x, np.arange(count) % 2, ids, columns)


def make_context(targeted: int, kept: int) -> ArmContext:
    clusters = np.zeros(20, np.int64)
    return ArmContext(
        make_rows("r", 20),
        make_rows("t", targeted),
        None,
        clusters,
        clusters[:1].repeat(targeted),
        2,
        0.6,
        own=make_rows("s", kept),
    )


@pytest.mark.parametrize("targeted", [4, 6, 17, 60])
def test_only_rows_of_the_first_iteration_are_drawn_and_all_nearly_as_often(targeted: int) -> None:
    rows = StaticArm().build(make_context(targeted, 6))
    drawn = np.bincount(
        rows.samples.x[rows.is_synthetic][:, 0].astype(int), rows.weight[rows.is_synthetic], 6
    )

    assert rows.is_synthetic.sum() == targeted
    assert rows.facts == {"static": {"distinct": min(6, targeted)}}
    assert drawn.max() - drawn[drawn > 0].min() <= rows.weight[rows.is_synthetic].max() + 1e-9


def test_a_repetition_has_an_id_of_its_own_and_else_is_the_row() -> None:
    rows = repeated(make_rows("s", 2), 5)

    assert rows.ids.tolist() == ["s0", "s1", "s0#1", "s1#1", "s0#2"]
    assert rows.x[:, 0].tolist() == [0, 1, 0, 1, 0]


def test_before_there_is_a_first_iteration_it_trains_on_real_rows() -> None:
    rows = StaticArm().build(replace(make_context(5, 3), own=None))

    assert not rows.is_synthetic.any()
