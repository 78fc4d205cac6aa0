"""Who answers what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from activesynth.annotation.registry import ANNOTATORS
from activesynth.domain.exchange import AnnotationTask
from activesynth.domain.ports import Annotator
from activesynth.domain.records import QueueItem
from activesynth.domain.registry import Catalog
from activesynth.errors import ConfigurationError

CATALOG = Catalog({"annotator": ANNOTATORS})


def make(name: str, **parameters: Any) -> Annotator:
    part: Annotator = CATALOG.create("annotator", name, parameters)
    return part


def task(
    *,
    proposed: int | None = None,
    hidden: int | None = None,
    reference: tuple[float, ...] = (0.2, 0.5, 0.3),
    probs: tuple[float, ...] = (0.1, 0.1, 0.8),
    name: str = "i1",
) -> AnnotationTask:
    kind = "label" if proposed is None else "review"
    item = QueueItem(name, f"s-{name}", kind, "blob", 0, proposed, 4)  # type: ignore[arg-type]
    return AnnotationTask(item, np.zeros((2, 2, 1)), np.array(probs), np.array(reference), hidden)


def test_the_oracle_reveals_the_hidden_label() -> None:
    (answer,) = make("oracle").annotate([task(hidden=2)], seed=0)

    assert (answer.action, answer.label, answer.annotator) == ("relabel", 2, "oracle")
    assert (answer.item, answer.sample, answer.item_version) == ("i1", "s-i1", 4)


def test_the_oracle_skips_what_has_no_hidden_label() -> None:
    (answer,) = make("oracle").annotate([task()], seed=0)

    assert (answer.action, answer.label) == ("skip", None)


@pytest.mark.parametrize(
    ("reference", "action", "label"),
    [
        ((0.2, 0.5, 0.3), "accept", 1),
        ((0.9, 0.05, 0.05), "relabel", 0),
        ((0.8, 0.1, 0.1), "reject", None),
        ((0.45, 0.40, 0.15), "reject", None),
    ],
)
def test_the_simulated_expert_accepts_relabels_or_rejects(
    reference: tuple[float, ...], action: str, label: int | None
) -> None:
    (answer,) = make("oracle").annotate([task(proposed=1, reference=reference)], seed=0)

    assert (answer.action, answer.label) == (action, label)
    assert answer.annotator == "simulated_expert"


def test_an_oracle_errs_as_often_as_told_and_never_with_the_right_label() -> None:
    tasks = [task(hidden=1, name=f"i{number}") for number in range(2000)]

    answers = make("oracle", error_rate=0.3).annotate(tasks, seed=0)

    labels = np.bincount([answer.label or 0 for answer in answers], minlength=3) / 2000
    assert labels[1] == pytest.approx(0.7, abs=0.04)
    assert labels[[0, 2]] == pytest.approx(0.15, abs=0.04)


def test_errors_depend_on_the_item_and_the_seed_and_not_on_the_batch() -> None:
    tasks = [task(hidden=1, name=f"i{number}") for number in range(50)]
    oracle = make("oracle", error_rate=0.5)

    together = oracle.annotate(tasks, seed=3)

    assert together == [answer for one in tasks for answer in oracle.annotate([one], seed=3)]
    assert together != oracle.annotate(tasks, seed=4)


def test_the_automatic_annotator_answers_only_above_its_confidence() -> None:
    tasks = [
        task(probs=(0.1, 0.1, 0.8)),
        task(probs=(0.79, 0.11, 0.1)),
        task(probs=(0.0, 0.9, 0.1), proposed=1),
        task(probs=(0.0, 0.9, 0.1), proposed=0),
    ]

    answers = make("automatic", confidence=0.8).annotate(tasks, seed=0)

    assert [(a.action, a.label) for a in answers] == [
        ("relabel", 2),
        ("skip", None),
        ("accept", 1),
        ("relabel", 1),
    ]
    assert {answer.annotator for answer in answers} == {"automatic"}


def test_people_are_asked_and_answer_nothing_at_once() -> None:
    people = make("people")

    assert people.needs_people
    assert people.annotate([task(hidden=1)], seed=0) == []
    assert not make("oracle").needs_people
    assert not make("automatic").needs_people


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("oracle", {"error_rate": 1.5}), ("automatic", {"confidence": 0}), ("people", {"speed": 1})],
)
def test_wrong_parameters_are_refused(name: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(parameters))):
        make(name, **parameters)
