"""Generators of their own, registrations and scores, as written and read back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from activesynth.domain.experiments import CellRecord, CellRef, GeneratorRecord, ScoreRow
from activesynth.errors import ConfigurationError, ConflictError
from activesynth.lineage.lineage import Lineage
from lineage_cases import make_campaign

CLOTHES = GeneratorRecord("clothes", "card-1", "corpus-1", "MIT", 500, {"name": "clothes"})
CELL = CellRef("half", "digest-1", "confirmation", "plain", 7)
SCORE = ScoreRow("plain", 7, 0, "targeted", "balanced_accuracy", 0.75, 300)


def register(lineage: Lineage, digest: str = "digest-1") -> None:
    lineage.store.register_experiment("half", digest, {"primary": digest})


def test_a_generator_is_found_by_its_name(lineage: Lineage) -> None:
    lineage.store.record_generator(CLOTHES)
    lineage.store.record_generator(CLOTHES)

    assert lineage.store.generator("clothes") == CLOTHES
    assert lineage.store.generators() == [CLOTHES]


def test_a_name_never_comes_to_mean_another_generator(lineage: Lineage) -> None:
    lineage.store.record_generator(CLOTHES)

    with pytest.raises(ConflictError, match="'clothes' stands for another generator, card-1"):
        lineage.store.record_generator(replace(CLOTHES, card="card-2"))

    assert lineage.store.generator("clothes").card == "card-1"


def test_an_unknown_generator_is_answered_with_those_there_are(lineage: Lineage) -> None:
    lineage.store.record_generator(CLOTHES)

    with pytest.raises(ConfigurationError, match="no generator 'shoes' on record; there are: clo"):
        lineage.store.generator("shoes")


def test_a_cell_is_kept_once_with_its_scores(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    register(lineage)
    record = CellRecord(CELL, "digits", "blob-1")

    lineage.store.record_cell(record, [SCORE])
    lineage.store.record_cell(replace(record, predictions="blob-2"), [replace(SCORE, value=0.1)])

    assert lineage.store.cells("half", "digest-1", "confirmation") == [record]
    assert lineage.store.scores("half", "digest-1", "confirmation") == [SCORE]
    assert lineage.store.scores("half", "digest-1", "tuning") == []


def test_a_seed_that_was_tuned_on_confirms_nothing(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    register(lineage)
    lineage.store.record_cell(CellRecord(replace(CELL, phase="tuning"), "digits", "blob"), [SCORE])

    lineage.store.register_experiment("half", "digest-2", {}, confirmation=(8, 9))
    with pytest.raises(ConflictError, match="tuned on seed 7, so that seed confirms nothing"):
        lineage.store.register_experiment("half", "digest-3", {}, confirmation=(7, 8))


def test_of_two_plans_that_run_at_once_only_one_is_confirmed(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    register(lineage)
    register(lineage, "other")
    lineage.store.record_cell(CellRecord(CELL, "digits", "blob"), [SCORE])

    late = CellRecord(replace(CELL, registration="other"), "digits", "blob")
    with pytest.raises(ConflictError, match="confirmed as registered under digest-1"):
        lineage.store.record_cell(late, [SCORE])

    assert lineage.store.cells("half", "other", "confirmation") == []


def test_a_plan_may_change_until_it_was_confirmed_and_not_afterwards(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    register(lineage, "first")
    tuned = replace(CELL, registration="first", phase="tuning")
    lineage.store.record_cell(CellRecord(tuned, "digits", "blob"), [SCORE])
    register(lineage)
    lineage.store.record_cell(CellRecord(CELL, "digits", "blob"), [SCORE])

    register(lineage)
    with pytest.raises(
        ConflictError, match=r"confirmed as registered under digest-1.*another name"
    ):
        register(lineage, "changed")
