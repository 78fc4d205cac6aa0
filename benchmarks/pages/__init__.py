"""Pages and REST API: p95 of a campaign of 200 iterations, 100,000 samples in one, against ten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from sqlalchemy import create_engine, text

from activesynth.domain.effects import Unwatched
from activesynth.storage.directory import DirectoryObjectStore
from benchmarks.database import Place, temporary_database
from benchmarks.measure import Case
from benchmarks.pages.asking import Asking, p50_and_p95
from benchmarks.pages.rows import Places, Size, write_campaign
from benchmarks.pages.server import served

SMALL = Size(iterations=10, samples=10, questions=10, guide=10)
LARGE = Size(iterations=200, samples=100_000, questions=100_000, guide=20_000)
QUICK = Size(iterations=12, samples=300, questions=60, guide=40)
ROUNDS, QUICK_ROUNDS = 30, 2
PEOPLE = ("ada", "bob", "cleo", "dan")
ANSWERS, QUICK_ANSWERS = 100, 3
"""Of each person."""
API = "/api/v1/campaigns/{campaign}"
ADDRESSES = {
    "page campaigns": "/campaigns",
    "page campaign": "/campaigns/{campaign}",
    "page iteration": "/campaigns/{campaign}/iterations/{number}",
    "page run": "/runs/active_synthesis/{run}",
    "page sample": "/campaigns/{campaign}/samples/{sample}",
    "page version": "/campaigns/{campaign}/versions/{digest}",
    "page annotate": "/campaigns/{campaign}/annotate",
    "page weaknesses": "/campaigns/{campaign}/weaknesses",
    "page recall": "/campaigns/{campaign}/recall",
    "picture": "/campaigns/{campaign}/pictures/{sample}",
    "API campaigns": "/api/v1/campaigns",
    "API iterations": f"{API}/iterations",
    "API weaknesses": f"{API}/weaknesses",
    "API candidates": f"{API}/iterations/{{number}}/candidates",
    "API candidates, filtered": f"{API}/iterations/{{number}}/candidates"
    "?verdict=rejected&reason=label&weakness={weakness}&label=1",
    "API candidates, by a score that none has": f"{API}/iterations/{{number}}/candidates"
    "?score=entropy&least=1000000",
    "API predictions": f"{API}/iterations/{{number}}/predictions",
    "API campaign": API,
    "API plan": f"{API}/plan",
    "API cost of a plan": f"{API}/plan/cost",
    "API sample": f"{API}/samples/{{sample}}",
    "API members": f"{API}/versions/{{digest}}/members",
    "API declarations": f"{API}/declarations",
    "API reach": f"{API}/reach?iteration={{number}}",
}
"""What is asked by GET; ``tests/benchmarks`` holds this to the routes of the application."""


def measure(*, quick: bool) -> list[Case]:
    """Ask for every page of a small and a large campaign in turns, then let four people answer.

    Each campaign has a database and a server of its own, so that what lists all campaigns is small
    in one of them too.
    """
    rounds, answers = (QUICK_ROUNDS, QUICK_ANSWERS) if quick else (ROUNDS, ANSWERS)
    with ExitStack() as stack:
        sites = []
        for size in (SMALL, QUICK if quick else LARGE):
            place = stack.enter_context(temporary_database())
            places = fill(place, size)
            sites.append((stack.enter_context(served(place)), places))
        return [*_pages(sites, rounds), *_desks(*sites[1], answers)]


def fill(place: Place, size: Size) -> Places:
    """Write a campaign into an empty database, which knows its tables afterwards."""
    objects = DirectoryObjectStore(place.folder / "objects", Unwatched())
    engine = create_engine(place.url)
    with engine.begin() as connection:
        found = write_campaign(connection, objects, "pages", size)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    return found


def _pages(sites: Sequence[tuple[int, Places]], rounds: int) -> Iterator[Case]:
    asking = [Asking(port, "ada") for port, _ in sites]
    for one in asking:
        one.get("/campaigns")  # opens the platform
    for name, address in ADDRESSES.items():
        paths = [address.format(**_named(places)) for _, places in sites]
        first = [one.get(path) for one, path in zip(asking, paths, strict=True)]
        seconds: list[list[float]] = [[], []]
        for _ in range(rounds):
            for n, (one, path) in enumerate(zip(asking, paths, strict=True)):
                seconds[n].append(one.get(path)[0])
        (small, small_p95), (large, large_p95) = map(p50_and_p95, seconds)
        told = [f"first {taken:.3f}; {len(body) / 1024:.0f} KiB" for taken, body in first]
        yield Case(f"{name}, ten", small_p95, None, f"p50 {small:.3f}, {told[0]}")
        more = f"**{large_p95 / small_p95:.2f} times**; p50 {large:.3f}, {told[1]}"
        yield Case(f"{name}, large", large_p95, None, more)
    for one in asking:
        one.close()


def _named(places: Places) -> dict[str, object]:
    return {name: getattr(places, name) for name in places.__slots__}


def _desks(port: int, places: Places, answers: int) -> Iterator[Case]:
    """Let four people ask for the next item and answer it, all at once."""
    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        turns = [pool.submit(_desk, port, places.campaign, who, answers) for who in PEOPLE]
        taken = [pair for turn in turns for pair in turn.result()]
    for place, name in enumerate(("next item", "answer")):
        p50, p95 = p50_and_p95([pair[place] for pair in taken])
        yield Case(f"{name}, {len(PEOPLE)} at once", p95, None, f"p50 {p50:.3f}; n = {len(taken)}")


def _desk(port: int, campaign: str, who: str, answers: int) -> list[tuple[float, float]]:
    queue = f"/api/v1/campaigns/{campaign}/queue"
    asking = Asking(port, who)
    taken = []
    for _ in range(answers):
        waited, handed = asking.post(f"{queue}/next", {"limit": 8})
        item = handed["items"][0]
        said = {"item": item["id"], "sample": item["sample"], "version": item["version"]}
        answer = {**said, "action": "relabel", "label": 3}
        taken.append((waited, asking.post(f"{queue}/answers", answer)[0]))
    asking.close()
    return taken
