"""Whether diagnosis finds what was planted, first, and nothing where nothing is.

Run as ``python -m benchmarks.diagnosis [--quick] [--npz FILE] [PART ...]``; ``docs/diagnosis.md``
says what each part plants and holds the printed tables. Nothing is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from activesynth.nn.numerics import fix_threads
from benchmarks.planted.closures import closures
from benchmarks.planted.data import Pictures, digits, from_npz
from benchmarks.planted.lives import lives
from benchmarks.planted.null import nulls
from benchmarks.planted.search import KINDS, searches

PARTS = ("planted", "null", "lives", "closures")
SEEDS, RUNS = 10, 200
QUICK_SEEDS, QUICK_RUNS = 1, 20
FIRST_CLOSURE = 10
"""The seeds before it were spent on choosing what is planted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one table per part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosis", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="one seed, 20 null runs")
    parser.add_argument("--npz", type=Path, help="pictures `x` and labels `y` instead of digits")
    parser.add_argument("--rows", type=int, default=4000, help="rows taken of an npz")
    parser.add_argument("--seeds", type=int, help="seeds of each planted weakness")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown:
        parser.error(f"unknown part {unknown[0]!r}; there are: {', '.join(PARTS)}")
    fix_threads(1)
    pictures: Pictures = digits() if given.npz is None else from_npz(given.npz, given.rows)
    seeds = given.seeds or (QUICK_SEEDS if given.quick else SEEDS)
    parts = given.parts or PARTS
    if "planted" in parts:
        searches(pictures, KINDS, range(seeds))
    if "null" in parts:
        nulls(pictures, QUICK_RUNS if given.quick else RUNS)
    if "lives" in parts:
        lives(pictures, range(min(seeds, 3)))
    if "closures" in parts:
        closures(pictures, range(FIRST_CLOSURE, FIRST_CLOSURE + seeds))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
