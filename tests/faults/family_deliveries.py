"""Tasks that are delivered twice: at once, or again when later tasks have run."""

from __future__ import annotations

from random import Random

from looking import difference, left, visible
from toy_tasks import CAMPAIGN, Reference, Run, Task, World, schedule
from verdicts import Verdict


class Deliveries:
    """One case is a campaign with some repeated tasks; one verdict is a repetition."""

    name = "deliveries"

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Repeat some tasks of a campaign, half of them at once, half of them late."""
        reference = references[1]
        chance = Random(f"deliveries {number}")
        count = len(reference.tasks)
        at_once = set(chance.sample(range(count), 3))
        late = {n: chance.randrange(n, count) for n in chance.sample(range(count), 3)}
        found: list[tuple[str, str]] = []
        ending = ""
        done: list[tuple[Run, Task]] = []
        try:
            for index, (run, task) in enumerate(schedule(world.fresh(), 1)):
                if index in at_once:
                    found.append(_twice(run, task, chance.random() * reference.seconds[index]))
                else:
                    run.complete(task)
                done.append((run, task))
                for repeated in [n for n, when in late.items() if when == index]:
                    found.append(_again(*done[repeated], f"after {task}"))
                if found and visible(world.url) not in reference.stages:
                    found[-1] = (found[-1][0], f"the views showed {visible(world.url)}")
            ending = difference(left(world.url, world.folder, CAMPAIGN), reference.final)
        except RuntimeError as error:
            ending = str(error)
        return [
            Verdict(self.name, number, f"{where}: {problem}; {ending}" if problem or ending else "")
            for where, problem in found
        ]


def _twice(run: Run, task: Task, apart: float) -> tuple[str, str]:
    """Run the task in two processes at a time, the second a moment later."""
    where = f"{task} twice, {apart:.3f} s apart"
    first = run.launch(task)
    first.wait(apart)
    second = run.launch(task)
    results = {repr(run.complete(task, child).value["value"]) for child in (first, second)}
    return where, "" if len(results) == 1 else f"they returned {sorted(results)}"


def _again(run: Run, task: Task, when: str) -> tuple[str, str]:
    """Run a task once more that was done before."""
    iteration, following = run.iteration_id, dict(run.following)
    run.complete(task)
    same = (iteration, following) == (run.iteration_id, run.following)
    return f"{task} again {when}", "" if same else "it returned something else"
