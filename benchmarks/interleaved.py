"""Contenders measured in turns, so that what else the machine does meets all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import process_time
from typing import TypeVar

from benchmarks.measure import Case, Clock, measured

T = TypeVar("T")


def interleaved(
    contenders: Mapping[str, Callable[[], T]], *, rounds: int, clock: Clock = process_time
) -> dict[str, tuple[Case, T]]:
    """Run every contender once a round and return what each cost and what it returned last.

    The fastest of a contender's runs counts, and the largest memory: a later run finds what an
    earlier one left in the allocator. The note says between which numbers the ratio to the first
    contender lay, round by round.
    """
    runs: dict[str, list[Case]] = {name: [] for name in contenders}
    results: dict[str, T] = {}
    for _ in range(rounds):
        for name, call in contenders.items():
            case, results[name] = measured(name, call, clock=clock)
            runs[name].append(case)
    first = next(iter(runs.values()))
    return {name: (_joined(own, first), results[name]) for name, own in runs.items()}


def further(case: Case, note: str) -> Case:
    """Return the same measurement with one more note."""
    return case.noted("; ".join(filter(None, (case.note, note))))


def _joined(own: list[Case], first: list[Case]) -> Case:
    best = min(own, key=lambda case: case.seconds)
    memory = [case.memory_mb for case in own if case.memory_mb is not None]
    ratios = [
        case.seconds / other.seconds
        for case, other in zip(own, first, strict=True)
        if other.seconds > 0
    ]
    is_told = own is not first and len(ratios) > 1
    note = f"ratio {min(ratios):.2f} to {max(ratios):.2f}" if is_told else ""
    return replace(best, memory_mb=max(memory, default=None), note=note)
