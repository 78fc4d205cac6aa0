from __future__ import annotations

import json
from dataclasses import replace
from time import process_time
from typing import Any

import numpy as np
import pytest

from activesynth.domain.canonical import (
    Array,
    canonical_json,
    decode_tensors,
    encode_tensors,
    tensors_digest,
)
from activesynth.domain.exchange import State, TrainingSet
from activesynth.domain.ports import Trainer
from activesynth.domain.registry import Catalog
from activesynth.domain.samples import SampleSet
from activesynth.errors import InputError, ShapeError
from activesynth.models.registry import TRAINERS
from digit_sets import ENCODERS, digits, make_trainer, make_training_set


def member(state: State, number: int) -> dict[str, Array]:
    prefix = f"member{number:02d}."
    return {name: value for name, value in state.tensors.items() if name.startswith(prefix)}


def with_pixels(data: TrainingSet, x: Array) -> TrainingSet:
    samples = data.samples
    return replace(data, samples=SampleSet(samples.ids, x, samples.y, samples.groups))


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_the_registry_builds_a_trainer(kind: str) -> None:
    trainer = Catalog({"trainer": TRAINERS}).create("trainer", kind, {"members": 3})

    assert isinstance(trainer, Trainer)


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_fitting_twice_gives_the_same_bits(kind: str) -> None:
    data = make_training_set(slice(0, 60), synthetic=10, prior=np.full((60, 10), 0.1))
    encoder = make_trainer(kind).pretrain(data.samples.x, seed=0)

    first = make_trainer(kind).fit(data, encoder, seed=1)
    second = make_trainer(kind).fit(data, encoder, seed=1)

    assert tensors_digest(first.tensors) == tensors_digest(second.tensors)
    assert canonical_json(first.facts) == canonical_json(second.facts)
    other = make_trainer(kind).fit(data, encoder, seed=2)
    assert tensors_digest(member(first, 0)) != tensors_digest(member(other, 0))


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_members_do_not_depend_on_how_many_there_are(kind: str) -> None:
    # Two groups allow two folds, whatever the number of members.
    data = make_training_set(slice(0, 60), rows_per_group=30)

    two = make_trainer(kind, members=2).fit(data, None, seed=0)
    four = make_trainer(kind, members=4).fit(data, None, seed=0)

    assert tensors_digest(member(two, 1)) == tensors_digest(member(four, 1))
    assert tensors_digest(member(four, 1)) != tensors_digest(
        {name.replace("03", "01"): value for name, value in member(four, 3).items()}
    )


def test_two_hundred_digits_are_enough_for_nine_in_ten() -> None:
    trainer = make_trainer(width=16, hidden=64, steps=80)
    x, y = digits()
    encoder = make_trainer(width=16, pretrain_steps=40).pretrain(x[:600], seed=0)

    state = trainer.fit(make_training_set(slice(0, 200)), encoder, seed=0)

    probs = trainer.load(state).predict_proba(x[600:])
    assert (probs.argmax(axis=1) == y[600:]).mean() > 0.9
    assert (state.tensors["out_of_fold"].argmax(axis=1) == y[:200]).mean() > 0.8


def test_a_tiny_training_takes_less_than_a_second_of_processor_time() -> None:
    data = make_training_set(slice(0, 200))
    make_trainer().fit(data, None, seed=0)

    start = process_time()
    make_trainer().fit(data, None, seed=0)

    assert process_time() - start < 1.0


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_a_member_never_sees_the_groups_it_is_tested_on(kind: str) -> None:
    data = make_training_set(slice(0, 60), rows_per_group=3)
    trainer = make_trainer(kind, members=3)
    before = trainer.fit(data, None, seed=0)
    fold = before.tensors["fold"]

    # Other pixels in the first fold: its own member must not notice, the others must.
    x = data.samples.x.copy()
    x[fold == 0] = 255 - x[fold == 0]
    after = trainer.fit(with_pixels(data, x), None, seed=0)

    assert np.array_equal(after.tensors["fold"], fold)
    assert tensors_digest(member(before, 0)) == tensors_digest(member(after, 0))
    assert tensors_digest(member(before, 1)) != tensors_digest(member(after, 1))


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_a_synthetic_row_is_kept_from_the_member_that_leaves_out_its_origin(kind: str) -> None:
    data = make_training_set(slice(0, 60), synthetic=20)
    groups = data.samples.groups.copy()
    groups[40:60] = groups[0:20]
    samples = SampleSet(data.samples.ids, data.samples.x, data.samples.y, groups)
    data = replace(data, samples=samples)
    trainer = make_trainer(kind)
    before = trainer.fit(data, None, seed=0)
    fold = before.tensors["fold"]

    x = data.samples.x.copy()
    changed = (fold == 0) & data.is_synthetic
    x[changed] = 255 - x[changed]
    after = trainer.fit(with_pixels(data, x), None, seed=0)

    assert np.array_equal(fold[40:60], fold[0:20])
    assert tensors_digest(member(before, 0)) == tensors_digest(member(after, 0))
    assert tensors_digest(member(before, 1)) != tensors_digest(member(after, 1))


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_out_of_fold_probabilities_are_those_of_the_member_that_left_the_row_out(kind: str) -> None:
    data = make_training_set(slice(0, 70), synthetic=10)
    trainer = make_trainer(kind, members=3)
    state = trainer.fit(data, None, seed=0)

    one_pass = trainer.load(state).members_proba(data.samples.x)

    out_of_fold, fold = state.tensors["out_of_fold"], state.tensors["fold"]
    assert (out_of_fold[60:] == 0).all()
    assert (fold[60:] == -1).all()
    expected = one_pass[fold[:60], np.arange(60)]
    np.testing.assert_allclose(out_of_fold[:60], expected, atol=1e-6)
    np.testing.assert_allclose(out_of_fold[:60].sum(axis=1), 1.0, rtol=1e-12)


