"""Targeted corruption: the anchors, damaged as asked, under their own labels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from activesynth.domain.exchange import GenerationRequest, State
from activesynth.errors import InputError, ShapeError
from activesynth.generation.corruption import CorruptionGenerator
from activesynth.perturbations.image import apply
from generation_rows import digit_data, request

GENERATOR = CorruptionGenerator()
NOTHING = State({})


def wanted(count: int = 6, severity: float = 0.7) -> GenerationRequest:
    return dataclasses.replace(
        request(np.full(count, -1)),
        anchors=digit_data()[0].samples.take(np.arange(count)),
        perturbations=np.array(["noise", "blur"])[np.arange(count) % 2],
        severities=np.full(count, severity),
    )


def test_fitting_learns_nothing() -> None:
    state = GENERATOR.fit(digit_data()[0], seed=0)

    assert dict(state.tensors) == {}


def test_each_row_is_its_anchor_under_its_own_perturbation() -> None:
    order = wanted()
    batch = GENERATOR.generate(NOTHING, order)

    assert order.anchors is not None
    for row, name in enumerate(["noise", "blur"] * 3):
        alone = apply(
            name, order.anchors.x[row : row + 1], severity=0.7, seed=order.seeds[row : row + 1]
        )
        np.testing.assert_array_equal(batch.x[row], alone[0])
    np.testing.assert_array_equal(batch.y, order.anchors.y)


def test_severity_zero_returns_the_anchor() -> None:
    order = wanted(severity=0.0)
    assert order.anchors is not None

    np.testing.assert_array_equal(GENERATOR.generate(NOTHING, order).x, order.anchors.x)


def test_the_anchor_keeps_its_label_whatever_was_requested() -> None:
    order = wanted()
    assert order.anchors is not None
    other = dataclasses.replace(order, labels=(order.anchors.y + 1) % 10)

    np.testing.assert_array_equal(GENERATOR.generate(NOTHING, other).y, order.anchors.y)


@pytest.mark.parametrize("field", ["anchors", "perturbations", "severities"])
def test_what_is_missing_is_named_with_the_way_out(field: str) -> None:
    missing: dict[str, Any] = {field: None}
    with pytest.raises(InputError, match=f"request.{field} is None; give one real row") as caught:
        GENERATOR.generate(NOTHING, dataclasses.replace(wanted(), **missing))

    assert caught.value.reason == "missing_anchors"


def test_unusable_rows_are_refused() -> None:
    order = wanted()
    assert order.anchors is not None
    unlabelled = order.anchors.with_labels(np.full(6, -1))

    with pytest.raises(InputError, match=r"\['snow'\]; there are: blur, brightness"):
        GENERATOR.generate(NOTHING, dataclasses.replace(order, perturbations=np.full(6, "snow")))
    with pytest.raises(InputError, match="no label in row 0"):
        GENERATOR.generate(NOTHING, dataclasses.replace(order, anchors=unlabelled))
    with pytest.raises(ShapeError, match=r"request\.severities .* 6 seeds"):
        GENERATOR.generate(NOTHING, dataclasses.replace(order, severities=np.zeros(5)))
    with pytest.raises(InputError, match=r"severity must lie in \[0, 1\]"):
        GENERATOR.generate(NOTHING, dataclasses.replace(order, severities=np.full(6, 1.5)))
