"""What every registered corruption promises, whatever it does to a row."""

from __future__ import annotations

import numpy as np
import pytest

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import GenerationRequest, State
from activesynth.domain.ports import Corruption
from activesynth.generation.corruption import CorruptionGenerator
from contract_cases import CATALOG, Case, cases

COUNT = 24


@pytest.fixture(params=cases("corruption"), ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def corruption(case: Case) -> Corruption:
    part: Corruption = CATALOG.create("corruption", case.name)
    return part


@pytest.fixture
def x(case: Case) -> Array:
    return case.rows().samples.x[:COUNT]


def test_it_satisfies_the_port_under_its_name(corruption: Corruption, case: Case) -> None:
    assert isinstance(corruption, Corruption)
    assert corruption.name == case.name


def test_severity_zero_is_the_identity(corruption: Corruption, x: Array) -> None:
    np.testing.assert_array_equal(corruption.apply(x, severity=0.0, seed=1), x)


def test_a_copy_has_the_shape_and_type_of_its_row_and_leaves_it_alone(
    corruption: Corruption, x: Array
) -> None:
    before = x.copy()

    changed = corruption.apply(x, severity=1.0, seed=1)

    assert (changed.shape, changed.dtype) == (x.shape, x.dtype)
    assert not np.array_equal(changed, x)
    np.testing.assert_array_equal(x, before)


def test_equal_seeds_give_equal_copies_and_a_row_does_not_notice_later_ones(
    corruption: Corruption, x: Array
) -> None:
    changed = corruption.apply(x, severity=0.7, seed=1)

    np.testing.assert_array_equal(corruption.apply(x, severity=0.7, seed=1), changed)
    np.testing.assert_array_equal(corruption.apply(x[:5], severity=0.7, seed=1), changed[:5])


def test_more_severity_does_more(corruption: Corruption, x: Array) -> None:
    slight, severe = (
        np.abs(corruption.apply(x, severity=s, seed=1).astype(float) - x).mean() for s in (0.2, 1.0)
    )

    assert 0 < slight < severe


def test_the_corruption_generator_makes_copies_of_real_rows_with_it(case: Case, x: Array) -> None:
    anchors = case.rows().samples.take(np.arange(COUNT))
    request = GenerationRequest(
        labels=anchors.y,
        clusters=np.full(COUNT, -1),
        levels=np.full(COUNT, -1),
        seeds=np.arange(COUNT, dtype=np.uint64) + np.uint64(2**63),
        anchors=anchors,
        perturbations=np.full(COUNT, case.name),
        severities=np.linspace(0.0, 1.0, COUNT),
    )

    made = CorruptionGenerator().generate(State({}), request)
    again = CorruptionGenerator().generate(State({}), request)

    assert (made.x.shape, made.x.dtype) == (x.shape, x.dtype)
    np.testing.assert_array_equal(made.x, again.x)
    np.testing.assert_array_equal(made.x[0], x[0])
    assert not np.array_equal(made.x[-1], x[-1])
    np.testing.assert_array_equal(made.y, anchors.y)