def test_more_members_than_groups_share_the_folds() -> None:
    data = make_training_set(slice(0, 40), rows_per_group=20)

    state = make_trainer(members=3, steps=5).fit(data, None, seed=0)

    assert state.facts["folds"] == 2
    np.testing.assert_allclose(state.tensors["out_of_fold"].sum(axis=1), 1.0)


def test_without_beta_the_prior_changes_no_bit() -> None:
    prior = np.random.default_rng(0).dirichlet(np.ones(10), size=60)
    trainer = make_trainer(beta=0.0)

    plain = trainer.fit(make_training_set(slice(0, 60)), None, seed=0)
    given = trainer.fit(make_training_set(slice(0, 60), prior=prior), None, seed=0)

    assert tensors_digest(plain.tensors) == tensors_digest(given.tensors)


def test_a_large_beta_pulls_the_model_to_the_prior() -> None:
    prior = np.full((100, 10), 0.02)
    prior[:, 3] = 0.82
    data = make_training_set(slice(0, 100), prior=prior)
    x = digits()[0][100:164]

    distance = []
    for beta in (0.0, 100.0):
        trainer = make_trainer(beta=beta, steps=60)
        state = trainer.fit(data, None, seed=0)
        unscaled = State(state.tensors, {**state.facts, "temperature": 1.0})
        distance.append(abs(trainer.load(unscaled).predict_proba(x) - prior[0]).sum(axis=1).mean())

    assert distance[0] > 0.5
    assert distance[1] < 0.2


def test_the_prior_of_synthetic_rows_is_not_looked_at() -> None:
    prior = np.random.default_rng(0).dirichlet(np.ones(10), size=60)
    other = prior.copy()
    other[40:] = np.roll(prior[40:], 1, axis=1)

    first = make_trainer(beta=1.0).fit(
        make_training_set(slice(0, 60), synthetic=20, prior=prior), None, seed=0
    )
    second = make_trainer(beta=1.0).fit(
        make_training_set(slice(0, 60), synthetic=20, prior=other), None, seed=0
    )

    assert tensors_digest(first.tensors) == tensors_digest(second.tensors)


def test_weights_decide_what_the_model_learns() -> None:
    y = digits()[1][:200]
    neglected = np.where(y < 5, 1.0, 1e-9)
    x = digits()[0][200:500]

    trainer = make_trainer(steps=60)
    state = trainer.fit(make_training_set(slice(0, 200), weight=neglected), None, seed=0)

    predicted = trainer.load(state).predict_proba(x).argmax(axis=1)
    assert (predicted < 5).all()


def test_the_facts_compare_averaged_with_last_weights_and_record_both_origins() -> None:
    data = make_training_set(slice(0, 100), synthetic=40)
    steps: list[tuple[int, int]] = []

    state = make_trainer(steps=40).fit(
        data, None, seed=0, progress=lambda done, total: steps.append((done, total))
    )

    facts = json.loads(canonical_json(state.facts))
    assert facts["swa"]["averaged"] != facts["swa"]["last"]
    assert facts["nll"]["after"] <= facts["nll"]["before"] == facts["swa"]["averaged"]
    assert len(facts["history"]["real"]) == len(facts["history"]["synthetic"]) == 20
    assert facts["history"]["real"][-1] < facts["history"]["real"][0]
    gap = facts["history"]["real"][-1] - facts["history"]["synthetic"][-1]
    assert facts["synthetic_gap"] == pytest.approx(gap)
    assert steps == [(done, 80) for done in range(1, 81)]


def test_without_synthetic_rows_there_is_no_gap_to_report() -> None:
    facts = make_trainer(steps=5).fit(make_training_set(slice(0, 40)), None, seed=0).facts

    assert facts["synthetic_gap"] is None
    assert facts["history"]["synthetic"] == [None] * 5


