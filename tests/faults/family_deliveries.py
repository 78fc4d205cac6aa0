"""Tasks that are delivered again: two or four at once, or once more when later tasks have run."""

from __future__ import annotations

from random import Random

from courses import Found, course
from looking import visible
from toy_tasks import Reference, Run, Task, World
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
        done: list[tuple[Run, Task]] = []

        def each(index: int, run: Run, task: Task, found: Found) -> None:
            if index in at_once:
                longest = reference.seconds[index]
                found.append(_at_once(run, task, chance.choice((2, 4)), longest, chance))
            else:
                run.complete(task)
            done.append((run, task))
            for repeated in [n for n, when in late.items() if when == index]:
                found.append(_again(*done[repeated], f"after {task}"))
            if found and visible(world.url) not in reference.stages:
                found[-1] = (found[-1][0], f"the views showed {visible(world.url)}")

        return course(self.name, number, world, reference, each)


def _at_once(run: Run, task: Task, copies: int, longest: float, chance: Random) -> tuple[str, str]:
    """Run the task in several processes at a time, each a moment later than the one before."""
    apart = [chance.random() * longest for _ in range(copies - 1)]
    where = f"{task} {copies} times, {', '.join(f'{wait:.3f}' for wait in apart)} s apart"
    children = [run.launch(task)]
    for wait in apart:
        children[-1].wait(wait)
        children.append(run.launch(task))
    results = {repr(run.complete(task, child).value["value"]) for child in children}
    return where, "" if len(results) == 1 else f"they returned {sorted(results)}"


def _again(run: Run, task: Task, when: str) -> tuple[str, str]:
    """Run a task once more that was done before."""
    iteration, following = run.iteration_id, dict(run.following)
    run.complete(task)
    same = (iteration, following) == (run.iteration_id, run.following)
    return f"{task} again {when}", "" if same else "it returned something else"
