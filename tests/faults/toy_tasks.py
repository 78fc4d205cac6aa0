"""A toy campaign as a scheduler runs it: one process for each task, started again until it is done.

What an undisturbed run of it leaves, shows on the way and costs is the reference of every case.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activesynth.domain.effects import EffectKind, Effects, watched
from activesynth.domain.platform import Platform
from activesynth.domain.termination import ending_when_asked
from activesynth.errors import TransientError
from forked import Child, in_child
from looking import empty, left, visible
from toy_plane import plane_config

CAMPAIGN = "plane"
ATTEMPTS = 4
Opener = Callable[[str, Path, Effects], AbstractContextManager[Platform]]


@dataclass(frozen=True, slots=True)
class World:
    """One database and one folder, for one case at a time."""

    url: str
    folder: Path
    opener: Opener

    def fresh(self) -> World:
        """Empty both and return this."""
        empty(self.url)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return self


@dataclass(slots=True)
class Interruption:
    """Sends this process a signal just before or after its n-th effect."""

    at: int = -1
    moment: str = ""
    signal: int = signal.SIGKILL
    seen: int = 0

    def before(self, kind: EffectKind, key: str) -> None:
        self._act("before")

    def after(self, kind: EffectKind, key: str) -> None:
        self._act("after")
        self.seen += 1

    def _act(self, moment: str) -> None:
        if self.seen == self.at and moment == self.moment:
            self.strike()

    def strike(self) -> None:
        """Do what is to be done there."""
        os.kill(os.getpid(), self.signal)


@dataclass(frozen=True, slots=True)
class Task:
    """A step, and for a mapped one what it is mapped over."""

    step: str
    argument: int | str | None = None

    def __str__(self) -> str:
        """Return its name in messages."""
        return self.step if self.argument is None else f"{self.step}[{self.argument}]"


def tasks() -> list[Task]:
    """Return the tasks of one iteration in order, those of Airflow's graph."""
    config = plane_config()
    before = ("begin", "train", "embed", "fit_generator", "diagnose", "plan")
    between = ("screen", "select", "annotate", "integrate")
    return [
        *map(Task, before),
        *(Task("generate", shard) for shard in range(config.plan.shards)),
        *map(Task, between),
        *(Task("retrain", arm) for arm in config.evaluation.arms),
        *map(Task, ("evaluate", "promote", "decide")),
    ]


@dataclass(slots=True)
class Run:
    """One DAG run: its key, its parameters, and what its tasks handed on."""

    world: World
    key: str
    conf: dict[str, Any]
    iteration_id: str = ""
    following: dict[str, Any] = field(default_factory=dict)

    def launch(self, task: Task, effects: Interruption | None = None) -> Child:
        """Start a process for the task; several may run at a time."""
        watch = effects or Interruption()
        result = self.world.folder / f"{time.monotonic_ns()}.json"

        def work() -> Any:
            world = self.world
            signal.signal(signal.SIGINT, signal.default_int_handler)
            with ending_when_asked(), world.opener(world.url, world.folder, watch) as platform:
                value = self._play(task, platform)
            return {"value": value, "effects": watch.seen}

        return Child(work, result)

    def finish(self, task: Task, child: Child) -> None:
        """Hand on what the task returned."""
        value = child.value["value"]
        if task.step == "begin":
            self.iteration_id = value
        elif task.step == "decide":
            self.following = value

    def complete(self, task: Task, child: Child | None = None) -> Child:
        """Try as often as Airflow does, and return the child that did it.

        Raises:
            RuntimeError: If it failed for good, with its error.
        """
        for _ in range(ATTEMPTS):
            child = child or self.launch(task)
            child.wait()
            if child.succeeded:
                break
            if not child.was_killed and not child.ended_with(TransientError):
                break
            child = None
        child = child or self.launch(task)
        child.wait()
        self.finish(task, child)
        return child

    def _play(self, task: Task, platform: Platform) -> Any:
        if task.step == "ingest":
            from activesynth.operations.ingest import ingest

            ingest(plane_config(), platform)
            return None
        if task.step == "begin":
            from activesynth.steps.begin import begin

            return begin(self.key, self.conf, platform)
        if task.step == "decide":
            from activesynth.steps.decide import decide

            following = decide(self.iteration_id, platform)
            return {"run_key": following.run_key, "conf": following.conf}
        if task.step == "start_next":
            return self._trigger(platform)
        return _step(task, self.iteration_id, platform)

    def _trigger(self, platform: Platform) -> None:
        """Create the next run under its deterministic id, as Airflow does; once is enough."""
        key = str(self.following["run_key"])
        with watched(platform.effects, "trigger", key):
            (self.world.folder / "runs").mkdir(exist_ok=True)
            (self.world.folder / "runs" / key).touch()


def _step(task: Task, iteration_id: str, platform: Platform) -> None:
    import importlib

    work = getattr(importlib.import_module(f"activesynth.steps.{task.step}"), task.step)
    if task.argument is None:
        work(iteration_id, platform)
    else:
        work(iteration_id, task.argument, platform)


def schedule(world: World, iterations: int) -> Iterator[tuple[Run, Task]]:
    """Yield the tasks of a whole campaign in order; who asks for the next finished the last."""
    run = Run(world, f"{CAMPAIGN}__it0", {"campaign": CAMPAIGN, "iterations": iterations})
    yield run, Task("ingest")
    while True:
        for task in tasks():
            yield run, task
        if run.following["run_key"] is None:
            return
        yield run, Task("start_next")
        (key,) = [p.name for p in (world.folder / "runs").iterdir() if p.name != run.key]
        run = Run(world, key, run.following["conf"])


@dataclass(frozen=True, slots=True)
class Reference:
    """What an undisturbed campaign does: its tasks, their cost, what may be seen, what is left."""

    tasks: list[str]
    seconds: list[float]
    effects: list[int]
    stages: set[str]
    final: dict[str, Any]


def drive(world: World) -> None:
    """Run the whole campaign in this process, from wherever it stands, as a command would."""
    from activesynth.operations.ingest import ingest
    from activesynth.steps.decide import send_events
    from activesynth.steps.loop import run

    with world.opener(world.url, world.folder, Interruption()) as platform:
        ingest(plane_config(), platform)
        if platform.lineage.campaign(CAMPAIGN).iterations == 0:
            run(platform, conf={"campaign": CAMPAIGN, "iterations": 1})
        send_events(platform)


def modules_of(world: World) -> list[str]:
    """Run a campaign in one process and return the modules it imported."""

    def work() -> list[str]:
        drive(world)
        return sorted(sys.modules)

    found: list[str] = in_child(work, world.fresh().folder / "modules.json")
    return found


def undisturbed(world: World, iterations: int) -> Reference:
    """Run the campaign without any fault."""
    world.fresh()
    found = Reference([], [], [], {visible(world.url)}, {})
    for run, task in schedule(world, iterations):
        started = time.monotonic()
        child = run.complete(task)
        found.tasks.append(str(task))
        found.seconds.append(time.monotonic() - started)
        found.effects.append(child.value["effects"])
        found.stages.add(visible(world.url))
    found.final.update(left(world.url, world.folder, CAMPAIGN))
    return found