def test_averaging_nothing_but_the_last_step_gives_the_last_weights() -> None:
    state = make_trainer(steps=20, swa_start=0.95).fit(
        make_training_set(slice(0, 40)), None, seed=0
    )

    assert state.facts["swa"]["averaged"] == state.facts["swa"]["last"]


def test_learning_by_heart_from_synthetic_rows_shows_as_a_gap() -> None:
    weight = np.where(np.arange(120) < 100, 1.0, 5.0)
    data = make_training_set(slice(0, 120), synthetic=20, weight=weight)
    shuffled = np.random.default_rng(0).integers(0, 10, 100)
    y = np.concatenate([shuffled, data.samples.y[100:]])
    data = replace(data, samples=data.samples.with_labels(y))

    state = make_trainer(steps=120).fit(data, None, seed=0)

    assert state.facts["synthetic_gap"] > 0.3


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_a_fitted_ensemble_survives_the_way_through_bytes(kind: str) -> None:
    trainer = make_trainer(kind)
    state = trainer.fit(make_training_set(slice(0, 60)), None, seed=0)
    x = digits()[0][60:80]

    facts = json.loads(canonical_json(state.facts))
    copy = State(decode_tensors(encode_tensors(state.tensors)), facts)

    original = trainer.load(state).draws(x, passes=3, seed=1)
    assert np.array_equal(
        make_trainer(kind, width=32).load(copy).draws(x, passes=3, seed=1), original
    )


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_pretraining_reaches_the_members(kind: str) -> None:
    data = make_training_set(slice(0, 40))
    trainer = make_trainer(kind, steps=1, learning_rate=1e-9)
    encoder = trainer.pretrain(data.samples.x, seed=5)

    state = trainer.fit(data, encoder, seed=0)

    np.testing.assert_allclose(
        state.tensors["member01.trunk.out.weight"], encoder.tensors["encoder.out.weight"], atol=1e-6
    )
    assert state.facts["tau"] == encoder.facts["tau"]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("cnn", {}),
        ("vit", {"patch": 4}),
        ("vit", {"patch": 4, "pooling": "token", "positions": "learnt", "learning_rate": 3e-3}),
    ],
)
def test_colour_images_of_another_size_are_learnt_too(kind: str, changes: dict[str, Any]) -> None:
    generator = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = generator.integers(0, 80, (60, 20, 36, 3)).astype(np.uint8)
    x[y == 1, :, :, 0] += 150
    names = np.array([str(row) for row in range(60)])
    data = TrainingSet(SampleSet(names, x, y, names), np.ones(60), np.zeros(60, bool), None, 2)
    trainer = make_trainer(kind, batch_size=16, **changes)

    state = trainer.fit(data, trainer.pretrain(x, seed=0), seed=0)

    assert (trainer.load(state).predict_proba(x).argmax(axis=1) == y).mean() > 0.95


def test_a_patch_that_does_not_divide_the_images_is_refused_before_any_work() -> None:
    trainer = make_trainer("vit", patch=3)
    data = make_training_set(slice(0, 20))

    for refused in (
        lambda: trainer.check(data.samples.x),
        lambda: trainer.pretrain(data.samples.x, seed=0),
        lambda: trainer.fit(data, None, seed=0),
    ):
        with pytest.raises(InputError, match=r"patch` is 3.*8 x 8.*\[1, 2, 4, 8\]") as caught:
            refused()
        assert caught.value.reason == "patch_size"


def test_an_unlabelled_row_is_refused() -> None:
    data = make_training_set(slice(0, 20))
    samples = data.samples.with_labels(np.where(np.arange(20) == 3, -1, data.samples.y))

    with pytest.raises(ShapeError, match=r"labels must lie in \[0, 10\), got -1 to 9"):
        make_trainer().fit(replace(data, samples=samples), None, seed=0)


def test_weights_that_cannot_be_drawn_are_refused() -> None:
    data = make_training_set(slice(0, 20), weight=np.r_[0.0, np.ones(19)])

    with pytest.raises(ShapeError, match="`weight` must be positive and finite"):
        make_trainer().fit(data, None, seed=0)


def test_a_prior_of_another_shape_is_refused() -> None:
    data = make_training_set(slice(0, 20), prior=np.full((20, 3), 1 / 3))

    with pytest.raises(ShapeError, match=r"`prior` must have shape \(20, 10\), got \(20, 3\)"):
        make_trainer().fit(data, None, seed=0)


def test_a_single_group_cannot_be_cross_fitted() -> None:
    data = make_training_set(slice(0, 20), rows_per_group=20)

    with pytest.raises(InputError, match="at least 2 groups"):
        make_trainer().fit(data, None, seed=0)
