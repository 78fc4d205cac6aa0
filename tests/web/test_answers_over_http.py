"""5,000 answers through the real API of a server that is killed again and again under load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import create_engine, text

from activesynth.client.client import Client
from activesynth.client.questions import Question
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.effects import Unwatched
from activesynth.domain.records import IterationRecord, QueueItem
from activesynth.lineage.lineage import Lineage
from activesynth.storage.directory import DirectoryObjectStore
from cutting_relay import CUTS, CuttingRelay
from lineage_cases import CONFIG, make_root
from served_pages import PageServer
from simulated_annotators import (
    CAMPAIGN,
    PEOPLE,
    ByPosition,
    Person,
    Row,
    Told,
    faults,
    item_of,
    sample_of,
)

ITEMS, KILLS = 5000, 5
_EXPIRE = """
    UPDATE activesynth.annotation_claims SET claimed_until = now() - interval '1 second'
    WHERE item IN (SELECT item FROM activesynth.annotation_claims ORDER BY random() LIMIT 3
                   FOR UPDATE SKIP LOCKED)
"""
_ANSWERS = """
    SELECT item, item_version, label, annotator, sample FROM activesynth.annotations
    WHERE action <> 'undo' ORDER BY item, item_version
"""


def asked(lineage: Lineage, home: Path, count: int) -> IterationRecord:
    """Make a campaign whose iteration asks ``count`` questions; each person has labels for each."""
    classes = tuple(f"class {n}" for n in range(count * len(PEOPLE)))
    manifest = DatasetManifest(modality="image", classes=classes, parent=None, splits={})
    digest = DirectoryObjectStore(home / "objects", Unwatched()).put(manifest.encode())
    lineage.store.register_campaign(CAMPAIGN, CONFIG)
    lineage.store.commit_version(CAMPAIGN, make_root(digest), expected_head=None)
    opened = lineage.store.open_iteration(CAMPAIGN, "run-0", {})
    names = [item_of(n) for n in range(count)]
    lineage.queue.enqueue(
        opened.ref,
        [QueueItem(one, sample_of(one), "label", "s", n, None) for n, one in enumerate(names)],
    )
    return opened


@contextmanager
def people(server: PageServer, kind: type[Person] = Person) -> Iterator[list[Person]]:
    """Give everybody a client behind a relay of their own."""
    seen: list[Question] = []
    with ExitStack() as stack:
        made = []
        for number, who in enumerate(PEOPLE):
            relay = stack.enter_context(CuttingRelay(server.port))
            client = stack.enter_context(Client(relay.url, token=who, attempts=3, pause=0.05))
            made.append(kind(who, client, relay, Random(number), seen))
        yield made


def disturb(server: PageServer, url: str, work: list[Future[None]], kills: int) -> None:
    """While people work, let claims run out and kill the server ``kills`` times."""
    engine = create_engine(url)
    killed, count = 0, 0
    while not all(one.done() for one in work):
        with engine.begin() as connection:
            connection.execute(text(_EXPIRE))
            if killed < kills:
                counted = "SELECT count(*) FROM activesynth.annotations"
                count = connection.execute(text(counted)).scalar_one()
        if killed < kills and count > (killed + 1) * ITEMS // (kills + 1):
            server.kill()
            killed += 1
            server.start()
        time.sleep(0.2)
    engine.dispose()
    for one in work:
        one.result()


def on_record(url: str) -> tuple[list[Row], list[str], int]:
    """Return the answers, which sample each is about, and how many were taken back."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text(_ANSWERS)).all()
        undone = "SELECT count(*) FROM activesynth.annotations WHERE action = 'undo'"
        count = connection.execute(text(undone)).scalar_one()
    engine.dispose()
    return [Row(*row[:4]) for row in found], [row.sample for row in found], int(count)


def test_every_acknowledged_answer_is_there_once_though_the_server_is_killed_under_load(
    page_server: PageServer, lineage: Lineage, database_url: str, tmp_path: Path
) -> None:
    opened = asked(lineage, tmp_path, ITEMS)
    before = page_server.kills

    with (
        page_server.serving(database_url, tmp_path),
        people(page_server) as everybody,
        ThreadPoolExecutor(len(everybody)) as pool,
    ):
        work = [pool.submit(one.work) for one in everybody]
        disturb(page_server, database_url, work, KILLS)

    rows, samples, undone = on_record(database_url)
    told = [one.told for one in everybody]
    assert faults(rows, samples, told) == []
    assert len(set().union(*(one.saved for one in told))) >= ITEMS
    assert undone == sum(one.taken_back for one in told)
    assert len(lineage.queue.answers(opened.ref)) == ITEMS
    assert lineage.queue.progress(CAMPAIGN).open == 0
    assert page_server.kills - before == KILLS
    for one in everybody:
        assert all(one.relay.lost[cut] for cut in CUTS), one.relay.lost
        assert one.told.refused
        assert one.told.taken_back
        assert one.told.doubled
        assert one.told.reloads


@pytest.mark.parametrize("naive", ["server", "client"])
def test_the_comparison_finds_what_naive_ones_do(
    naive: str, page_server: PageServer, lineage: Lineage, database_url: str, tmp_path: Path
) -> None:
    asked(lineage, tmp_path, 200)
    settings = {"NAIVE": "1"} if naive == "server" else {}
    kind = ByPosition if naive == "client" else Person

    with (
        page_server.serving(database_url, tmp_path, **settings),
        people(page_server, kind) as everybody,
        ThreadPoolExecutor(len(everybody)) as pool,
    ):
        work = [pool.submit(one.work) for one in everybody]
        disturb(page_server, database_url, work, 0)

    rows, samples, _ = on_record(database_url)
    told: list[Told] = [one.told for one in everybody]
    found = faults(rows, samples, told)
    assert found
    wanted = "is about" if naive == "client" else "all were told that they answered"
    assert any(wanted in text for text in found)
