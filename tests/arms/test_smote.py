"""SMOTE interpolates within a class, fills up what is rare, and says what it could not do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from activesynth.arms.smote import NEIGHBOURS, SmoteArm
from activesynth.domain.exchange import ArmContext, ArmRows
from activesynth.domain.samples import SampleSet
from activesynth.errors import InputError
from activesynth.targeting.apportionment import fill_up


def make_context(
    counts: list[int], synthetic: int, *, kind: str = "float32", seed: int = 0, share: float = 0.6
) -> ArmContext:
    y = np.repeat(np.arange(len(counts)), counts)
    rng = np.random.default_rng(5)
    x = (rng.uniform(0, 200, (len(y), 3)) + 10 * y[:, None]).astype(kind)
    ids = np.array([f"r{n}" for n in range(len(y))])
    real = SampleSet(ids, x, y, ids)
    more = np.zeros(synthetic, np.int64)
    targeted = SampleSet(more.astype(str), x[more], more, more.astype(str))
    return ArmContext(real, targeted, None, y, more, len(counts), share, seed=seed)


def added(rows: ArmRows) -> tuple[np.ndarray, np.ndarray]:
    made = rows.is_synthetic
    return rows.samples.x[made], rows.samples.y[made]


def test_every_row_lies_between_a_real_row_and_one_of_its_five_nearest_of_its_class() -> None:
    context = make_context([30, 10, 8], 60)
    x, y = added(SmoteArm().build(context))

    for point, label in zip(x.astype(float), y.tolist(), strict=True):
        own = context.real.x[context.real.y == label].astype(float)
        order = np.argsort(cdist(own, own), axis=1)[:, 1 : NEIGHBOURS + 1]
        detour = min(
            np.linalg.norm(own[a] - point)
            + np.linalg.norm(own[b] - point)
            - np.linalg.norm(own[a] - own[b])
            for a in range(len(own))
            for b in order[a].tolist()
        )
        assert detour < 1e-3


def test_the_smallest_classes_are_filled_up_first() -> None:
    few = np.bincount(added(SmoteArm().build(make_context([30, 10, 8], 12)))[1], minlength=3)
    many = np.bincount(added(SmoteArm().build(make_context([30, 10, 8], 72)))[1], minlength=3)

    assert few.tolist() == [0, 5, 7]
    assert many.tolist() == [10, 30, 32]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(0, 200))
def test_filling_up_levels_what_it_touches_and_sums_exactly(counts: list[int], extra: int) -> None:
    parts = fill_up(np.array(counts), extra)
    totals = np.array(counts) + parts

    assert parts.sum() == extra
    if extra:
        assert totals[parts > 0].max() <= totals.min() + 1


@given(st.lists(st.integers(2, 30), min_size=2, max_size=5), st.integers(1, 150))
def test_every_class_is_drawn_equally_often_and_real_rows_often_enough(
    counts: list[int], synthetic: int
) -> None:
    rows = SmoteArm().build(make_context(counts, synthetic))
    mix = np.bincount(rows.samples.y, weights=rows.weight) / rows.weight.sum()

    np.testing.assert_allclose(mix, 1 / len(counts))
    assert rows.weight[~rows.is_synthetic].sum() >= 0.6 * rows.weight.sum() - 1e-9
    assert rows.weight[~rows.is_synthetic].mean() == pytest.approx(1.0)


def test_pixels_are_what_floats_would_be_rounded() -> None:
    whole = make_context([6, 6], 40, kind="uint8")
    real = replace(whole.real, x=whole.real.x.astype(np.float32))
    pixels, _ = added(SmoteArm().build(whole))
    floats, _ = added(SmoteArm().build(replace(whole, real=real)))

    assert pixels.dtype == np.uint8
    assert not np.array_equal(floats, np.rint(floats))
    np.testing.assert_array_equal(pixels, np.rint(floats))


def test_a_class_with_one_row_is_duplicated_and_the_reason_is_recorded() -> None:
    context = make_context([20, 6, 1], 30)
    rows = SmoteArm().build(context)
    x, y = added(rows)

    alone = context.real.x[context.real.y == 2][0]
    assert (x[y == 2] == alone).all()
    assert rows.facts == {
        "smote": {
            "interpolated": int((y != 2).sum()),
            "duplicated": int((y == 2).sum()),
            "reason": "too few rows to interpolate between in classes 2",
        }
    }
    assert (y == 2).sum() > 10


def test_two_rows_are_enough_to_interpolate() -> None:
    rows = SmoteArm().build(make_context([20, 2], 10))

    assert rows.facts == {"smote": {"interpolated": 10, "duplicated": 0}}


def test_other_seeds_give_other_rows() -> None:
    one, other = (SmoteArm().build(make_context([20, 6], 10, seed=seed)) for seed in (1, 2))

    assert not np.array_equal(added(one)[0], added(other)[0])


def test_inputs_that_are_no_numbers_are_refused() -> None:
    context = make_context([4, 4], 3)
    words = SampleSet(
        context.real.ids, context.real.ids[:, None], context.real.y, context.real.groups
    )
    texts = ArmContext(words, context.targeted, None, context.real_clusters, None, 2, 0.6)

    with pytest.raises(InputError, match=r"take `smote` out of `evaluation\.arms`"):
        SmoteArm().build(texts)
