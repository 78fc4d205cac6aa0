"""Task processes that are told to end by SIGTERM or SIGINT, and run again until they are done."""

from __future__ import annotations

import signal
from collections import Counter
from random import Random

from activesynth.domain.termination import Terminated
from forked import Child
from looking import difference, left, rows, visible
from toy_tasks import CAMPAIGN, Interruption, Reference, Run, Task, World, schedule
from verdicts import Verdict

PATIENCE = 60.0
"""Seconds after which a task that was told to end and did not is a verdict."""


class Stops:
    """One case is a campaign in which some tasks are told to end; one verdict is a signal."""

    name = "stops"

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Run the campaign of case ``number``; equal numbers plan equal signals."""
        reference, chance = references[1], Random(f"stops {number}")
        count = len(reference.tasks)
        victims = Counter(chance.choices(range(count), k=chance.randint(8, 16)))
        problems: list[tuple[str, str]] = []
        ending = ""
        try:
            for index, (run, task) in enumerate(schedule(world.fresh(), 1)):
                child = None
                for _ in range(victims[index]):
                    where, child = _stopped(run, task, index, reference, chance)
                    if child.succeeded:
                        break  # it was quicker
                    problems.append((where, _problem(child, world, reference)))
                    child = None
                run.complete(task, child)
            ending = difference(left(world.url, world.folder, CAMPAIGN), reference.final)
        except RuntimeError as error:
            ending = str(error)
        return [
            Verdict(self.name, number, f"{where}: {problem}; {ending}" if problem or ending else "")
            for where, problem in problems
        ]


def _stopped(
    run: Run, task: Task, index: int, reference: Reference, chance: Random
) -> tuple[str, Child]:
    told = chance.choice((signal.SIGTERM, signal.SIGINT))
    if reference.effects[index] and chance.random() < 0.5:
        at = chance.randrange(reference.effects[index])
        moment = chance.choice(("before", "after"))
        where = f"{task} told to end by {told.name} {moment} effect {at}"
        child = run.launch(task, Interruption(at, moment, told))
    else:
        delay = chance.random() * reference.seconds[index]
        where = f"{task} told to end by {told.name} after {delay:.3f} s"
        child = run.launch(task)
        if not child.wait(delay):
            child.ask_to_end(told)
    if not child.wait(PATIENCE):
        child.kill()
    return where, child


def _problem(child: Child, world: World, reference: Reference) -> str:
    is_ended = any(child.ended_with(kind) for kind in (Terminated, KeyboardInterrupt))
    if not is_ended and not child.was_ended_early:
        return f"it ended with {child.error}"
    shown = visible(world.url)
    if shown not in reference.stages:
        return f"the views showed {shown}"
    # A signal that arrives while leases are let go leaves the rest to expire.
    held = rows(world.url, "select count(*) from activesynth.blob_leases")[0][0]
    return f"it left {held} leases" if held and "in release" not in child.error else ""
