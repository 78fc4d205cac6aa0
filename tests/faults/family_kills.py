"""Task processes killed at random, sometimes again at their retry, and retried until done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

from forked import Child
from looking import difference, left, visible
from toy_tasks import CAMPAIGN, Interruption, Reference, Run, Task, World, schedule
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
        chance = Random(f"kills {number}")
        count = len(reference.tasks)
        victims = Counter(chance.choices(range(count), k=chance.randint(8, 16) * iterations))
        problems: list[tuple[str, str]] = []
        ending = ""
        try:
            for index, (run, task) in enumerate(schedule(world.fresh(), iterations)):
                child = None
                for where, child in _kills(run, task, index, victims[index], reference, chance):
                    if not child.was_killed:
                        break
                    shown = visible(world.url)
                    partial = "" if shown in reference.stages else f"the views showed {shown}"
                    problems.append((where, partial))
                    child = None
                run.complete(task, child)
            ending = difference(left(world.url, world.folder, CAMPAIGN), reference.final)
        except RuntimeError as error:
            ending = str(error)
        return [
            Verdict(self.name, number, f"{where}: {partial}; {ending}" if partial or ending else "")
            for where, partial in problems
        ]


def _kills(
    run: Run, task: Task, index: int, times: int, reference: Reference, chance: Random
) -> Iterator[tuple[str, Child]]:
    """Start the task ``times`` times, each to be killed at a moment or at an effect."""
    for _ in range(times):
        if reference.effects[index] and chance.random() < 0.5:
            at = chance.randrange(reference.effects[index])
            moment = chance.choice(("before", "after"))
            where = f"{task} killed {moment} effect {at}"
            child = run.launch(task, Interruption(at, moment))
        else:
            delay = chance.random() * reference.seconds[index]
            where = f"{task} killed after {delay:.3f} s"
            child = run.launch(task)
            if not child.wait(delay):
                child.kill()
        child.wait()
        yield where, child
