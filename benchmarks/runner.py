"""Runs benchmarks, each in a fresh process with one thread."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context

from benchmarks.measure import Case
from benchmarks.registry import BENCHMARKS

THREADS = 1
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run(
    names: Sequence[str], *, quick: bool, sizes: Sequence[int] = ()
) -> Iterator[tuple[str, tuple[Case, ...]]]:
    """Yield title and cases of one benchmark after the other.

    A fresh process for each, because memory and warm caches of one would show in the next; its
    threads are fixed before the first library is loaded.
    """
    os.environ.update(dict.fromkeys(_VARIABLES, str(THREADS)))
    for name in names:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            yield pool.submit(run_one, name, quick, tuple(sizes)).result()


def run_one(name: str, quick: bool, sizes: tuple[int, ...] = ()) -> tuple[str, tuple[Case, ...]]:
    """Run one benchmark in this process and return its title and cases."""
    from activesynth.nn.numerics import fix_threads

    fix_threads(THREADS)
    module = import_module(BENCHMARKS[name])
    title = (module.__doc__ or name).splitlines()[0].rstrip(".")
    # Only where a curve is measured can sizes be asked for.
    more = {"sizes": sizes} if sizes and name == "scale" else {}
    return title, tuple(module.measure(quick=quick, **more))
