"""What a lost trigger or a dead worker left is finished or given up; nothing else is touched."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from activesynth.domain.records import IterationRecord
from activesynth.errors import ConflictError
from activesynth.lineage.lineage import Lineage
from activesynth.operations.reconcile import Reconciled, RunState, reconcile
from fakes import MemorySink, make_platform
from lineage_cases import make_campaign, make_commit

RUN, NEXT = "digits__it0", "digits__it1"


@pytest.fixture
def opened(lineage: Lineage) -> IterationRecord:
    make_campaign(lineage.store)
    return lineage.store.open_iteration("digits", RUN, {"iterations": 3, "note": "why"})


def reconciled(lineage: Lineage, states: Mapping[str, RunState]) -> Reconciled:
    platform = make_platform(lineage=lineage.store, sink=MemorySink())
    return reconcile(lambda key: states.get(key, "unknown"), platform)


def commit(lineage: Lineage, opened: IterationRecord, next_run: str | None) -> None:
    lineage.store.commit_iteration(make_commit(opened, next_run=next_run))


def test_an_iteration_whose_run_is_over_is_given_up_and_can_be_taken_over(
    lineage: Lineage, opened: IterationRecord
) -> None:
    with pytest.raises(ConflictError):
        lineage.store.open_iteration("digits", "another", {})

    first = reconciled(lineage, {RUN: "ended"})
    second = reconciled(lineage, {RUN: "ended"})

    assert first.released == (str(opened.ref),)
    assert second.released == ()
    assert lineage.store.open_iteration("digits", "another", {}).ref.fence == opened.ref.fence + 1


@pytest.mark.parametrize("state", ["active", "unknown"])
def test_an_iteration_that_goes_on_or_that_the_command_line_drives_is_left_alone(
    lineage: Lineage, opened: IterationRecord, state: RunState
) -> None:
    assert reconciled(lineage, {RUN: state}) == Reconciled(0, (), ())
    assert lineage.store.iteration(opened.ref).state == "open"


def test_a_run_that_was_decided_on_and_never_started_is_named_with_its_parameters(
    lineage: Lineage, opened: IterationRecord
) -> None:
    commit(lineage, opened, NEXT)

    done = reconciled(lineage, {RUN: "ended"})

    assert [(found.run_key, found.conf) for found in done.to_start] == [
        (NEXT, {"iterations": 2, "note": "why", "campaign": "digits"})
    ]
    assert done.released == ()


@pytest.mark.parametrize("following", ["active", "ended"])
def test_a_run_that_is_there_is_not_started_again(
    lineage: Lineage, opened: IterationRecord, following: RunState
) -> None:
    commit(lineage, opened, NEXT)

    assert reconciled(lineage, {RUN: "ended", NEXT: following}).to_start == ()


@pytest.mark.parametrize("own", ["active", "unknown"])
def test_a_run_that_will_start_its_successor_itself_or_that_nobody_knows_is_left_alone(
    lineage: Lineage, opened: IterationRecord, own: RunState
) -> None:
    commit(lineage, opened, NEXT)

    assert reconciled(lineage, {RUN: own}).to_start == ()


def test_where_the_loop_ended_nothing_is_started(lineage: Lineage, opened: IterationRecord) -> None:
    commit(lineage, opened, None)

    assert reconciled(lineage, {RUN: "ended"}).to_start == ()


def test_events_that_have_not_left_are_sent(lineage: Lineage, opened: IterationRecord) -> None:
    commit(lineage, opened, None)
    waiting = len(lineage.store.pending_events())

    assert waiting > 0
    assert reconciled(lineage, {RUN: "ended"}).events == waiting
    assert lineage.store.pending_events() == []
