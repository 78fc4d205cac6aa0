"""Task processes that are told to end by SIGTERM or SIGINT, and run again until they are done."""

from __future__ import annotations

import signal
from random import Random

from activesynth.domain.termination import Terminated
from courses import Found, Strike, course, planned
from forked import Child
from looking import rows, visible
from toy_tasks import Interruption, Reference, Run, Task, World
from verdicts import Verdict

PATIENCE = 60.0
"""Seconds after which a task that was told to end and did not is a verdict."""


class Stops:
    """One case is a campaign in which some tasks are told to end; one verdict is a signal."""

    name = "stops"

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Run the campaign of case ``number``; equal numbers plan equal signals."""
        reference, chance = references[1], Random(f"stops {number}")
        strikes = planned(reference, 1, chance)

        def each(index: int, run: Run, task: Task, found: Found) -> None:
            for strike in strikes.get(index, ()):
                told = chance.choice((signal.SIGTERM, signal.SIGINT))
                leases = _leases(world)
                child = _stopped(run, task, strike, told)
                if child.succeeded:
                    run.complete(task, child)  # it was quicker
                    return
                where = f"{task} told to end by {told.name} {strike}"
                found.append((where, _problem(child, world, reference, leases)))
            run.complete(task)

        return course(self.name, number, world, reference, each)


def _stopped(run: Run, task: Task, strike: Strike, told: signal.Signals) -> Child:
    if strike.moment:
        child = run.launch(task, Interruption(strike.at, strike.moment, told))
    else:
        child = run.launch(task)
        if not child.wait(strike.delay):
            child.ask_to_end(told)
    if not child.wait(PATIENCE):
        child.kill()
    return child


def _problem(child: Child, world: World, reference: Reference, leases: int) -> str:
    is_ended = any(child.ended_with(kind) for kind in (Terminated, KeyboardInterrupt))
    if not is_ended and not child.was_ended_early:
        return f"it ended with {child.error}"
    shown = visible(world.url)
    if shown not in reference.stages:
        return f"the views showed {shown}"
    left = _leases(world) - leases
    if left and "in release" not in child.error:  # interrupted there, it leaves them to expire
        return f"it left {left} leases: {child.error}"
    return ""


def _leases(world: World) -> int:
    return int(rows(world.url, "select count(*) from activesynth.blob_leases")[0][0])
