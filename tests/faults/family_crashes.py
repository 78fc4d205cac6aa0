"""The real embedded Postgres, killed again and again under writers that note every answer."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from activesynth.embedded import processes
from activesynth.embedded.postgres import PostgresServer, RunningPostgres
from activesynth.errors import TransientError
from activesynth.lineage.migrate import upgrade
from forked import Child, in_child
from lineage_cases import make_campaign, make_commit, make_step
from looking import rows
from toy_tasks import Interruption, Reference, World
from verdicts import Verdict

WRITERS = 4
_ENOUGH = "enough"
_WHOLE = """
    select i.campaign, i.number, i.run_key,
           (select count(*) from activesynth.dataset_versions v
             where v.campaign = i.campaign and v.iteration = i.number) = 1
       and (select count(*) from activesynth.dataset_members m
             where m.campaign = i.campaign and m.manifest = 'manifest-' || i.number) = 2
       and (select count(*) from activesynth.metrics m
             where m.campaign = i.campaign and m.iteration = i.number) = 6
       and (select count(*) from activesynth.models m
             where m.campaign = i.campaign and m.iteration = i.number) = 1
       and (select count(*) from activesynth.outbox o
             where o.key = i.campaign || ':' || i.number) = 1
       and c.iterations > i.number
      from activesynth.iterations i join activesynth.campaigns c on c.name = i.campaign
     where i.state = 'committed'
"""
_REMAINS = """
    select m.campaign, m.iteration from activesynth.metrics m
      join activesynth.iterations i on i.campaign = m.campaign and i.number = m.iteration
     where i.state <> 'committed'
    union
    select v.campaign, v.iteration from activesynth.dataset_versions v
      join activesynth.iterations i on i.campaign = v.campaign and i.number = v.iteration
     where i.state <> 'committed'
"""


class Crashes:
    """One verdict is an acknowledged commit; ``kills`` servers die meanwhile."""

    name = "crashes"

    def __init__(self, commits: int, kills: int) -> None:
        """Spread the kills over the commits."""
        self._commits = commits
        self._kills = kills

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Write, kill, start again, and look for what was acknowledged."""
        chance = Random(f"crashes {number}")
        share = self._commits // WRITERS
        with _embedded() as server:
            running = server.start()
            url = running.url("activesynth")
            local = World(url, world.fresh().folder, world.opener)
            in_child(lambda: upgrade(url), local.folder / "upgraded.json")
            writers = [_writer(local, n, share) for n in range(WRITERS)]
            broken = self._kill_meanwhile(server, running, local, writers, chance)
            problems = []
            for writer in writers:
                if not writer.wait(300):
                    writer.kill()
                if not writer.succeeded:
                    problems.append(f"a writer ended with {writer.error}")
            broken |= _check(url, local.folder)
            commits = sorted(_acknowledged(local.folder) | set(broken))
        note = f"{self._kills} kills of the server"
        return [
            Verdict(self.name, number, "; ".join([*problems, *broken.get(commit, [])]), note)
            for commit in commits
        ]

    def _kill_meanwhile(
        self,
        server: PostgresServer,
        running: RunningPostgres,
        world: World,
        writers: list[Child],
        chance: Random,
    ) -> dict[str, list[str]]:
        problems: dict[str, list[str]] = {}
        step = self._commits / self._kills
        for kill in range(self._kills):
            threshold = step * (kill + chance.uniform(0.2, 0.8))
            while len(_acknowledged(world.folder)) < threshold:
                if all(writer.wait(0) for writer in writers):
                    raise RuntimeError(f"the writers ended before kill {kill}: {writers[0].error}")
                time.sleep(0.002)
            time.sleep(chance.random() * 0.05)
            _kill(running, with_sessions=kill % 2 == 1)
            running = server.start(running.sockets)
            problems |= _check(world.url, world.folder)
        (world.folder / _ENOUGH).touch()
        return problems


@contextmanager
def _embedded() -> Iterator[PostgresServer]:
    home = Path(tempfile.mkdtemp(prefix="asy-crash-"))
    server = PostgresServer(home / "postgres", home / "postgres.log")
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _kill(running: RunningPostgres, *, with_sessions: bool) -> None:
    """Kill the server alone, whose sessions then end themselves, or everything at once."""
    leader = running.process.pid
    doomed = [leader]
    if with_sessions:
        doomed += [p.pid for p in processes.running() if _parent(p.pid) == leader]
    for pid in doomed:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    processes.wait_until(lambda: processes.find(leader) is None, seconds=30)


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return -1


def _writer(world: World, index: int, commits: int) -> Child:
    """Commit iterations to a campaign of its own until there are enough kills and commits.

    Each is noted as soon as it is acknowledged.
    """
    campaign, enough = f"load-{index}", world.folder / _ENOUGH

    def work() -> None:
        log = os.open(
            world.folder / f"acknowledged_{index}", os.O_WRONLY | os.O_CREAT | os.O_APPEND
        )
        with world.opener(world.url, world.folder, Interruption()) as platform:
            _insist(lambda: make_campaign(platform.lineage, campaign))
            for number in count():
                if number >= commits and enough.exists():
                    return
                _insist(lambda key=f"run-{number}": _commit(platform.lineage, campaign, key))
                os.write(log, f"{campaign} run-{number}\n".encode())
                os.fsync(log)

    return Child(work, world.folder / f"writer_{index}.json")


def _commit(store: Any, campaign: str, run_key: str) -> None:
    """Commit the iteration of this run; where the outcome was unknown, its key says it."""
    opened = store.open_iteration(campaign, run_key, {})
    if opened.state != "committed":
        store.record_step(opened.ref, make_step())
        store.commit_iteration(make_commit(opened))


def _insist(work: Any) -> None:
    """Do it again until the server answers, as a scheduler would."""
    deadline = time.monotonic() + 120
    while True:
        try:
            work()
            return
        except TransientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _acknowledged(folder: Path) -> set[str]:
    logs = [path.read_text() for path in folder.glob("acknowledged_*")]
    # The last line of a log may be half written.
    return {line for log in logs for line in log.split("\n")[:-1]}


def _check(url: str, folder: Path) -> dict[str, list[str]]:
    """Compare what is there with what was acknowledged before; return problems by commit."""
    acknowledged = _acknowledged(folder)
    problems: dict[str, list[str]] = {}
    found: list[str] = []
    for campaign, number, key, is_whole in rows(url, _WHOLE):
        found.append(f"{campaign} {key}")
        if not is_whole:
            problems.setdefault(found[-1], []).append(f"iteration {number} is there in parts")
    for campaign, number in rows(url, _REMAINS):
        problems.setdefault(f"{campaign} run-{number}", []).append("it shows before its commit")
    for key in set(found):
        if found.count(key) > 1:
            problems.setdefault(key, []).append("it was committed twice")
    for key in acknowledged - set(found):
        problems.setdefault(key, []).append("it was acknowledged and is lost")
    return problems
