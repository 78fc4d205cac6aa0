from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from activesynth.domain.canonical import Array, decode_tensors, encode_tensors, tensors_digest
from activesynth.domain.exchange import State
from activesynth.errors import CorruptArtifactError, InputError, ShapeError
from activesynth.models.trainer import ImageTrainer
from digit_sets import ENCODERS, digits, make_trainer


def neighbours_are_right(trainer: ImageTrainer[Any], encoder: State) -> Array:
    """Return per row whether the nearest of 100 labelled embeddings names its class."""
    x, y = digits()
    probe = KNeighborsClassifier(1).fit(trainer.embed(encoder, x[:100]), y[:100])
    right: Array = probe.predict(trainer.embed(encoder, x[600:1100])) == y[600:1100]
    return right.astype(float)


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_pretrained_embeddings_tell_digits_apart_better_than_random_ones(kind: str) -> None:
    trainer = make_trainer(kind, pretrain_steps=60, pretrain_batch_size=64, learning_rate=3e-3)
    untrained = make_trainer(kind, pretrain_steps=1, learning_rate=1e-9)
    x = digits()[0][:600]

    trained = neighbours_are_right(trainer, trainer.pretrain(x, seed=0))
    random = neighbours_are_right(untrained, untrained.pretrain(x, seed=0))

    gain = trained - random
    low = gain.mean() - 2.58 * gain.std() / np.sqrt(len(gain))
    assert low > 0.0


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_pretraining_twice_gives_the_same_bits(kind: str) -> None:
    x = digits()[0][:80]

    first = make_trainer(kind).pretrain(x, seed=3)
    second = make_trainer(kind).pretrain(x, seed=3)

    assert tensors_digest(first.tensors) == tensors_digest(second.tensors)
    assert first.facts == second.facts
    other = make_trainer(kind).pretrain(x, seed=4)
    assert tensors_digest(first.tensors) != tensors_digest(other.tensors)


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_pretraining_lowers_the_loss_and_records_tau(kind: str) -> None:
    trainer = make_trainer(kind, pretrain_steps=40, temperature=0.3, learning_rate=3e-3)

    state = trainer.pretrain(digits()[0][:200], seed=0)

    assert state.facts["tau"] == 0.3
    assert state.facts["info_nce"][-1] < state.facts["info_nce"][0] - 0.15


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_embeddings_have_length_one_and_do_not_depend_on_each_other(kind: str) -> None:
    trainer = make_trainer(kind)
    x = digits()[0][:150]
    encoder = trainer.pretrain(x, seed=0)

    vectors = trainer.embed(encoder, x)

    assert vectors.shape == (150, 32)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    for count in (1, 7, 64, 65):
        assert np.array_equal(trainer.embed(encoder, x[:count]), vectors[:count])
    assert trainer.embed(encoder, x[:0]).shape == (0, 32)


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_an_encoder_survives_the_way_through_bytes(kind: str) -> None:
    trainer = make_trainer(kind)
    x = digits()[0][:20]
    encoder = trainer.pretrain(x, seed=0)

    copy = State(decode_tensors(encode_tensors(encoder.tensors)), encoder.facts)

    assert np.array_equal(trainer.embed(copy, x), trainer.embed(encoder, x))


def test_a_single_image_cannot_be_contrasted() -> None:
    with pytest.raises(InputError, match="needs at least 2 images, got 1"):
        make_trainer().pretrain(digits()[0][:1], seed=0)


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_images_of_another_size_are_refused(kind: str) -> None:
    trainer = make_trainer(kind)
    encoder = trainer.pretrain(digits()[0][:20], seed=0)

    with pytest.raises(ShapeError, match=r"trained on images .* \(8, 8, 1\), got \(9, 8, 1\)"):
        trainer.embed(encoder, np.zeros((2, 9, 8, 1), np.uint8))


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_a_state_of_another_part_is_refused(kind: str) -> None:
    with pytest.raises(CorruptArtifactError, match="was it fitted by another trainer"):
        make_trainer(kind).embed(State({}, {}), digits()[0][:2])
