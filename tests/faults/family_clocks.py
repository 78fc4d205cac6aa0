"""Tasks and collectors whose wall clocks are hours apart, or jump while they work."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from activesynth.errors import PlatformStateError, TransientError
from activesynth.operations.collect import GRACE, collect
from activesynth.operations.reachable import reach
from courses import Found, course
from false_clocks import clock_ahead, set_clock
from forked import Child
from looking import visible
from toy_tasks import Interruption, Reference, Run, Task, World
from verdicts import Verdict

HOUR = 3600.0
WATCHED = 4
"""In how many tasks of a case a collector comes."""


@dataclass(slots=True)
class Jump(Interruption):
    """Sets the clock at the n-th effect, and has the process stand still there."""

    seconds: float = 0.0

    def strike(self) -> None:
        """Jump, and wait to be told to go on."""
        set_clock(self.seconds)
        Interruption.strike(self)


class Clocks:
    """One case is a campaign; one verdict is a task that a collector came to in the middle."""

    name = "clocks"

    def __init__(self, *, is_naive: bool) -> None:
        """Choose the collector: ours, or one that goes by its own clock."""
        self._is_naive = is_naive

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Run the campaign of case ``number``; equal numbers plan equal clocks."""
        reference, chance = references[1], Random(f"clocks {number}")
        chosen = set(chance.sample([n for n, e in enumerate(reference.effects) if e], WATCHED))

        def each(index: int, run: Run, task: Task, found: Found) -> None:
            with clock_ahead(_apart(chance)):
                if index in chosen:
                    found.append(self._collected(run, task, reference, index, chance))
                else:
                    run.complete(task)

        return course(self.name, number, world, reference, each)

    def _collected(
        self, run: Run, task: Task, reference: Reference, index: int, chance: Random
    ) -> tuple[str, str]:
        """Have the clock of a task jump in the middle, and a collector come at that moment."""
        at, to = chance.randrange(reference.effects[index]), _apart(chance)
        watch = Jump(at, "before", signal.SIGSTOP, seconds=to)
        child = run.launch(task, watch)
        where = f"{task}, its clock {to / HOUR:+.0f} h from effect {at} on"
        if not child.wait_until_paused(120):
            raise RuntimeError(f"{where}: it ended with {child.error}")
        theirs = _apart(chance)
        with clock_ahead(theirs):
            complaint = self._collect(run.world)
        shown = visible(run.world.url)
        child.resume()
        run.complete(task, child)
        where += f", a collector's {theirs / HOUR:+.0f} h"
        problem = "" if shown in reference.stages else f"the views showed {shown}"
        return where, problem or complaint

    def _collect(self, world: World) -> str:
        """Collect with the usual periods; return what is wrong with how it ended."""

        def work() -> Any:
            with world.opener(world.url, world.folder, Interruption()) as platform:
                if not self._is_naive:
                    return collect(platform, is_deleting=True, readers=1).removed.blobs
                records = platform.reader.recorded_blobs(None)
                kinds, removed = reach(records, platform, readers=1).kinds, 0
                for blob in list(platform.objects.listed()):
                    if blob.digest not in kinds and blob.modified < datetime.now(UTC) - GRACE:
                        platform.objects.delete(blob.digest, before=datetime.now(UTC) + GRACE)
                        removed += 1
                return removed

        child = Child(work, world.folder / "collected.json")
        child.wait()
        # Ours refuses a clock that is too far from the database's, and waits for a paused commit.
        passing = (PlatformStateError, TransientError)
        is_fine = child.succeeded or any(map(child.ended_with, passing))
        return "" if is_fine else f"the collector ended with {child.error}"


def _apart(chance: Random) -> float:
    """Return by how many seconds a clock is ahead: minutes, hours, a day, or a year."""
    span = chance.choice((0.2, 3.0, 26.0, 9000.0))
    return chance.choice((-1.0, 1.0)) * span * HOUR
