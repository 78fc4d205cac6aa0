"""``python -m benchmarks [--quick] [--sizes N,...] [NAME ...]``: print tables and write nothing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.registry import BENCHMARKS
from benchmarks.runner import run
from benchmarks.table import render


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(int(part) for part in text.split(","))
    if min(sizes) < 500:
        raise argparse.ArgumentTypeError("fewer than 500 rows make no splits")
    return sizes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmarks, or all, and print one table for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument(
        "--sizes", type=_sizes, default=(), help="rows for scale, as 10000,30000,100000"
    )
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    for title, cases in run(given.names or list(BENCHMARKS), quick=given.quick, sizes=given.sizes):
        print(render(title, cases), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
