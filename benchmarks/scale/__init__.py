"""Seconds and peak memory of every stage against the number of samples."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import text

from activesynth.domain.effects import Unwatched
from activesynth.lineage.lineage import open_lineage
from benchmarks.database import Place, temporary_database
from benchmarks.measure import Case
from benchmarks.scale.pictures import write_source
from benchmarks.scale.runs import Run, run
from benchmarks.scale.stages import CORE, LOOP, STORED
from benchmarks.table import render

SIZES, QUICK_SIZES = (10_000, 30_000), (600,)
LOOP_ROWS = 100_000
"""Up to here all steps of an iteration run; beyond, ingest and core functions on arrays."""
GRAPH_ROWS = 300_000
"""Up to here the graph index is built."""
LEAST_SECONDS, LEAST_MB = 1e-3, 1.0
"""What is less is taken as this when slopes are fitted."""
QUICK = ("ingest", "train", "embed", "index, inverted lists", "cluster", "screening", *STORED)


def measure(*, quick: bool, sizes: Sequence[int] = ()) -> list[Case]:
    """Run every stage at every size in a fresh process, each size in a database of its own.

    The note of a stage's largest size tells how time and memory grew from the smallest on.
    """
    curves: dict[str, list[tuple[int, Run]]] = {}
    for rows in sorted(sizes or (QUICK_SIZES if quick else SIZES)):
        with temporary_database() as place:
            for name, found in _measured(place, rows, QUICK if quick else (*LOOP, *STORED, *CORE)):
                print(render(name, [_case(name, rows, found)]).splitlines()[-1], file=sys.stderr)
                curves.setdefault(name, []).append((rows, found))
    return [case for name, curve in curves.items() for case in _cases(name, curve)]


def _measured(place: Place, rows: int, names: Sequence[str]) -> Iterator[tuple[str, Run]]:
    write_source(place.folder / "source.npz", rows)
    for name in names:
        if (name in LOOP[1:] and rows > LOOP_ROWS) or (
            name == "index, graph" and rows > GRAPH_ROWS
        ):
            continue
        if name in ("generate", "retrain"):
            yield from _workers(name, place, rows)
        elif name == "write and commit":
            found = run([name], place, rows)[0]
            yield name, replace(found, note=f"{found.note}: {_row_bytes(place)}")
        else:
            yield name, run([name], place, rows)[0]


def _row_bytes(place: Place) -> str:
    """Say how large rows are in the database, their indexes included."""
    lineage = open_lineage(place.url, Unwatched())
    told = []
    with lineage.database.reading() as connection:
        for table in ("samples", "dataset_members"):
            size = f"pg_total_relation_size('activesynth.{table}')"
            query = text(f"SELECT {size} / count(*) FROM activesynth.{table}")  # noqa: S608
            told.append(f"{connection.execute(query).scalar_one()} bytes in {table}")
    lineage.close()
    return ", ".join(told)


def _workers(name: str, place: Place, rows: int) -> Iterator[tuple[str, Run]]:
    """Yield two parts of a mapped step by one process, and two like them by two processes."""
    (alone,) = run([f"{name} 0+2"], place, rows)
    both = run([f"{name} 1", f"{name} 3"], place, rows)
    yield f"{name}, one worker", _with_limit(alone, [alone], alone.seconds)
    seconds = max(r.ended for r in both) - min(r.started for r in both)
    largest = max(both, key=lambda found: found.grown_mb)
    yield f"{name}, two workers", _with_limit(largest, both, seconds)


def _with_limit(found: Run, runs: Sequence[Run], seconds: float) -> Run:
    spent = sum(r.seconds for r in runs)
    shares = {
        "computing": sum(r.computed for r in runs) / spent,
        "waiting for a core": sum(r.waited for r in runs) / spent,
    }
    shares["waiting for database or disk"] = max(0.0, 1.0 - sum(shares.values()))
    told = ", ".join(f"{100 * share:.0f} % {what}" for what, share in shares.items())
    waited = seconds * shares["waiting for a core"]
    return replace(found, seconds=seconds, waited=waited, note=f"two parts: {told}")


def _cases(name: str, curve: Sequence[tuple[int, Run]]) -> list[Case]:
    cases = [_case(name, rows, found) for rows, found in curve]
    if len(curve) > 1:
        cases[-1] = cases[-1].noted(f"{cases[-1].note}; {_slopes(curve)}")
    return cases


def _case(name: str, rows: int, found: Run) -> Case:
    note = f"peak {found.peak_mb:.0f} MiB"
    if found.child_mb > found.peak_mb:
        note += f", its child {found.child_mb:.0f}"
    if found.load > (os.cpu_count() or 1):
        note += f"; load {found.load:.0f}, {found.waited:.1f} s without a core"
    return Case(f"{name}, {rows:,}", found.seconds, found.grown_mb, f"{note}; {found.note}")


def _slopes(curve: Sequence[tuple[int, Run]]) -> str:
    """Fit log seconds and log growth of memory against log rows.

    Seconds without a core are left out: they tell of other programs on the machine.
    """
    rows = np.log([n for n, _ in curve])
    seconds = np.log([max(f.seconds - f.waited, LEAST_SECONDS) for _, f in curve])
    memory = np.log([max(found.grown_mb, LEAST_MB) for _, found in curve])
    time, room = (float(np.polyfit(rows, values, 1)[0]) for values in (seconds, memory))
    return f"**time ~ rows^{time:.2f}, memory ~ rows^{room:.2f}**"
