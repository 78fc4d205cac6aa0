"""Two runs that are started for one iteration, at once or one inside the other, by the driver."""

from __future__ import annotations

import time
from random import Random
from typing import Any

from activesynth.errors import ConflictError
from forked import Child
from looking import left, rows
from toy_tasks import CAMPAIGN, Interruption, Reference, Run, Task, World
from verdicts import Verdict


class TwoRuns:
    """One verdict is a pair of runs, of which one commits and the other is told so."""

    name = "two runs"

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Start both, and compare what is left with one undisturbed run.

        Even cases race for the iteration. In odd ones the second run comes when the first holds it:
        a protocol that does not ask who holds an iteration may win the race, and fails there.
        """
        chance = Random(f"two runs {number}")
        Run(world.fresh(), "", {}).complete(Task("ingest"))
        first = _whole_run(world, "one")
        if number % 2:
            _wait_until_open(world, first)
        else:
            first.wait(chance.random() * 0.02)
        second = _whole_run(world, "other")
        for child in (first, second):
            child.wait()
        return [Verdict(self.name, number, _problem(world, first, second, references[1]))]


def _wait_until_open(world: World, run: Child) -> None:
    while not rows(world.url, "select number from activesynth.iterations"):
        if run.wait(0):
            raise RuntimeError(f"it ended before it held an iteration: {run.error}")
        time.sleep(0.002)


def _whole_run(world: World, key: str) -> Child:
    def work() -> list[str]:
        from activesynth.steps.loop import run

        with world.opener(world.url, world.folder, Interruption()) as platform:
            return run(platform, conf={"campaign": CAMPAIGN, "iterations": 1}, run_key=key)

    return Child(work, world.folder / f"{key}.json")


def _problem(world: World, first: Child, second: Child, reference: Reference) -> str:
    if first.succeeded == second.succeeded:
        return f"{first.error} and {second.error}: one run had to be refused"
    winner, loser = ("one", second) if first.succeeded else ("other", first)
    told = (f"'{winner}' holds iteration 0", "activesynth iteration fail")
    if not loser.ended_with(ConflictError) or not all(words in loser.error for words in told):
        return f"the refusal was not clear: {loser.error}"
    runs = rows(world.url, "select number, run_key, state from activesynth.iterations")
    if runs != [(0, winner, "committed")]:
        return f"the iterations are {runs}"
    found: dict[str, Any] = left(world.url, world.folder, CAMPAIGN)
    return "" if found == reference.final else "what is left differs from an undisturbed run"
