"""A weakness over four models: found, healed, back again."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.planted.data import Pictures, fitted, rows_of, split, with_copies
from benchmarks.planted.looking import harshly, look, profile_of, surroundings

PLANTED = "contrast"


def life(pictures: Pictures, seed: int) -> list[str]:
    """Return the state of the planted weakness after each of four diagnoses.

    A model that never saw the corruption, then one that was shown it in training, twice, and then
    the first kind again. The halves of guide take turns, as in the loop.
    """
    parts = split(pictures, seed)
    train, guide = rows_of(pictures, parts.train), rows_of(pictures, parts.guide)
    around = surroundings(train.x, train.x[:0], guide.x, seed)
    states: dict[str, str] = {}
    told = []
    for iteration, shown in enumerate(((), (PLANTED,), (PLANTED,), ())):
        model = fitted(with_copies(train, shown, seed), seed + iteration, rows=len(train.y))
        evidence = harshly(look(model, guide, around, seed), PLANTED, model, guide, seed)
        profile = profile_of(evidence, guide.classes, iteration=iteration, previous=states)
        found = {weakness.id: weakness.state for weakness in profile.weaknesses}
        states |= found
        told.append(found.get(f"corruption:{PLANTED}", "not reported"))
    return told


def lives(pictures: Pictures, seeds: Iterable[int]) -> None:
    """Print the states over time, one row per seed."""
    print(f"| seed | never saw {PLANTED} | was shown it | was shown it | never saw it |")
    print("|---|---|---|---|---|")
    for seed in seeds:
        print(f"| {seed} | {' | '.join(life(pictures, seed))} |", flush=True)
