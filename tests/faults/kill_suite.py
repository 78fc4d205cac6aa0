"""Kill a toy campaign at every external effect, and compare what is left.

Run as a program: ``python kill_suite.py SERVER_URL TEMPLATE FOLDER STRIDE [naive]``. The parent
only imports and forks; every operation happens in a child, because a forked child of a process that
has used native threads may hang. Prints one JSON line per broken case and a summary.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activesynth.domain.effects import EffectKind
from activesynth.domain.platform import Platform
from activesynth.operations.ingest import ingest
from activesynth.steps.loop import run
from forked import Child, in_child, warm
from looking import difference, empty, left, new_database, visible
from toy_plane import plane_config, plane_platform

CAMPAIGN = "plane"
ITERATIONS = 2


@dataclass(slots=True)
class Watcher:
    """Counts effects, and ends the process at the one that is named."""

    kill_at: int = -1
    moment: str = ""
    seen: list[str] = field(default_factory=list)

    def before(self, kind: EffectKind, key: str) -> None:
        self.seen.append(kind)
        self._act("before")

    def after(self, kind: EffectKind, key: str) -> None:
        self._act("after")

    def _act(self, moment: str) -> None:
        if len(self.seen) - 1 == self.kill_at and moment == self.moment:
            os.kill(os.getpid(), signal.SIGKILL)


Opener = Callable[[str, Path, Watcher], AbstractContextManager[Platform]]

# Audits are steps like all others, and each would add minutes to a run of every case.
CONFIG = plane_config(audits={"run": []})


def drive(platform: Platform, iterations: int) -> None:
    """Ingest and run the whole campaign, as a retry would, from wherever it stands."""
    ingest(CONFIG, platform)
    done = platform.lineage.campaign(CAMPAIGN).iterations
    if done < iterations:
        # The same command again, as a person would: the loop knows what is left of it.
        run(platform, conf={"campaign": CAMPAIGN, "iterations": iterations})
    from activesynth.steps.decide import send_events

    send_events(platform)


@dataclass(frozen=True, slots=True)
class Case:
    number: int
    moment: str


class Suite:
    """Runs cases on databases copied from a migrated template and emptied between cases."""

    def __init__(
        self, server: str, template: str, folder: Path, opener: Opener, iterations: int
    ) -> None:
        self.server, self.template, self.opener = server, template, opener
        self.folder = folder / f"of_{iterations}"
        self.folder.mkdir()
        self.iterations = iterations

    def database(self) -> str:
        """Return the address of a new, migrated, empty database."""
        return new_database(self.server, self.template)

    def attempt(self, url: str, folder: Path, watcher: Watcher) -> Callable[[], Any]:
        def work() -> Any:
            with self.opener(url, folder, watcher) as platform:
                drive(platform, self.iterations)
            return {"effects": watcher.seen, "modules": sorted(sys.modules)}

        return work

    def undisturbed(self) -> tuple[list[str], dict[str, Any]]:
        """Return the effects in order and the final state; warm the parent by what was imported."""
        url, folder = self.database(), self.folder / "undisturbed"
        folder.mkdir()
        seen = folder / "seen.json"
        told = in_child(self.attempt(url, folder, Watcher()), seen)
        warm(told["modules"])
        return told["effects"], left(url, folder, CAMPAIGN)

    def case(
        self, url: str, case: Case, expected: dict[str, Any], stages: set[str]
    ) -> dict[str, Any]:
        """Kill once, look, retry, compare."""
        name = f"case_{case.number}_{case.moment}"
        folder = self.folder / name
        folder.mkdir()
        killed = Child(
            self.attempt(url, folder, Watcher(case.number, case.moment)), folder / "killed.json"
        )
        killed.wait()
        between = visible(url)
        retried = Child(self.attempt(url, folder, Watcher()), folder / "retried.json")
        retried.wait()
        differs = difference(left(url, folder, CAMPAIGN), expected)
        empty(url)
        return {
            "case": name,
            "number": case.number,
            "killed": killed.was_killed,
            "visible": between,
            "nothing_partial": between in stages,
            "retried": retried.succeeded,
            "equal": not differs,
            "differs": differs,
            "error": "" if retried.succeeded else retried.error[-2000:],
        }


def stages_of(suite: Suite) -> set[str]:
    """Return what may be visible: nothing, the root, or exactly what each commit shows."""
    url = suite.database()
    allowed = {visible(url)}
    for iterations in range(suite.iterations + 1):
        folder = suite.folder / f"stage_{iterations}"
        folder.mkdir()

        def work(count: int = iterations, folder: Path = folder) -> Any:
            with suite.opener(url, folder, Watcher()) as platform:
                ingest(CONFIG, platform)
                for remaining in range(suite.iterations, suite.iterations - count, -1):
                    key = f"{CAMPAIGN}__it{suite.iterations - remaining}"
                    only_one(platform, key, remaining)

        in_child(work, folder / "done.json")
        allowed.add(visible(url))
        empty(url)
    return allowed


def only_one(platform: Platform, key: str, remaining: int) -> None:
    """Run a single iteration under the parameters it has within the whole campaign."""
    from activesynth.steps.begin import begin
    from activesynth.steps.loop import iterate

    iterate(begin(key, {"campaign": CAMPAIGN, "iterations": remaining}, platform), platform)


def in_two_processes(
    suite: Suite, cases: list[Case], expected: dict[str, Any], stages: set[str]
) -> list[dict[str, Any]]:
    """Share the cases between two forks, each with one thread and one database of its own."""
    files = [suite.folder / f"worker_{number}.json" for number in range(2)]
    workers = []
    for number, file in enumerate(files):
        pid = os.fork()
        if pid == 0:
            url = suite.database()
            done = [suite.case(url, case, expected, stages) for case in cases[number::2]]
            file.write_text(json.dumps(done))
            os._exit(0)
        workers.append(pid)
    for pid in workers:
        os.waitpid(pid, 0)
    return [result for file in files for result in json.loads(file.read_text())]


def run_suite(suite: Suite, chosen: Callable[[list[str]], list[Case]]) -> list[dict[str, Any]]:
    """Kill in the chosen cases, two at a time."""
    effects, expected = suite.undisturbed()
    stages = stages_of(suite)
    cases = chosen(effects)
    results = in_two_processes(suite, cases, expected, stages)
    for result in results:
        result["effect"] = effects[result["number"]]
    return results


def main() -> int:
    """Run all cases and print the verdicts; exit 1 if an invariant broke."""
    server, template, folder, stride = sys.argv[1:5]
    opener: Opener = plane_platform
    if "naive" in sys.argv[5:]:
        from naive_protocol import naive_platform

        opener = naive_platform

    def thinned(effects: list[str]) -> list[Case]:
        """After every stride-th effect; before and after the first and the last ones.

        The last ones are the commit and the outbox. Between two effects nothing changes outside of
        the process, so a kill before one leaves what a kill after its predecessor leaves.
        """
        tail = len(effects) - 8
        numbers = [n for n in range(len(effects)) if n % int(stride) == 0 or n >= tail]
        before = [Case(n, "before") for n in numbers if n == 0 or n >= tail]
        return before + [Case(n, "after") for n in numbers]

    def trigger(effects: list[str]) -> list[Case]:
        number = effects.index("trigger")
        return [Case(number, "before"), Case(number, "after")]

    # One iteration has every effect but the trigger, which needs a second one to follow.
    one = Suite(server, template, Path(folder), opener, 1)
    two = Suite(server, template, Path(folder), opener, 2)
    results = run_suite(one, thinned)
    results += run_suite(two, trigger)
    verdicts = ("killed", "nothing_partial", "retried", "equal")
    broken = [r for r in results if not all(r[verdict] for verdict in verdicts)]
    for result in broken:
        print(json.dumps(result))
    kinds = sorted({str(r["effect"]) for r in results})
    print(
        json.dumps(
            {
                "effects": len({r["number"] for r in results}),
                "cases": {kind: sum(r["effect"] == kind for r in results) for kind in kinds},
                "held": len(results) - len(broken),
                "broken": len(broken),
            }
        )
    )
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
