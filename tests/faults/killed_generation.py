"""Kill a digits campaign while it makes candidates: at every shard boundary, and inside a shard.

Run as a program: ``python killed_generation.py SERVER_URL TEMPLATE FOLDER``. As in ``kill_suite``
the parent only imports and forks. Prints one JSON document: what an undisturbed run left, and what
every killed and continued one did, with the process that recorded each shard.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from activesynth.bootstrap import open_platform
from activesynth.config.campaign import parse_campaign
from activesynth.config.settings import Settings
from activesynth.operations.ingest import ingest
from activesynth.steps.begin import begin
from activesynth.steps.diagnose import diagnose
from activesynth.steps.embed import embed
from activesynth.steps.fit_generator import fit_generator
from activesynth.steps.generate import generate, shards
from activesynth.steps.plan import plan
from activesynth.steps.screen import screen
from activesynth.steps.train import train
from activesynth.steps.turn import open_turn
from forked import Child, in_child, warm
from looking import new_database
from tiny_campaign import TINY

ITERATION = "tiny:0:1"
SHARDS = 3
INSIDE = 1
"""The shard in whose middle one case dies."""


@dataclass(frozen=True, slots=True)
class World:
    """A database and a folder of objects."""

    url: str
    folder: Path

    def settings(self) -> Settings:
        return Settings(database_url=SecretStr(self.url), home=self.folder, threads=1, device="cpu")

    def copy(self, server: str, folder: Path) -> World:
        """Return a world that holds the same and shares nothing."""
        shutil.copytree(self.folder, folder)
        return World(new_database(server, urlsplit(self.url).path[1:]), folder)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def prepare(world: World) -> list[str]:
    """Run a campaign up to its plan; return the modules that were imported for it."""
    planned = {"growth": 0.5, "shards": SHARDS}
    with open_platform(world.settings()) as platform:
        ingest(parse_campaign({**TINY, "name": "tiny", "plan": planned}, "tiny"), platform)
        assert begin("run", {"campaign": "tiny"}, platform) == ITERATION
        for step in (train, embed, fit_generator, diagnose, plan):
            step(ITERATION, platform)
    # What sampling imports on top: seconds, which every fork would spend again.
    from diffusers.schedulers import scheduling_dpmsolver_multistep

    return sorted({*sys.modules, scheduling_dpmsolver_multistep.__name__})


def make(world: World, *, boundary: int | None = None, inside: int | None = None) -> dict[str, Any]:
    """Make what is missing of the candidates and screen them, or die on the way.

    ``boundary`` dies before the shard of that number and after all others, ``inside`` in the
    middle of one: a part of it is drawn and nothing of it is written.
    """

    def report(what: str, done: int, total: int) -> None:
        if what == f"generate shard {inside}" and done:
            die()

    with open_platform(world.settings(), report=report) as platform:
        for shard in shards(ITERATION, platform):
            if shard == boundary:
                die()
            generate(ITERATION, shard, platform)
        if boundary == SHARDS:
            die()
        screened = screen(ITERATION, platform)
        made = platform.lineage.steps(open_turn(ITERATION, platform).ref, "generate")
    return {
        "pid": os.getpid(),
        "shards": [
            {
                "artifacts": record.artifacts,
                "key": record.derivation_key,
                "pid": int(record.host.split(":")[-1]),
                "rows": record.facts["targeted"],
            }
            for record in sorted(made, key=lambda record: record.shard)
        ],
        "screened": screened.artifacts,
    }


def disturbed(world: World, **where: int) -> dict[str, Any]:
    """Kill once and continue in another process."""
    killed = Child(lambda: make(world, **where), world.folder / "killed.json")
    killed.wait()
    continued: Callable[[], Any] = lambda: make(world)  # noqa: E731
    result = in_child(continued, world.folder / "continued.json")
    return {"where": where, "was_killed": killed.was_killed, "killed": killed.pid, **result}


def main() -> int:
    """Print what every case left."""
    server, template, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    world = World(new_database(server, template), folder / "planned")
    world.folder.mkdir(mode=0o700)
    warm(in_child(lambda: prepare(world), folder / "prepared.json"))
    whole = world.copy(server, folder / "whole")
    undisturbed = in_child(lambda: make(whole), folder / "whole.json")
    places = [{"boundary": number} for number in range(SHARDS + 1)] + [{"inside": INSIDE}]
    cases = [
        disturbed(world.copy(server, folder / f"case{number}"), **place)
        for number, place in enumerate(places)
    ]
    print(json.dumps({"undisturbed": undisturbed, "cases": cases}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
