"""What every registered arm promises, whatever it adds to the real rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import ArmContext
from activesynth.domain.ports import Arm
from activesynth.domain.samples import SampleSet
from contract_cases import CATALOG

WITHOUT_SYNTHETIC = ("real", "reweighted")
CLASSES = 4


@pytest.fixture(params=CATALOG.names("arm"))
def arm(request: pytest.FixtureRequest) -> Arm:
    part: Arm = CATALOG.create("arm", request.param)
    return part


def make_rows(prefix: str, y: Array, kind: str) -> SampleSet:
    rng = np.random.default_rng(len(y))
    x = rng.integers(0, 256, (len(y), 4, 4, 1)).astype(kind)
    ids = np.array([f"{prefix}{n}" for n in range(len(y))])
    return SampleSet(ids, x, y.astype(np.int64), ids)


def make_branch(prefix: str, y: Array, kind: str) -> SampleSet:
    rows = make_rows(prefix, y, kind)
    names = np.full(len(y), "w")
    columns = {"weight": np.full(len(y), 2.5), "damping": np.ones(len(y)), "weakness": names}
    return replace(rows, columns=columns)


def make_context(
    synthetic: int = 24, real_share: float = 0.6, kind: str = "uint8", kept: int = 7
) -> ArmContext:
    """Return 41 real rows of four uneven classes, one of them with a single row."""
    real = make_rows("r", np.repeat([0, 1, 2, 3], [24, 12, 4, 1]), kind)
    targeted = make_branch("t", np.full(synthetic, 2), kind)
    return ArmContext(
        real=real,
        targeted=targeted,
        untargeted=make_branch("u", np.arange(synthetic) % CLASSES, kind),
        real_clusters=real.y % 3,
        targeted_clusters=targeted.y % 3,
        classes=CLASSES,
        real_share=real_share,
        own=make_branch("o", np.arange(kept) % CLASSES, kind),
        seed=11,
        corruptions=("noise", "blur") if kind == "uint8" else (),
    )


def test_it_satisfies_the_port_under_its_name(arm: Arm) -> None:
    assert isinstance(arm, Arm)
    assert arm.name in CATALOG.names("arm")


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_the_real_rows_come_first_and_are_all_there_unchanged(arm: Arm, kind: str) -> None:
    context = make_context(kind=kind)
    real = context.real

    rows = arm.build(context)

    assert rows.samples.ids[: len(real)].tolist() == real.ids.tolist()
    np.testing.assert_array_equal(rows.samples.x[: len(real)], real.x)
    np.testing.assert_array_equal(rows.samples.y[: len(real)], real.y)
    assert rows.samples.x.dtype == real.x.dtype
    np.testing.assert_array_equal(rows.is_synthetic, np.arange(len(rows.samples)) >= len(real))


def test_every_weight_is_positive_and_belongs_to_a_row_with_a_class_and_an_id_of_its_own(
    arm: Arm,
) -> None:
    rows = arm.build(make_context())

    assert len(rows.weight) == len(rows.samples) == len(set(rows.samples.ids.tolist()))
    assert (rows.weight > 0).all()
    assert np.isfinite(rows.weight).all()
    assert 0 <= rows.samples.y.min() <= rows.samples.y.max() < CLASSES


@pytest.mark.parametrize("synthetic", [3, 24, 300])
def test_it_adds_as_many_synthetic_rows_as_the_targeted_arm_or_none(
    arm: Arm, synthetic: int
) -> None:
    rows = arm.build(make_context(synthetic))

    expected = 0 if arm.name in WITHOUT_SYNTHETIC else synthetic
    assert rows.is_synthetic.sum() == expected


@pytest.mark.parametrize("synthetic", [1, 24, 400])
@pytest.mark.parametrize("real_share", [0.5, 0.6, 0.95])
def test_the_real_share_of_the_draws_is_kept(arm: Arm, synthetic: int, real_share: float) -> None:
    rows = arm.build(make_context(synthetic, real_share))

    assert rows.weight[~rows.is_synthetic].sum() >= (real_share - 1e-9) * rows.weight.sum()


def test_equal_seeds_give_equal_rows_and_the_context_is_left_alone(arm: Arm) -> None:
    context, untouched = make_context(), make_context()

    first, second = arm.build(context), arm.build(context)

    assert first.samples.encode() == second.samples.encode()
    np.testing.assert_array_equal(first.weight, second.weight)
    assert first.facts == second.facts
    assert context.real.encode() == untouched.real.encode()


def test_without_synthetic_rows_it_trains_on_the_real_ones(arm: Arm) -> None:
    context = replace(
        make_context(), targeted=None, untargeted=None, targeted_clusters=None, own=None
    )

    rows = arm.build(context)

    assert rows.samples.ids.tolist() == context.real.ids.tolist()
    assert (rows.weight > 0).all()
