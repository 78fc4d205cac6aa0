"""Every family of faults, against our protocol and against a naive one, as a table.

Run as ``python tests/faults/fault_program.py`` (``make faults``) for the long form. The parent only
imports and forks; a few workers share the cases of a family until it has its number of verdicts.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from activesynth.lineage.migrate import upgrade
from false_clocks import library, start_again_with_false_clocks
from family_clocks import Clocks
from family_crashes import Crashes
from family_deliveries import Deliveries
from family_kills import Kills
from family_memory import Exhaustions
from family_racers import COMMITS, Racers
from family_stops import Stops
from family_store_errors import KINDS, StoreErrors
from family_two_runs import TwoRuns
from family_zombies import Zombies
from forked import die_with_parent, in_child, warm
from looking import new_database
from naive_protocol import naive_platform
from platform_fixtures import PostgresServer
from s3_fixtures import CephGateway, S3Server, server_from_environment
from toy_plane import plane_parts, plane_platform
from toy_tasks import Opener, Reference, World, modules_of, undisturbed
from verdicts import Verdict

WORKERS = 2


class Family(Protocol):
    """A kind of fault."""

    name: str

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Return what came of the faults of one case; equal numbers plan equal faults."""
        ...


@dataclass(frozen=True, slots=True)
class Size:
    """How many verdicts a family gives of ours and of the naive protocol, in either form."""

    ours: int
    naive: int
    short_ours: int
    short_naive: int
    workers: int = WORKERS

    def of(self, *, is_short: bool) -> tuple[int, int]:
        """Return the numbers for ours and for the naive protocol."""
        return (self.short_ours, self.short_naive) if is_short else (self.ours, self.naive)


SIZES = {
    # More than 1,000 of them at random; each case has one that is not.
    "kills": Size(1100, 48, 8, 12),
    # Twice as many as there are effects, which are 98.
    "zombies": Size(200, 10, 2, 4),
    "deliveries": Size(200, 24, 6, 8),
    "racers": Size(2 * COMMITS, 2 * COMMITS, COMMITS, COMMITS, workers=1),
    "crashes": Size(1000, 200, 20, 40, workers=1),
    # Its cases wait for answers most of the time.
    "store errors": Size(30 * len(KINDS), 4, len(KINDS), 2, workers=6),
    "two runs": Size(20, 4, 2, 2),
    "stops": Size(200, 48, 8, 12),
    "memory": Size(200, 48, 8, 12),
    "clocks": Size(120, 24, 4, 4),
}


