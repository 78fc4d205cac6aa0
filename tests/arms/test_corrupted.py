"""Corrupted copies, spread evenly: the control of the failure modes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from activesynth.arms.corrupted import CorruptedArm
from activesynth.domain.canonical import Array
from activesynth.domain.exchange import ArmContext
from activesynth.domain.samples import SampleSet

KINDS = ("noise", "blur", "rotation")


def make_rows(prefix: str, y: Array) -> SampleSet:
    rng = np.random.default_rng(len(y))
    x = rng.integers(0, 256, (len(y), 8, 8, 1)).astype(np.uint8)
    ids = np.array([f"{prefix}{n}" for n in range(len(y))])
    return SampleSet(ids, x, y.astype(np.int64), np.array([f"g{n // 2}" for n in range(len(y))]))


def make_context(count: int = 60) -> ArmContext:
    real = make_rows("r", np.repeat([0, 1, 2], [30, 6, 2]))
    targeted = make_rows("t", np.full(count, 1))
    weighed = {"weight": np.full(count, 1.5), "damping": np.full(count, 0.5)}
    return ArmContext(
        real=real,
        targeted=replace(targeted, columns=weighed),
        untargeted=None,
        real_clusters=real.y,
        targeted_clusters=targeted.y,
        classes=3,
        real_share=0.5,
        seed=4,
        corruptions=KINDS,
    )


def test_classes_and_kinds_come_equally_often() -> None:
    context = make_context()

    rows = CorruptedArm().build(context)

    made = rows.samples.y[rows.is_synthetic]
    assert np.bincount(made).tolist() == [20, 20, 20]
    assert rows.facts == {"corrupted": {"blur": 20, "noise": 20, "rotation": 20}}


def test_a_copy_has_label_and_group_of_a_real_row_and_other_pixels() -> None:
    context = make_context()
    real = context.real

    rows = CorruptedArm().build(context)

    copies = rows.samples.take(np.flatnonzero(rows.is_synthetic))
    by_group = {g: set(real.y[real.groups == g].tolist()) for g in real.groups.tolist()}
    assert all(y in by_group[g] for y, g in zip(copies.y, copies.groups, strict=True))
    originals = {row.tobytes() for row in real.x}
    assert np.mean([row.tobytes() in originals for row in copies.x]) < 0.1


def test_copies_weigh_what_targeted_rows_weigh_before_damping() -> None:
    context = make_context(count=10)

    rows = CorruptedArm().build(context)

    assert np.allclose(rows.weight[rows.is_synthetic], 3.0)


def test_without_corruptions_there_is_nothing_to_add() -> None:
    rows = CorruptedArm().build(replace(make_context(), corruptions=()))

    assert not rows.is_synthetic.any()
