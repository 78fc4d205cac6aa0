"""A campaign under faults, task by task: which tasks are struck and where, and what is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from looking import difference, left
from toy_tasks import CAMPAIGN, Reference, Run, Task, World, schedule
from verdicts import Verdict

Found = list[tuple[str, str]]
"""Where each fault was, and what was wrong after it."""


@dataclass(frozen=True, slots=True)
class Strike:
    """Before or after the effect ``at``; without a moment, ``delay`` seconds after the start."""

    moment: str = ""
    at: int = 0
    delay: float = 0.0

    def __str__(self) -> str:
        """Say where it is."""
        return f"{self.moment} effect {self.at}" if self.moment else f"after {self.delay:.3f} s"


def planned(reference: Reference, iterations: int, chance: Random) -> dict[int, list[Strike]]:
    """Plan 8 to 16 strikes an iteration at random, half of them at effects, and a sure one.

    The sure one comes when the event of a commit is sent and not yet marked so. Whether those at
    random moments meet anything depends on how quick the machine is.
    """
    strikes: dict[int, list[Strike]] = defaultdict(list)
    count = len(reference.tasks)
    for index in sorted(chance.choices(range(count), k=chance.randint(8, 16) * iterations)):
        effects = reference.effects[index]
        if effects and chance.random() < 0.5:
            moment = chance.choice(("before", "after"))
            strikes[index].append(Strike(moment, chance.randrange(effects)))
        else:
            strikes[index].append(Strike(delay=chance.random() * reference.seconds[index]))
    last = count - 1 - reference.tasks[::-1].index("decide")
    strikes[last].insert(0, Strike("after", 0))
    return strikes


def course(
    family: str,
    number: int,
    world: World,
    reference: Reference,
    each: Callable[[int, Run, Task, Found], None],
    iterations: int = 1,
) -> list[Verdict]:
    """Run a campaign whose tasks ``each`` strikes and completes; return a verdict for each fault.

    All of them share in what the campaign left: it must be what an undisturbed one leaves.
    """
    found: Found = []
    ending = ""
    try:
        for index, (run, task) in enumerate(schedule(world.fresh(), iterations)):
            each(index, run, task, found)
        ending = difference(left(world.url, world.folder, CAMPAIGN), reference.final)
    except RuntimeError as error:
        ending = str(error)
    if ending and not found:
        found = [("the campaign", "")]
    return [
        Verdict(family, number, f"{where}: {problem}; {ending}" if problem or ending else "")
        for where, problem in found
    ]
