"""Task processes that stand still while another run takes their iteration over, and then wake."""

from __future__ import annotations

import signal
from dataclasses import replace
from random import Random
from typing import Any

from activesynth.domain.records import IterationRef
from activesynth.errors import ConflictError, TransientError
from forked import Child, in_child
from looking import left, visible
from toy_tasks import CAMPAIGN, Interruption, Reference, Run, Task, World, schedule
from verdicts import Verdict

SUCCESSOR = "taken-over"
# A paused process holds its locks until the server ends its session: a minute, shortened here.
_LIMITS = "options=-c%20idle_in_transaction_session_timeout%3D2s"
_KEPT_OF_BOTH = ("split_reads", "annotation_items", "annotations")
"""What the first run read and asked is kept when its successor reads and asks something else."""


class Zombies:
    """One case is one paused process: before every effect in turn, and between at some moment.

    Every second successor runs with other parameters.
    """

    name = "zombies"

    def __init__(self) -> None:
        """Learn what other parameters leave when a case first asks for it."""
        self._others: dict[str, Any] = {}

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Pause, take over, finish, resume, and compare with an undisturbed run."""
        chance = Random(f"zombies {number}")
        overrides = {"labels": 5} if number % 4 > 1 else {}
        if overrides and not self._others:
            self._others = _undisturbed(world.fresh(), overrides)
        expected = self._others if overrides else references[1].final
        try:
            index, at = _place(number, references[1], chance)
            problem = _haunt(world.fresh(), references[1], index, at, chance, overrides, expected)
        except RuntimeError as error:
            problem = str(error)
        return [Verdict(self.name, number, problem)]


def _place(number: int, reference: Reference, chance: Random) -> tuple[int, int | None]:
    """Return the task to pause and the number of the effect to pause it before, or any moment."""
    # Not `begin`, which holds nothing yet, and not `decide`, which comes after the commit.
    tasks = range(2, len(reference.tasks) - 1)
    if number % 2:
        return chance.choice(tasks), None
    places = [(index, at) for index in tasks for at in range(reference.effects[index])]
    Random("places of zombies").shuffle(places)
    return places[number // 2 % len(places)]


def _haunt(
    world: World,
    reference: Reference,
    index: int,
    at: int | None,
    chance: Random,
    overrides: dict[str, Any],
    expected: dict[str, Any],
) -> str:
    for position, (run, task) in enumerate(schedule(world, 1)):
        if position == index:
            break
        run.complete(task)
    zombie, where = _paused(run, task, reference, index, at, chance)
    before = visible(world.url)
    _take_over(world, run.iteration_id, overrides)
    after = visible(world.url)
    zombie.resume()
    zombie.wait()
    is_cut = zombie.ended_with(TransientError)
    if is_cut or (zombie.succeeded and "after" in where):
        # Its session was ended meanwhile, or it had nothing left to write: at the next try it
        # learns. Airflow tries again where a session was ended.
        zombie = run.launch(task)
        zombie.wait()
    problems = []
    if before not in reference.stages:
        problems.append(f"the views showed {before}")
    if not zombie.ended_with(ConflictError) or SUCCESSOR not in zombie.error:
        problems.append(f"the zombie ended with {zombie.error}")
    if visible(world.url) != after:
        problems.append("the views changed after the zombie woke")
    found = left(world.url, world.folder, CAMPAIGN)
    problems += _differences(found, expected, is_same=not overrides)
    return f"{where}: {'; '.join(problems)}" if problems else ""


def _paused(
    run: Run, task: Task, reference: Reference, index: int, at: int | None, chance: Random
) -> tuple[Child, str]:
    """Start the task and pause it before its effect ``at``, or at a moment where that is None."""
    run = replace(run, world=replace(run.world, url=f"{run.world.url}&{_LIMITS}"))
    effects = reference.effects[index]
    if at is None:
        delay = chance.random() * reference.seconds[index] * 0.7
        while delay > 0.001:
            child = run.launch(task)
            if not child.wait(delay) and child.pause():
                return child, f"{task} paused after {delay:.3f} s"
            delay /= 2  # it was quicker, so it is delivered and paused again
        at = chance.randrange(effects)
    child = run.launch(task, Interruption(at, "before", signal.SIGSTOP))
    where = f"{task} paused before effect {at} of {effects}"
    if not child.wait_until_paused(120):
        raise RuntimeError(f"{where}: it ended with {child.error}")
    return child, where


def _take_over(world: World, iteration_id: str, overrides: dict[str, Any]) -> None:
    """Give the iteration up and have another run finish it."""

    def work() -> None:
        from activesynth.steps.begin import begin
        from activesynth.steps.loop import iterate

        with world.opener(world.url, world.folder, Interruption()) as platform:
            ref = IterationRef.parse(iteration_id)
            platform.lineage.fail_iteration(ref, "its run is dead")
            conf = {"campaign": CAMPAIGN, "iterations": 1, **overrides}
            iterate(begin(SUCCESSOR, conf, platform), platform)

    in_child(work, world.folder / "take_over.json")


def _undisturbed(world: World, overrides: dict[str, Any]) -> dict[str, Any]:
    """Return what an undisturbed run with these parameters leaves."""
    for run, task in schedule(world, 1):
        run.conf.update(overrides)
        run.complete(task)
    return left(world.url, world.folder, CAMPAIGN)


def _differences(found: dict[str, Any], expected: dict[str, Any], *, is_same: bool) -> list[str]:
    tables, given = expected["rows"], found["rows"]
    wrong = []
    if not is_same:
        # Another set of models is another read of the gate split, and the successor says so.
        reads = len([row for row in given["split_reads"] if row["split"] == "gate"])
        if not all(1 <= count <= reads for count in _read_counts(given)):
            wrong.append("counts of reads")
        tables, given = _without_reads(tables), _without_reads(given)
    spared = () if is_same else _KEPT_OF_BOTH
    wrong += [t for t in tables if t not in spared and given[t] != tables[t]]
    if found["events"] != expected["events"]:
        wrong.append("events")
    if not set(expected["blobs"]) <= set(found["blobs"]):
        wrong.append("blobs")  # those of the run that was given up may lie there, too
    return wrong


def _read_counts(tables: dict[str, Any]) -> list[int]:
    return [row["facts"]["split_reads"] for row in tables["steps"] if "split_reads" in row["facts"]]


def _without_reads(tables: dict[str, Any]) -> dict[str, Any]:
    def without(row: dict[str, Any]) -> dict[str, Any]:
        facts = {name: value for name, value in row["facts"].items() if name != "split_reads"}
        return {**row, "facts": facts}

    return {**tables, "steps": [without(row) for row in tables["steps"]]}
