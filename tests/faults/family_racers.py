"""Eight processes that commit to one campaign as fast as they can."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from activesynth.domain.records import Bundle, MemberRow, VersionRow
from activesynth.errors import ConflictError, TransientError
from forked import Child
from lineage_cases import ROOT, make_campaign, make_commit, make_real, make_step
from looking import rows
from toy_tasks import Interruption, Reference, World
from verdicts import Verdict

RACERS = 8
COMMITS = 60
TRIES = 20 * COMMITS
"""Of one racer: where each moves the head back that another moved on, a race has no end."""
Race = Callable[[Any, int], dict[str, Any]]


class Racers:
    """Case 0 races for dataset versions, case 1 for iterations; one verdict is a commit."""

    name = "racers"

    def case(self, number: int, world: World, references: dict[int, Reference]) -> list[Verdict]:
        """Let the racers run and check that history is one line of acknowledged commits."""
        world.fresh()
        race = (_race_for_versions, _race_for_iterations)[number % 2]
        _in_platform(world, _prepare, "prepared").wait()
        start = time.time() + 0.5

        def racer(index: int) -> Callable[[Any], Any]:
            def run(store: Any) -> Any:
                time.sleep(max(0.0, start - time.time()))
                return race(store, index)

            return run

        children = [_in_platform(world, racer(n), f"racer_{n}") for n in range(RACERS)]
        for child in children:
            child.wait()
        try:
            outcomes = [child.value for child in children]
        except RuntimeError as error:
            return [Verdict(self.name, number, str(error))] * COMMITS
        check = (_check_versions, _check_iterations)[number % 2]
        problems = check(world.url, outcomes)
        refused = sum(outcome["refused"] for outcome in outcomes)
        note = f"{refused} clear refusals"
        return [Verdict(self.name, number, problems.get(n, ""), note) for n in range(COMMITS)]


def _in_platform(world: World, work: Callable[[Any], Any], name: str) -> Child:
    def run() -> Any:
        with world.opener(world.url, world.folder, Interruption()) as platform:
            return work(platform.lineage)

    return Child(run, world.folder / f"{name}.json")


def _prepare(store: Any) -> None:
    make_campaign(store)


def _version(parent: str, owner: int) -> Bundle:
    """Return the next version; racers 2n and 2n + 1 propose the same one."""
    number = 0 if parent == ROOT else int(parent.split("-")[1])
    digest = f"version-{number + 1}-{owner // 2}"
    samples = tuple(make_real(f"{digest}-{row}", row) for row in range(3))
    return Bundle(
        version=VersionRow(digest, parent, "refresh", {"train": 3}),
        samples=samples,
        members=tuple(MemberRow(digest, sample.id, "train", 1.0) for sample in samples),
    )


def _race_for_versions(store: Any, index: int) -> dict[str, Any]:
    written: list[str] = []
    refused = 0
    for _ in range(TRIES):
        head = store.campaign("digits").head
        if head != ROOT and int(head.split("-")[1]) >= COMMITS:
            break
        bundle = _version(head, index)
        try:
            if store.commit_version("digits", bundle, expected_head=head):
                written.append(bundle.version.digest)  # type: ignore[union-attr]
        except ConflictError as error:
            if "somebody else" not in str(error):
                raise
            refused += 1
        except TransientError:
            refused += 1
    return {"written": written, "refused": refused}


def _race_for_iterations(store: Any, index: int) -> dict[str, Any]:
    written: list[str] = []
    refused = 0
    while store.campaign("digits").iterations < COMMITS:
        run_key = f"run-{index}-{len(written)}"
        try:
            opened = store.open_iteration("digits", run_key, {})
        except ConflictError as error:
            if "holds iteration" not in str(error):
                raise
            refused += 1
            time.sleep(0.01)
            continue
        if opened.ref.number >= COMMITS:
            store.fail_iteration(opened.ref, "the race is over")
            break
        store.record_step(opened.ref, make_step())
        if store.commit_iteration(make_commit(opened)):
            written.append(run_key)
    return {"written": written, "refused": refused}


def _check_versions(url: str, outcomes: list[dict[str, Any]]) -> dict[int, str]:
    acknowledged = Counter(digest for outcome in outcomes for digest in outcome["written"])
    found = rows(url, "select digest, parent from activesynth.dataset_versions")
    parents = dict(found)
    members = Counter(m for (m,) in rows(url, "select manifest from activesynth.dataset_members"))
    ((head,),) = rows(url, "select head from activesynth.campaigns")
    line: list[str] = []
    while head in parents and head != ROOT and len(line) <= COMMITS:
        line.append(head)
        head = parents[head]
    problems: dict[int, str] = {}
    if head != ROOT or len(line) != COMMITS or len(found) != COMMITS + 1:
        everything = f"{len(found) - 1} versions, {len(line)} of them in the line of the head"
        return dict.fromkeys(range(COMMITS), everything)
    for number, digest in enumerate(reversed(line)):
        if acknowledged[digest] != 1:
            problems[number] = f"{digest} was acknowledged {acknowledged[digest]} times"
        if members[digest] != 3:
            problems[number] = f"{digest} has {members[digest]} of 3 members"
    if set(acknowledged) != set(line):
        problems[0] = f"acknowledged and not there: {sorted(set(acknowledged) - set(line))}"
    return problems


def _check_iterations(url: str, outcomes: list[dict[str, Any]]) -> dict[int, str]:
    acknowledged = Counter(key for outcome in outcomes for key in outcome["written"])
    found = dict(
        rows(
            url,
            "select number, run_key from activesynth.iterations where state = 'committed'",
        )
    )
    events = Counter(key for (key,) in rows(url, "select key from activesynth.outbox"))
    members = Counter(m for (m,) in rows(url, "select manifest from activesynth.dataset_members"))
    problems: dict[int, str] = {}
    for number in range(COMMITS):
        key = found.get(number)
        if key is None or acknowledged[key] != 1:
            problems[number] = f"iteration {number} of {key}: {acknowledged[str(key)]} times"
        if events[f"digits:{number}"] != 1 or members[f"manifest-{number}"] != 2:
            problems[number] = f"iteration {number} is there in parts"
    if len(found) != COMMITS or sum(acknowledged.values()) != COMMITS:
        problems[0] = f"{len(found)} commits, {sum(acknowledged.values())} acknowledged"
    return problems
