"""Task processes killed at random, sometimes again at their retry, and retried until done."""

from __future__ import annotations

from random import Random

from courses import Found, Strike, course, planned
from forked import Child
from looking import visible
from toy_tasks import Interruption, Reference, Run, Task, World
from verdicts import Verdict

TWO_ITERATIONS = 8
"""Every so many cases run a second iteration, which a trigger starts."""


class Kills:
    """One case is a campaign in which some tasks die; one verdict is a kill."""

    name = "kills"

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Run the campaign of case ``number``; equal numbers plan equal kills."""
        is_longer = 2 in references and number % TWO_ITERATIONS == TWO_ITERATIONS - 1
        iterations = 2 if is_longer else 1
        reference = references[iterations]
        strikes = planned(reference, iterations, Random(f"kills {number}"))

        def each(index: int, run: Run, task: Task, found: Found) -> None:
            for strike in strikes.get(index, ()):
                child = _killed(run, task, strike)
                if not child.was_killed:
                    run.complete(task, child)  # it was quicker
                    return
                shown = visible(world.url)
                partial = "" if shown in reference.stages else f"the views showed {shown}"
                found.append((f"{task} killed {strike}", partial))
            run.complete(task)

        return course(self.name, number, world, reference, each, iterations)


def _killed(run: Run, task: Task, strike: Strike) -> Child:
    if strike.moment:
        child = run.launch(task, Interruption(strike.at, strike.moment))
    else:
        child = run.launch(task)
        if not child.wait(strike.delay):
            child.kill()
    child.wait()
    return child
