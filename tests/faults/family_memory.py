"""Task processes whose memory runs out, and that run again where there is enough."""

from __future__ import annotations

import resource
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

from activesynth.nn.memory import OutOfMemoryError
from courses import Found, course
from forked import Child
from looking import visible
from toy_tasks import Interruption, Reference, Run, Task, World
from verdicts import Verdict

PATIENCE = 60.0
SLACK = 2 << 20
"""Bytes that a process may still take, at most, once its memory is limited."""


class MemoryStandInError(RuntimeError):
    """What torch raises, under its name, where torch is not loaded."""


MemoryStandInError.__module__, MemoryStandInError.__qualname__ = "torch", "OutOfMemoryError"


@dataclass(slots=True)
class Exhaustion(Interruption):
    """Has memory run out at the n-th effect: of the GPU, by an allocation, or by a limit."""

    kind: str = ""
    slack: int = 0

    def strike(self) -> None:
        """Raise what an allocator raises, or allow no more than is taken already."""
        if self.kind == "gpu":
            raise MemoryStandInError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        if self.kind == "allocation":
            raise MemoryError("Unable to allocate 2.00 GiB")
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + self.slack
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        # What a step holds grows; a toy's fits into what its process has free already.
        bytearray(8 * SLACK)


class Exhaustions:
    """One case is a campaign in which some tasks run out; one verdict is one of these."""

    name = "memory"

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Run the campaign of case ``number``; equal numbers plan equal exhaustions."""
        reference, chance = references[1], Random(f"memory {number}")
        chosen = [n for n, effects in enumerate(reference.effects) if effects]
        victims = Counter(chance.choices(chosen, k=chance.randint(8, 16)))

        def each(index: int, run: Run, task: Task, found: Found) -> None:
            for _ in range(victims[index]):
                found.append(_exhausted(run, task, reference, index, chance))
            run.complete(task)

        return course(self.name, number, world, reference, each)


def _exhausted(
    run: Run, task: Task, reference: Reference, index: int, chance: Random
) -> tuple[str, str]:
    at, moment = chance.randrange(reference.effects[index]), chance.choice(("before", "after"))
    kind = chance.choice(("gpu", "allocation", "limit"))
    where = f"{task} out of memory ({kind}) {moment} effect {at}"
    watch = Exhaustion(at, moment, kind=kind, slack=chance.randrange(4096, SLACK))
    child = run.launch(task, watch)
    if not child.wait(PATIENCE):
        child.kill()
        return where, "it hung"
    if child.succeeded:
        # One that had recorded its work already has fewer effects.
        is_met = kind != "limit" and child.value["effects"] > at
        return where, "it took the failure for nothing" if is_met else ""
    shown = visible(run.world.url)
    if shown not in reference.stages:
        return where, f"the views showed {shown}"
    return where, "" if kind == "limit" or _is_named(child) else f"it ended with {child.error}"


def _is_named(child: Child) -> bool:
    """Tell whether the step was named, or the error is the allocator's, for bootstrap to name."""
    return any(map(child.ended_with, (OutOfMemoryError, MemoryError, MemoryStandInError)))
