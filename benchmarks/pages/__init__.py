"""Pages and REST API: p95 of a campaign of 200 iterations, 100,000 samples in one, against ten."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

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
    "API sample": f"{API}/samples/{{sample}}",
    "API members": f"{API}/versions/{{digest}}/members",
    "API declarations": f"{API}/declarations",
    "API reach": f"{API}/reach?iteration={{number}}",
}
"""What is asked by GET; ``tests/benchmarks`` holds this to the routes of the application."""


def measure(*, quick: bool) -> list[Case]:
    """Ask for every page of a small and a large campaign in turns, then let four people answer."""
    large = QUICK if quick else LARGE
    with temporary_database() as place:
        small_places, large_places = fill(place, small=SMALL, large=large)
        with served(place) as port:
            cases = list(_pages(port, small_places, large_places, QUICK_ROUNDS if quick else ROUNDS))
            return [*cases, *_desks(port, large_places, QUICK_ANSWERS if quick else ANSWERS)]


def fill(place: Place, *, small: Size, large: Size) -> tuple[Places, Places]:
    """Write both campaigns into an empty database, which knows its tables afterwards."""
    objects = DirectoryObjectStore(place.folder / "objects", Unwatched())
    engine = create_engine(place.url)
    with engine.begin() as connection:
        found = (
            write_campaign(connection, objects, "small", small),
            write_campaign(connection, objects, "large", large),
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    engine.dispose()
    return found


def _pages(port: int, small: Places, large: Places, rounds: int) -> Iterator[Case]:
    asking = Asking(port, "ada")
    asking.get("/campaigns")  # opens the platform
    for name, address in ADDRESSES.items():
        paths = [address.format(**_named(places)) for places in (small, large)]
        first = [asking.get(path)[0] for path in paths]
        seconds: list[list[float]] = [[], []]
        sizes = [0, 0]
        for _ in range(rounds):
            for n, path in enumerate(paths):
                taken, body = asking.get(path)
                seconds[n].append(taken)
                sizes[n] = len(body)
        (_, p95), (p50_large, p95_large) = map(p50_and_p95, seconds)
        yield Case(f"{name}, ten", p95, None, f"first {first[0]:.3f}; {sizes[0] / 1024:.0f} KiB")
        yield Case(
            f"{name}, large",
            p95_large,
            None,
            f"**{p95_large / p95:.2f} times**; p50 {p50_large:.3f}, first {first[1]:.3f}; "
            f"{sizes[1] / 1024:.0f} KiB",
        )
    asking.close()


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
