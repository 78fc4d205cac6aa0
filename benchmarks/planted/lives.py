"""A weakness over four models: found, healed, back again."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.planted.data import CORRUPTIONS, Pictures, fitted, rows_of, split, with_copies
from benchmarks.planted.looking import look, profile_of, surroundings

PLANTED = "blur"


def life(pictures: Pictures, seed: int) -> list[str]:
    """Return the state of the planted weakness after each of four diagnoses.

    A model that was taught one corruption with wrong labels, then one that was taught all of them
    rightly, twice, and then the first kind again. The halves of guide take turns, as in the loop.
    """
    parts = split(pictures, seed)
    train, guide = rows_of(pictures, parts.train), rows_of(pictures, parts.guide)
    around = surroundings(train.x, train.x[:0], guide.x, seed)
    states: dict[str, str] = {}
    told = []
    for iteration, misled in enumerate((PLANTED, "", "", PLANTED)):
        shown = with_copies(train, CORRUPTIONS, seed, misled=misled)
        model = fitted(shown, seed + iteration, rows=len(train.y))
        evidence = look(model, guide, around, seed)
        profile = profile_of(evidence, guide.classes, iteration=iteration, previous=states)
        found = {weakness.id: weakness.state for weakness in profile.weaknesses}
        states |= found
        told.append(found.get(f"corruption:{PLANTED}", "not reported"))
    return told


def lives(pictures: Pictures, seeds: Iterable[int]) -> None:
    """Print the states over time, one row per seed."""
    print(f"| seed | misled about {PLANTED} | taught it | taught it, again | misled again |")
    print("|---|---|---|---|---|")
    for seed in seeds:
        print(f"| {seed} | {' | '.join(life(pictures, seed))} |", flush=True)
