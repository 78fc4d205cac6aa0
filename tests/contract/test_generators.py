"""What every registered generator promises, whatever it is made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from activesynth.domain.canonical import (
    Array,
    canonical_json,
    decode_tensors,
    encode_tensors,
    tensors_digest,
)
from activesynth.domain.exchange import GenerationRequest, Guide, State
from activesynth.domain.ports import SampleGenerator
from activesynth.errors import ConfigurationError, InputError, ShapeError
from contract_cases import CATALOG, Case, cases


@dataclass(frozen=True)
class Fitted:
    case: Case
    generator: SampleGenerator
    state: State
    progress: list[tuple[int, int]]


def create(case: Case) -> SampleGenerator:
    part: SampleGenerator = case.create()
    return part


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=cases("generator"), ids=str)
def fitted(request: pytest.FixtureRequest) -> Fitted:
    heard: list[tuple[int, int]] = []
    generator = create(request.param)
    state = generator.fit(
        request.param.rows(), seed=5, progress=lambda done, total: heard.append((done, total))
    )
    return Fitted(request.param, generator, state, heard)


def wanted(case: Case, count: int, first_seed: int = 2**63) -> GenerationRequest:
    data = case.rows()
    real = data.samples
    anchors = real.take(np.arange(count) * 7 % len(real))
    return GenerationRequest(
        labels=anchors.y,
        clusters=np.arange(count) % data.cluster_count,
        levels=np.arange(count) % 4 - 1,
        seeds=np.arange(first_seed, first_seed + count, dtype=np.uint64),
        anchors=anchors,
        perturbations=np.resize(np.array(case.perturbations), count),
        severities=np.linspace(0.2, 1.0, count),
    )


def part_of(whole: GenerationRequest, rows: Array) -> GenerationRequest:
    assert whole.anchors is not None
    assert whole.perturbations is not None
    assert whole.severities is not None
    return GenerationRequest(
        whole.labels[rows],
        whole.clusters[rows],
        whole.levels[rows],
        whole.seeds[rows],
        whole.anchors.take(rows),
        whole.perturbations[rows],
        whole.severities[rows],
    )


def test_it_satisfies_the_port(fitted: Fitted) -> None:
    assert isinstance(fitted.generator, SampleGenerator)


@pytest.mark.parametrize("count", [0, 1, 130])
def test_it_returns_exactly_the_count_like_the_data(fitted: Fitted, count: int) -> None:
    batch = fitted.generator.generate(fitted.state, wanted(fitted.case, count))

    real = fitted.case.rows().samples
    assert batch.x.shape == (count, *real.x.shape[1:])
    assert batch.x.dtype == real.x.dtype
    assert batch.y.shape == (count,)
    assert batch.y.dtype == np.int64
    assert batch.confidence.shape == (count,)


def test_the_label_asked_for_is_the_label_given(fitted: Fitted) -> None:
    batch = fitted.generator.generate(fitted.state, wanted(fitted.case, 50))

    np.testing.assert_array_equal(batch.y, wanted(fitted.case, 50).labels)


def test_equal_seeds_give_equal_samples_and_other_seeds_others(fitted: Fitted) -> None:
    first = fitted.generator.generate(fitted.state, wanted(fitted.case, 20))
    again = fitted.generator.generate(fitted.state, wanted(fitted.case, 20))
    other = fitted.generator.generate(fitted.state, wanted(fitted.case, 20, first_seed=3))

    np.testing.assert_array_equal(first.x, again.x)
    np.testing.assert_array_equal(first.confidence, again.confidence)
    assert (first.x != other.x).reshape(20, -1).any(axis=1).mean() > 0.5


def test_a_row_does_not_depend_on_its_batch(fitted: Fitted) -> None:
    whole = wanted(fitted.case, 150)
    order = np.random.default_rng(0).permutation(150)
    parts = (order[:75], order[75:149], order[149:])

    together = fitted.generator.generate(fitted.state, whole)
    apart = [fitted.generator.generate(fitted.state, part_of(whole, rows)) for rows in parts]

    joined = np.concatenate(parts)
    for name in ("x", "y", "confidence"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(batch, name) for batch in apart]),
            getattr(together, name)[joined],
        )


@pytest.mark.parametrize(
    ("steering", "refusal"),
    [
        ({"guide": Guide(np.ones_like, 3.0)}, "cannot_guide"),
        ({"strength": 0.3}, "cannot_start"),
    ],
    ids=["guide", "strength"],
)
def test_steering_is_followed_or_refused(
    fitted: Fitted, steering: dict[str, Any], refusal: str
) -> None:
    if fitted.case.only_transforms:
        return
    request = wanted(fitted.case, 7)
    plain = fitted.generator.generate(fitted.state, request)

    refused, is_other = "", False
    try:
        steered = fitted.generator.generate(fitted.state, replace(request, **steering))
        is_other = bool((steered.x != plain.x).any())
    except InputError as error:
        refused = error.reason

    assert is_other or refused == refusal


def test_confidence_is_a_share_and_belongs_to_the_row(fitted: Fitted) -> None:
    real = fitted.case.rows().samples
    batch = fitted.generator.generate(fitted.state, wanted(fitted.case, 30))

    scores = fitted.generator.confidence(fitted.state, real.x, real.y)
    alone = fitted.generator.confidence(fitted.state, real.x[8:9], real.y[8:9])
    again = fitted.generator.confidence(fitted.state, batch.x, batch.y)

    assert scores.shape == (len(real),)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert ((batch.confidence >= 0) & (batch.confidence <= 1)).all()
    assert alone[0] == scores[8]
    np.testing.assert_array_equal(again, batch.confidence)


def test_a_state_survives_its_files(fitted: Fitted) -> None:
    stored = decode_tensors(encode_tensors(fitted.state.tensors))
    facts = json.loads(canonical_json(dict(fitted.state.facts)))

    loaded = create(fitted.case).generate(State(stored, facts), wanted(fitted.case, 10))

    np.testing.assert_array_equal(
        loaded.x, fitted.generator.generate(fitted.state, wanted(fitted.case, 10)).x
    )


def test_fitting_twice_gives_equal_bits(fitted: Fitted) -> None:
    again = create(fitted.case).fit(fitted.case.rows(), seed=5)

    assert tensors_digest(again.tensors) == tensors_digest(fitted.state.tensors)
    assert canonical_json(dict(again.facts)) == canonical_json(dict(fitted.state.facts))


def test_progress_is_told_to_the_end(fitted: Fitted) -> None:
    heard: list[tuple[int, int]] = []
    fitted.generator.generate(
        fitted.state,
        wanted(fitted.case, 140),
        progress=lambda done, total: heard.append((done, total)),
    )

    for told in (heard, fitted.progress):
        assert told[-1][0] == told[-1][1]
        assert [done for done, _ in told] == sorted(done for done, _ in told)


def global_numpy_state() -> bytes:
    return repr(np.random.get_state(legacy=False)).encode()


def test_global_random_state_is_left_alone(fitted: Fitted) -> None:
    torch_before, numpy_before = torch.get_rng_state(), global_numpy_state()

    state = create(fitted.case).fit(fitted.case.rows(), seed=1)
    fitted.generator.generate(state, wanted(fitted.case, 3))

    assert torch.equal(torch_before, torch.get_rng_state())
    assert global_numpy_state() == numpy_before


def test_a_request_that_does_not_align_is_refused(fitted: Fitted) -> None:
    good = wanted(fitted.case, 6)
    bad = GenerationRequest(
        good.labels[:5],
        good.clusters,
        good.levels,
        good.seeds,
        good.anchors,
        good.perturbations,
        good.severities,
    )

    with pytest.raises(ShapeError, match=r"request\.labels .*6"):
        fitted.generator.generate(fitted.state, bad)


def test_an_unknown_parameter_is_refused(fitted: Fitted) -> None:
    with pytest.raises(ConfigurationError, match="stepz"):
        CATALOG.create("generator", fitted.case.name, {"stepz": 3})
