"""All arms share the real rows; what they add, and how they weigh it, differs as promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activesynth.arms.real import RealArm, ReweightedArm
from activesynth.arms.synthetic import RandomArm, TargetedArm
from activesynth.domain.exchange import ArmContext, ArmRows
from activesynth.domain.ports import Arm
from activesynth.domain.samples import SampleSet

CLASSES = 3
ARMS: list[Arm] = [RealArm(), ReweightedArm(), RandomArm(), TargetedArm()]


def make_rows(prefix: str, y: list[int], weight: float | None = None) -> SampleSet:
    ids = np.array([f"{prefix}{n}" for n in range(len(y))])
    labels = np.array(y, np.int64)
    x = np.column_stack([labels, np.arange(len(y))]).astype(np.float32)
    columns = {} if weight is None else {"weight": np.full(len(y), weight)}
    return SampleSet(ids, x, labels, ids, columns)


def make_context(synthetic: int = 10, weight: float = 1.0, real_share: float = 0.6) -> ArmContext:
    real = make_rows("r", [0] * 20 + [1] * 8 + [2] * 2)
    targeted = make_rows("t", [2] * synthetic, weight)
    return ArmContext(
        real=real,
        targeted=targeted,
        untargeted=make_rows("u", [n % CLASSES for n in range(synthetic)], weight),
        real_clusters=real.y.copy(),
        targeted_clusters=targeted.y.copy(),
        classes=CLASSES,
        real_share=real_share,
    )


def class_mix(rows: ArmRows) -> np.ndarray:
    totals = np.bincount(rows.samples.y, weights=rows.weight, minlength=CLASSES)
    return np.asarray(totals / totals.sum())


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_every_arm_holds_all_real_rows_first(arm: Arm) -> None:
    context = make_context()

    rows = arm.build(context)

    assert rows.samples.ids[: len(context.real)].tolist() == context.real.ids.tolist()
    assert not rows.is_synthetic[: len(context.real)].any()
    assert (rows.weight > 0).all()


@pytest.mark.parametrize("arm", [RealArm(), ReweightedArm()], ids=lambda arm: arm.name)
def test_arms_without_a_generator_train_on_no_synthetic_row(arm: Arm) -> None:
    rows = arm.build(make_context())

    assert len(rows.samples) == 30
    assert not rows.is_synthetic.any()


def test_the_real_arm_draws_every_class_equally_often() -> None:
    mix = class_mix(RealArm().build(make_context()))

    np.testing.assert_allclose(mix, 1 / CLASSES)


def test_the_reweighted_arm_has_the_class_marginals_of_the_targeted_arm() -> None:
    context = make_context()

    reweighted, targeted = ReweightedArm().build(context), TargetedArm().build(context)

    np.testing.assert_allclose(class_mix(reweighted), class_mix(targeted), atol=1e-6)
    assert class_mix(targeted)[2] > 0.4


def test_random_and_targeted_add_equally_many_rows_of_their_own_branch() -> None:
    context = make_context()

    random, targeted = RandomArm().build(context), TargetedArm().build(context)

    assert random.is_synthetic.sum() == targeted.is_synthetic.sum() == 10
    assert set(random.samples.ids[30:]).isdisjoint(targeted.samples.ids[30:])


@given(st.integers(1, 200), st.floats(0.1, 4.0), st.floats(0.3, 0.95))
def test_the_real_share_of_the_draws_never_falls_under_its_floor(
    synthetic: int, weight: float, real_share: float
) -> None:
    rows = TargetedArm().build(make_context(synthetic, weight, real_share))

    drawn = rows.weight[~rows.is_synthetic].sum() / rows.weight.sum()
    assert drawn >= real_share - 1e-9


def test_the_adaptive_sampler_draws_more_where_the_model_struggles() -> None:
    context = make_context()
    struggle = np.ones(40)
    struggle[28:30] = 2.0
    struggling = ArmContext(
        context.real,
        context.targeted,
        context.untargeted,
        context.real_clusters,
        context.targeted_clusters,
        context.classes,
        context.real_share,
        struggle,
    )

    before, after = TargetedArm().build(context), TargetedArm().build(struggling)

    assert after.weight[28:30].sum() > before.weight[28:30].sum()
    assert after.weight[:30].sum() == pytest.approx(30)


def test_the_controls_do_not_follow_the_sampler() -> None:
    context = make_context()

    plain = RandomArm().build(context)

    np.testing.assert_allclose(plain.weight[:30].sum(), 30)