@dataclass(frozen=True, slots=True)
class Bench:
    """A server with a migrated template, a folder, and a protocol with its references."""

    server: str
    template: str
    folder: Path
    opener: Opener
    references: dict[int, Reference]
    s3: S3Server | None

    def family(self, name: str, size: int) -> Family:
        """Build the family called ``name``, to give ``size`` verdicts."""
        made: dict[str, Callable[[], Family]] = {
            "kills": Kills,
            "zombies": Zombies,
            "deliveries": Deliveries,
            "racers": Racers,
            "crashes": lambda: Crashes(size, max(4, min(20, size // 20))),
            "store errors": self._store_errors,
            "two runs": TwoRuns,
            "stops": Stops,
            "memory": Exhaustions,
            "clocks": lambda: Clocks(is_naive=self.opener is naive_platform),
        }
        return made[name]()

    def _store_errors(self) -> Family:
        if self.s3 is None:
            raise RuntimeError("store errors need an S3 server")
        return StoreErrors(self.s3, is_naive=self.opener is naive_platform)

    def world(self, name: str) -> World:
        """Return a world of its own."""
        url = new_database(self.server, self.template)
        return World(url, self.folder / name, self.opener)


def work_off(bench: Bench, family: Family, worker: int, size: Size, count: int, out: Path) -> None:
    """Run every ``size.workers``-th case until this worker's share of verdicts is there."""
    world = bench.world(out.stem.removeprefix("of_"))
    number, done, share = worker, 0, -(-count // size.workers)
    with out.open("w") as file:
        while done < share:
            verdicts = family.case(number, world, bench.references)
            for verdict in verdicts:
                file.write(json.dumps(asdict(verdict)) + "\n")
            file.flush()
            done += len(verdicts)
            number += size.workers


def in_workers(bench: Bench, name: str, size: Size, count: int, label: str) -> list[Verdict]:
    """Share the cases between forks, each with one thread and one database of its own."""
    stem = f"of {label} {{}}.jsonl".replace(" ", "_")
    files = [bench.folder / stem.format(n) for n in range(size.workers)]
    family, report = bench.family(name, count), Progress()
    workers = []
    for n, file in enumerate(files):
        pid = os.fork()
        if pid == 0:
            die_with_parent()
            status = 1
            try:
                work_off(bench, family, n, size, count, file)
                status = 0
            except BaseException as error:
                print(f"{family.name}: {type(error).__name__}: {error}", file=sys.stderr)
            os._exit(status)
        workers.append(pid)
    failed = False
    while workers:
        pid, status = os.waitpid(workers[0], os.WNOHANG)
        if pid:
            workers.pop(0)
            failed = failed or status != 0
        else:
            time.sleep(0.2)
        report(f"{label} {len(_read(files))}/{count}")
    if failed:
        raise RuntimeError(f"a worker of {family.name!r} failed")
    return _read(files)


def _read(files: list[Path]) -> list[Verdict]:
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    return [Verdict(**json.loads(line)) for line in lines if line.endswith("}")]


class Progress:
    """Rewrites one line on a terminal; elsewhere says something every half minute."""

    def __init__(self) -> None:
        """Start now."""
        self._last = 0.0

    def __call__(self, text: str) -> None:
        """Show how far the work is."""
        now = time.monotonic()
        if sys.stderr.isatty():
            print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)
        elif now - self._last > 30:
            self._last = now
            print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    family: str
    cases: int
    broken: int
    naive: int
    naive_broken: int
    seconds: float
    note: str

    def __str__(self) -> str:
        """Return the line in Markdown."""
        held = self.cases - self.broken
        naive = f"{self.naive_broken} of {self.naive}"
        return (
            f"| {self.family} | {self.cases} | {held} | {self.broken} | {naive} "
            f"| {self.seconds:.0f} | {self.note} |"
        )


HEAD = (
    "| family | cases | held | broken | naive broken | seconds | |\n|---|---|---|---|---|---|---|"
)


@contextmanager
def benches(
    server: str, template: str, folder: Path, s3: S3Server | None, *, longest: int
) -> Iterator[tuple[Bench, Bench]]:
    """Prepare ours and the naive protocol: import, and run once undisturbed."""
    made = []
    for label, opener in (("ours", plane_platform), ("naive", naive_platform)):
        home = folder / label
        bench = Bench(server, template, home, opener, {}, s3)
        world = bench.world("undisturbed")
        warm(modules_of(world))
        plane_parts()
        for iterations in range(1, 1 + (min(1, longest) if opener is naive_platform else longest)):
            bench.references[iterations] = undisturbed(world, iterations)
        made.append(bench)
    yield made[0], made[1]


def measure(name: str, ours: Bench, naive: Bench, *, is_short: bool) -> tuple[Row, list[Verdict]]:
    """Run one family against both protocols."""
    size = SIZES[name]
    count, counter = size.of(is_short=is_short)
    started = time.monotonic()
    found = in_workers(ours, name, size, count, name)
    seconds = time.monotonic() - started
    against = in_workers(naive, name, size, counter, f"{name} (naive)")
    broken = [v for v in found if v.problem]
    fallen = [v for v in against if v.problem]
    notes = sorted({v.note for v in found if v.note})
    row = Row(name, len(found), len(broken), len(against), len(fallen), seconds, "; ".join(notes))
    return row, broken


def one_case(name: str, number: int, bench: Bench) -> int:
    """Run one case again and say what came of it."""
    verdicts = bench.family(name, SIZES[name].ours).case(
        number, bench.world("again"), bench.references
    )
    for verdict in verdicts:
        print(verdict.problem or "held")
    return 1 if any(verdict.problem for verdict in verdicts) else 0


@contextmanager
def own_server(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a throw-away Postgres and migrate a template."""
    server = PostgresServer(folder)
    server.start()
    try:
        name = server.create_database()
        in_child(lambda: upgrade(server.url(name)), folder / "upgraded.json")
        yield server.url(), name
    finally:
        server.close()


@contextmanager
def own_store(folder: Path, *, is_needed: bool) -> Iterator[S3Server | None]:
    """Use the S3 server that the environment names, or run one, if a family needs it."""
    given = server_from_environment()
    if given is not None or not is_needed:
        yield given
        return
    sockets = Path(tempfile.mkdtemp(prefix="asy-"))
    gateway = CephGateway(folder, sockets)
    try:
        gateway.start()
        yield gateway.server
    finally:
        gateway.stop()
        shutil.rmtree(sockets, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; exit 1 if an invariant broke, or the naive protocol got away with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", default=",".join(SIZES), help="some of them, by comma")
    parser.add_argument("--short", action="store_true", help="a few cases of each")
    parser.add_argument("--case", type=int, help="run this case of one family again")
    parser.add_argument("--naive", action="store_true", help="with --case: the naive protocol")
    options = parser.parse_args(arguments)
    chosen = [name.strip() for name in options.families.split(",") if name.strip()]
    unknown = set(chosen) - set(SIZES)
    if unknown:
        parser.error(f"no family {', '.join(unknown)}; there are: {', '.join(SIZES)}")
    if "clocks" in chosen:
        if library() is None:
            parser.error("the family clocks needs the Debian package faketime")
        start_again_with_false_clocks()
    folder = Path(tempfile.mkdtemp(prefix="asy-faults-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are stopped on the way out
    # Racers and crashes commit bundles of their own and compare with no campaign.
    compared = set(chosen) - {"racers", "crashes"}
    longest = 2 if "kills" in compared else min(1, len(compared))
    needs_s3 = "store errors" in chosen
    try:
        with (
            own_server(folder) as (server, template),
            own_store(folder, is_needed=needs_s3) as s3,
            benches(server, template, folder, s3, longest=longest) as both,
        ):
            if options.case is not None:
                return one_case(chosen[0], options.case, both[options.naive])
            return _table(chosen, both, is_short=options.short)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _table(chosen: list[str], both: tuple[Bench, Bench], *, is_short: bool) -> int:
    lines, is_fine = [HEAD], True
    for name in chosen:
        row, broken = measure(name, *both, is_short=is_short)
        lines.append(str(row))
        print(row, file=sys.stderr, flush=True)
        for verdict in broken[:20]:
            print(
                f"  --families '{name}' --case {verdict.case}: {verdict.problem}", file=sys.stderr
            )
        is_fine = is_fine and not broken and row.naive_broken > 0
    print("\n".join(lines))
    return 0 if is_fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
