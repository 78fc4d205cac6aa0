"""Is what was planted the first weakness of the profile?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import eq

import numpy as np

from activesynth.diagnosis.evidence import Evidence
from activesynth.domain.canonical import Array
from activesynth.domain.documents import WeaknessProfile
from activesynth.statistics.intervals import wilson
from benchmarks.planted.data import (
    CORRUPTIONS,
    Halves,
    Pictures,
    fitted,
    rows_of,
    split,
)
from benchmarks.planted.looking import Surroundings, harshly, look, profile_of, surroundings
from benchmarks.planted.looks import ATTRIBUTE, negatives, planted_site, sites, upside_down

KINDS = (*CORRUPTIONS, "rare cluster", "attribute group", "wrong labels")
WRONG_SHARE = 0.3
RARE_SHARE, RARE_IN_TRAIN = 0.08, 4
PURE = 0.8


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed: was it first, was it there at all, and what was first."""

    is_first: bool
    is_there: bool
    first: str


def searches(pictures: Pictures, kinds: Sequence[str], seeds: Iterable[int]) -> None:
    """Print, per kind of planted weakness, in how many seeds it was found first."""
    outcomes: dict[str, list[Outcome]] = {kind: [] for kind in kinds}
    for seed in seeds:
        for kind, outcome in search(pictures, kinds, seed):
            outcomes[kind].append(outcome)
            print(f"seed {seed}: {kind}: first is {outcome.first}", file=sys.stderr, flush=True)
    print("| planted | found first | 95 % interval | found at all | first instead |")
    print("|---|---|---|---|---|")
    for kind, found in outcomes.items():
        first, there = sum(one.is_first for one in found), sum(one.is_there for one in found)
        share = wilson(first, len(found))
        others = sorted({one.first for one in found if not one.is_first})
        print(
            f"| {kind} | {first} of {len(found)} | {share.low:.2f} to {share.high:.2f} | "
            f"{there} of {len(found)} | {', '.join(others)} |",
            flush=True,
        )


def search(pictures: Pictures, kinds: Sequence[str], seed: int) -> Iterator[tuple[str, Outcome]]:
    """Plant every kind in turn, in the split of one seed."""
    parts = split(pictures, seed)
    train, guide = rows_of(pictures, parts.train), rows_of(pictures, parts.guide)
    around = surroundings(train.x, train.x[:0], guide.x, seed)
    corruptions = [kind for kind in kinds if kind in CORRUPTIONS]
    if corruptions:
        model = fitted(train, seed, rows=len(train.y))
        mild = look(model, guide, around, seed)
        for name in corruptions:
            profile = profile_of(harshly(mild, name, model, guide, seed), guide.classes)
            yield name, _outcome(profile, partial(eq, f"corruption:{name}"))
    if "rare cluster" in kinds:
        yield "rare cluster", _rare_cluster(pictures, parts, seed)
    if "attribute group" in kinds:
        yield "attribute group", _attribute_group(pictures, parts, seed)
    if "wrong labels" in kinds:
        yield "wrong labels", _wrong_labels(pictures, parts, around, seed)


def _rare_cluster(pictures: Pictures, parts: Halves, seed: int) -> Outcome:
    """Make some pictures negatives: a look of its own that the labelled rows hardly hold.

    Of train, the planted rows beyond ``RARE_IN_TRAIN`` lose their label and make the pool, so the
    codebook knows their look and the model does not. Right is a first weakness that is a cluster
    whose guide rows are planted ones by ``PURE`` or more.
    """
    planted = np.random.default_rng([seed, 2]).random(len(pictures.y)) < RARE_SHARE
    changed = negatives(pictures, planted)
    evidence = _hardly_seen(changed, parts, planted, seed)
    profile = profile_of(evidence, changed.classes)

    def is_planted(weakness: str) -> bool:
        kind, _, key = weakness.partition(":")
        members: Array = evidence.clusters == (int(key) if kind == "cluster" else -1)
        return bool(members.any() and planted[parts.guide][members].mean() >= PURE)

    return _outcome(profile, is_planted)


def _attribute_group(pictures: Pictures, parts: Halves, seed: int) -> Outcome:
    """Turn the pictures of one of four sites upside down; of these the labelled rows hold few.

    Right is a first weakness that is this site as such, and neither a part of it nor a cluster.
    """
    site, planted = sites(len(pictures.y), seed)
    changed = upside_down(pictures, planted)
    evidence = _hardly_seen(changed, parts, planted, seed)
    known = replace(evidence, attributes={ATTRIBUTE: site[parts.guide]})
    profile = profile_of(known, changed.classes)
    return _outcome(profile, partial(eq, f"slice:{ATTRIBUTE}={planted_site(seed)}"))


def _hardly_seen(changed: Pictures, parts: Halves, planted: Array, seed: int) -> Evidence:
    """Look at guide through a model that saw only ``RARE_IN_TRAIN`` of the planted rows."""
    rare = parts.train[planted[parts.train]]
    labelled = np.union1d(parts.train[~planted[parts.train]], rare[:RARE_IN_TRAIN])
    train, guide = rows_of(changed, labelled), rows_of(changed, parts.guide)
    around = surroundings(train.x, changed.x[rare[RARE_IN_TRAIN:]], guide.x, seed)
    return look(fitted(train, seed, rows=len(train.y)), guide, around, seed)


def _wrong_labels(pictures: Pictures, parts: Halves, around: Surroundings, seed: int) -> Outcome:
    """Give rows of other classes the label of one, until 30 % of its rows are wrong, everywhere."""
    rng = np.random.default_rng([seed, 3])
    label = seed % len(pictures.classes)
    true = int((pictures.y == label).sum())
    others = np.flatnonzero(pictures.y != label)
    count = round(true * WRONG_SHARE / (1.0 - WRONG_SHARE))
    y = pictures.y.copy()
    y[rng.choice(others, count, replace=False)] = label
    changed = replace(pictures, y=y)
    train, guide = rows_of(changed, parts.train), rows_of(changed, parts.guide)
    model = fitted(train, seed, rows=len(train.y))
    profile = profile_of(look(model, guide, around, seed), guide.classes)
    return _outcome(profile, partial(eq, f"class:{label}"))


def _outcome(profile: WeaknessProfile, is_planted: Callable[[str], bool]) -> Outcome:
    names = [weakness.id for weakness in profile.weaknesses]
    first = names[0] if names else "nothing"
    return Outcome(bool(names) and is_planted(first), any(map(is_planted, names)), first)
