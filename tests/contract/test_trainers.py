"""What every registered trainer promises, whatever it is made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

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
from activesynth.domain.exchange import State, TrainingSet
from activesynth.domain.ports import Predictor, Trainer
from activesynth.errors import InputError
from contract_cases import CATALOG, Case, cases

ROWS, SYNTHETIC = 120, 20


@dataclass(frozen=True)
class Fitted:
    case: Case
    trainer: Trainer
    data: TrainingSet
    encoder: State
    state: State
    predictor: Predictor
    progress: list[tuple[int, int]]


def create(case: Case) -> Trainer:
    part: Trainer = CATALOG.create("trainer", case.name, case.parameters)
    return part


def training_set(case: Case) -> TrainingSet:
    data = case.rows()
    rows = data.samples.take(np.arange(ROWS))
    is_synthetic = np.arange(ROWS) >= ROWS - SYNTHETIC
    prior = np.full((ROWS, data.classes), 1.0 / data.classes)
    return TrainingSet(rows, np.ones(ROWS), is_synthetic, prior, data.classes)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=cases("trainer"), ids=str)
def fitted(request: pytest.FixtureRequest) -> Fitted:
    heard: list[tuple[int, int]] = []
    trainer, data = create(request.param), training_set(request.param)
    encoder = trainer.pretrain(data.samples.x, seed=3)
    state = trainer.fit(
        data, encoder, seed=5, progress=lambda done, total: heard.append((done, total))
    )
    return Fitted(request.param, trainer, data, encoder, state, trainer.load(state), heard)


def test_it_satisfies_the_port(fitted: Fitted) -> None:
    assert isinstance(fitted.trainer, Trainer)
    assert isinstance(fitted.predictor, Predictor)


def test_its_own_rows_pass_and_rows_of_another_kind_are_refused_before_any_work(
    fitted: Fitted,
) -> None:
    fitted.trainer.check(fitted.data.samples.x)

    with pytest.raises(InputError) as refused:
        fitted.trainer.check(np.zeros((4, 3, 3, 3, 3), np.float64))
    assert refused.value.reason


def test_fitting_twice_gives_equal_bits(fitted: Fitted) -> None:
    again = create(fitted.case)

    encoder = again.pretrain(fitted.data.samples.x, seed=3)
    state = again.fit(fitted.data, encoder, seed=5)

    for one, other in ((encoder, fitted.encoder), (state, fitted.state)):
        assert tensors_digest(one.tensors) == tensors_digest(other.tensors)
        assert canonical_json(dict(one.facts)) == canonical_json(dict(other.facts))


def test_embeddings_are_unit_vectors_that_belong_to_their_row(fitted: Fitted) -> None:
    x = fitted.data.samples.x

    vectors = fitted.trainer.embed(fitted.encoder, x)

    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    for count in (0, 1, 7, 64, 65):
        alone = fitted.trainer.embed(fitted.encoder, x[:count])
        np.testing.assert_array_equal(alone, vectors[:count])
        assert alone.shape == (count, vectors.shape[1])


def test_probabilities_sum_to_one_and_belong_to_their_row(fitted: Fitted) -> None:
    x = fitted.data.samples.x

    probs = fitted.predictor.predict_proba(x)

    assert probs.shape == (ROWS, fitted.data.classes)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, rtol=1e-9)
    assert (probs >= 0).all()
    np.testing.assert_array_equal(fitted.predictor.predict_proba(x[:9]), probs[:9])


def test_draws_come_member_by_member_and_repeat_with_their_seed(fitted: Fitted) -> None:
    x = fitted.data.samples.x[:30]

    draws = fitted.predictor.draws(x, passes=4, seed=1)

    assert len(draws) % 4 == 0
    assert draws.shape[1:] == (30, fitted.data.classes)
    np.testing.assert_allclose(draws.sum(axis=2), 1.0, rtol=1e-9)
    np.testing.assert_array_equal(fitted.predictor.draws(x, passes=4, seed=1), draws)
    assert not np.array_equal(fitted.predictor.draws(x, passes=4, seed=2), draws)


def test_every_real_row_has_out_of_fold_probabilities_and_no_synthetic_one_has(
    fitted: Fitted,
) -> None:
    held_out = fitted.state.tensors["out_of_fold"]
    real = ~fitted.data.is_synthetic

    assert held_out.shape == (ROWS, fitted.data.classes)
    np.testing.assert_allclose(held_out[real].sum(axis=1), 1.0, rtol=1e-6)
    assert (held_out[~real] == 0).all()


def test_a_state_survives_its_files(fitted: Fitted) -> None:
    def stored(state: State) -> State:
        facts = json.loads(canonical_json(dict(state.facts)))
        return State(decode_tensors(encode_tensors(state.tensors)), facts)

    x: Array = fitted.data.samples.x[:20]
    loaded = create(fitted.case).load(stored(fitted.state))

    np.testing.assert_array_equal(loaded.predict_proba(x), fitted.predictor.predict_proba(x))
    np.testing.assert_array_equal(
        create(fitted.case).embed(stored(fitted.encoder), x),
        fitted.trainer.embed(fitted.encoder, x),
    )


def test_progress_is_told_to_the_end(fitted: Fitted) -> None:
    assert fitted.progress[-1][0] == fitted.progress[-1][1]
    assert [done for done, _ in fitted.progress] == sorted(done for done, _ in fitted.progress)


def test_global_random_state_is_left_alone(fitted: Fitted) -> None:
    torch_before = torch.get_rng_state()
    numpy_before = repr(np.random.get_state(legacy=False))

    create(fitted.case).fit(fitted.data, None, seed=1)
    fitted.predictor.draws(fitted.data.samples.x[:3], passes=2, seed=0)

    assert torch.equal(torch_before, torch.get_rng_state())
    assert repr(np.random.get_state(legacy=False)) == numpy_before
