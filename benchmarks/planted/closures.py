"""Does the loop close what was planted, within two iterations?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import Weakness, WeaknessProfile
from activesynth.domain.platform import Platform
from activesynth.operations.ingest import ingest
from activesynth.statistics.intervals import wilson
from activesynth.statistics.means import grouped_mean
from activesynth.steps.begin import begin
from activesynth.steps.diagnose import diagnose
from activesynth.steps.embed import embed
from activesynth.steps.loop import iterate
from activesynth.steps.train import train
from activesynth.steps.turn import Turn, open_turn
from benchmarks.database import temporary_platform
from benchmarks.planted.data import Pictures
from benchmarks.planted.search import PURE
from benchmarks.planted.worlds import (
    BLIND,
    Sections,
    World,
    campaign_on,
    clustered,
    corrupted,
    grouped,
    mislabelled,
)

TURNS = 2
"""Iterations between the first diagnosis and the last."""

Plant = Callable[[Pictures, int], World]
TARGETS: tuple[Plant, ...] = (corrupted, mislabelled)
CONTROLLED: tuple[Plant, ...] = (clustered, grouped)
"""Plantings whose closure is told beside that of the control."""


@dataclass(frozen=True, slots=True)
class Course:
    """What became of one planted weakness.

    ``first`` is the first weakness of iteration 0 and ``followed`` the first that is what was
    planted, "" where there is none. ``states`` and ``gaps`` are those of its reports, one for each
    diagnosis until it is closed, and ``promoted`` counts the datasets that the gate let through.
    ``again`` is the state after it was planted anew, "" where that was not tried.
    """

    first: str
    followed: str
    states: tuple[str, ...]
    gaps: tuple[float, ...]
    promoted: int
    again: str = ""

    @property
    def is_first(self) -> bool:
        """Tell whether the planted weakness was the first one found."""
        return self.first == self.followed

    @property
    def is_closed(self) -> bool:
        """Tell whether it was closed at the last diagnosis or before."""
        return self.states[-1:] == ("closed",)


def closures(pictures: Pictures, seeds: Iterable[int]) -> None:
    """Print, per planting and strategy, how often it was found first, closed, and what was left.

    One line per course goes to standard error at once, so that a run that was cut short is not
    lost.
    """
    numbers = list(seeds)
    courses: dict[tuple[str, str], list[Course]] = {}
    with temporary_platform() as (platform, folder):
        for plant, strategy, seed in _cells(numbers):
            world = plant(pictures, seed)
            course = follow(world, strategy, seed, platform, folder)
            courses.setdefault((world.kind, strategy), []).append(course)
            print(f"seed {seed}: {world.kind}, {strategy}: {course}", file=sys.stderr, flush=True)
    print("| planted | strategy | found first | closed | 95 % | gap first | gap last | promoted |")
    print("|---|---|---|---|---|---|---|---|")
    for (kind, strategy), row in courses.items():
        print(_line(kind, strategy, row))
    for kind in dict.fromkeys(kind for kind, strategy in courses if strategy == "random"):
        print("\n" + _against_random(kind, courses[kind, "targeted"], courses[kind, "random"]))
    again = [course.again for row in courses.values() for course in row if course.again]
    print(f"\nPlanted again once closed: {again.count('regressed')} of {len(again)} regressed.")


def _cells(seeds: Sequence[int]) -> Iterable[tuple[Plant, str, int]]:
    """Yield what has a target first."""
    yield from ((plant, "targeted", seed) for seed in seeds for plant in TARGETS)
    for seed in seeds:
        for plant in CONTROLLED:
            yield from ((plant, strategy, seed) for strategy in ("targeted", "random"))


def _line(kind: str, strategy: str, courses: Sequence[Course]) -> str:
    n = len(courses)
    count = sum(course.is_closed for course in courses)
    closed = wilson(count, n)
    gaps = [course.gaps for course in courses if course.gaps]
    first, last = (np.mean([gap[k] for gap in gaps]) if gaps else np.nan for k in (0, -1))
    return (
        f"| {kind} | {strategy} | {sum(course.is_first for course in courses)} of {n} | "
        f"{count} of {n} | {closed.low:.2f} to {closed.high:.2f} | {first:.3f} | {last:.3f} | "
        f"{sum(course.promoted for course in courses)} of {sum(map(_turns, courses))} |"
    )


def _against_random(kind: str, targeted: Sequence[Course], random: Sequence[Course]) -> str:
    """Say by how much more the targeted courses narrowed the gap, where both were followed."""
    pairs = zip(targeted, random, strict=True)
    less = [theirs.gaps[-1] - ours.gaps[-1] for ours, theirs in pairs if ours.gaps and theirs.gaps]
    if len(less) < 2:
        return f"{kind}: too few courses to compare with random."
    found = grouped_mean(np.array(less), np.arange(len(less)))
    return (
        f"{kind}: the last gap is {found.value:.3f} [{found.low:.3f}, {found.high:.3f}] smaller "
        f"than by random, over {len(less)} seeds."
    )


def _turns(course: Course) -> int:
    """Return how many datasets came before the gate."""
    return max(0, len(course.states) - 1) + 2 * bool(course.again)


def follow(
    world: World,
    strategy: str,
    seed: int,
    platform: Platform,
    folder: Path,
    *,
    turns: int = TURNS,
) -> Course:
    """Run the loop on a world until what was planted is closed, for ``turns`` at most.

    The steps are those of any run, and the last iteration is left once it has diagnosed: what it
    would make has no diagnosis any more. What was closed is planted again where the world says how:
    by one more iteration under its settings.
    """
    name = f"{world.kind.replace(' ', '-')}-{strategy}-{seed}"
    more: Sections = BLIND if strategy == "random" else {}
    ingest(campaign_on(world, name, seed, folder, more), platform)
    reports: list[Weakness] = []
    first, followed = "nothing", ""
    for number in range(turns + 1):
        turn, profile = _diagnosed(name, platform)
        if number == 0:
            first, followed = _found(world, turn, profile)
        reports += [weakness for weakness in profile.weaknesses if weakness.id == followed]
        if not reports or reports[-1].state == "closed" or number == turns:
            break
        iterate(str(turn.ref), platform)
    again = ""
    if world.again and reports and reports[-1].state == "closed":
        iterate(str(turn.ref), platform)
        ingest(campaign_on(world, name, seed, folder, world.again), platform)
        turn, _ = _diagnosed(name, platform)
        iterate(str(turn.ref), platform)
        _, profile = _diagnosed(name, platform)
        states: list[str] = [
            weakness.state for weakness in profile.weaknesses if weakness.id == followed
        ]
        again = (states or ["not reported"])[0]
    return Course(
        first,
        followed,
        tuple(report.state for report in reports),
        tuple(report.gap for report in reports),
        sum(row["decision"] == "promoted" for row in platform.reader.iterations(name)),
        again,
    )


def _diagnosed(campaign: str, platform: Platform) -> tuple[Turn, WeaknessProfile]:
    """Begin the campaign's next iteration and run it as far as its profile."""
    number = platform.lineage.campaign(campaign).iterations
    iteration = begin(f"{campaign}__it{number}", {"campaign": campaign}, platform)
    train(iteration, platform)
    embed(iteration, platform)
    profile = diagnose(iteration, platform).artifacts["profile"]
    turn = open_turn(iteration, platform)
    return turn, turn.artifacts.document(profile, WeaknessProfile)


def _found(world: World, turn: Turn, profile: WeaknessProfile) -> tuple[str, str]:
    """Return the first weakness, and the first that is what was planted, by id."""
    names = [weakness.id for weakness in profile.weaknesses]
    right = {world.weakness} if world.weakness else _clusters(world, turn)
    return (names or ["nothing"])[0], next((name for name in names if name in right), "")


def _clusters(world: World, turn: Turn) -> set[str]:
    """Return the clusters whose guide rows are planted ones by ``PURE`` or more."""
    guide = load_split(turn.platform.objects, turn.manifest, "guide")
    clusters = turn.artifacts.arrays(turn.step("embed").artifacts["guide"])["clusters"]
    is_planted = np.isin(guide.ids, sorted(world.planted))
    return {
        f"cluster:{cluster}"
        for cluster in np.unique(clusters).tolist()
        if is_planted[clusters == cluster].mean() >= PURE
    }
