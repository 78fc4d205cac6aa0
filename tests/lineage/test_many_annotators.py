"""5,000 answers by four people who press twice, take back, collide and lose the line."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import create_engine, text

from activesynth.domain.effects import Unwatched
from activesynth.domain.records import Annotation, QueueItem
from activesynth.errors import ConflictError, TransientError
from activesynth.lineage.lineage import Lineage, open_lineage
from lineage_cases import make_campaign
from platform_fixtures import PostgresServer
from postgres_proxy import LossyProxy

ITEMS = 4700
PEOPLE = ("ada", "bob", "cleo", "dan")
TWICE, BACK, LOST, INTRUDES = 0.15, 0.08, 0.03, 0.1
"""How often a person presses twice, takes back, loses the line, and answers what another has."""


@dataclass
class Desk:
    """One person with a connection of their own, through a proxy that can lose answers."""

    who: str
    lineage: Lineage
    proxy: LossyProxy
    chance: Random
    seen: list[QueueItem]
    """What anybody was handed, shared by all."""
    acknowledged: set[tuple[str, int, int, str]] = field(default_factory=set)
    refused: int = 0
    taken_back: int = 0
    again: int = 0

    def work(self) -> None:
        while items := self.lineage.queue.next_items("digits", self.who, 5):
            self.seen.extend(items)
            for item in items:
                if self.chance.random() < INTRUDES:
                    self.press(self.chance.choice(self.seen))
                if self.press(item) and self.chance.random() < BACK:
                    self.take_back(item)

    def press(self, item: QueueItem) -> bool:
        """Answer, and again until it is acknowledged or refused; tell whether it was taken."""
        answer = Annotation(
            item.id, item.sample, "relabel", label_of(item.id), self.who, item.version
        )
        if self.chance.random() < LOST:
            self.proxy.arm()
        for _ in range(1 + (self.chance.random() < TWICE)):
            if not self.send(answer):
                return False
        self.acknowledged.add((item.id, item.version, label_of(item.id), self.who))
        return True

    def send(self, answer: Annotation) -> bool:
        while True:
            try:
                self.lineage.queue.answer(answer)
            except TransientError:
                self.again += 1
            except ConflictError:
                self.refused += 1
                return False
            else:
                return True

    def take_back(self, item: QueueItem) -> None:
        try:
            self.lineage.queue.undo(item.id, self.who)
            self.taken_back += 1
        except ConflictError:
            self.refused += 1


def label_of(item: str) -> int:
    """Return the label that is right for this item alone, among its neighbours."""
    return int(item.split("-")[1]) * 7919 % 100_003


@pytest.fixture
def desks(
    lineage: Lineage, database_url: str, postgres_server: PostgresServer
) -> Iterator[list[Desk]]:
    seen: list[QueueItem] = []
    with ExitStack() as stack:
        made = []
        for number, who in enumerate(PEOPLE):
            folder = Path(tempfile.mkdtemp(prefix="asy-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            proxy = stack.enter_context(LossyProxy(postgres_server.sockets, folder))
            url = database_url.replace(str(postgres_server.sockets), str(folder))
            own = stack.enter_context(closing(open_lineage(url, Unwatched())))
            made.append(Desk(who, own, proxy, Random(number), seen))
        yield made


def test_every_acknowledged_answer_is_there_once_and_none_went_to_another_item(
    lineage: Lineage, desks: list[Desk], database_url: str
) -> None:
    make_campaign(lineage.store)
    opened = lineage.store.open_iteration("digits", "run-0", {})
    lineage.queue.enqueue(
        opened.ref,
        [QueueItem(f"item-{n}", f"sample-{n}", "label", "shard", n, None) for n in range(ITEMS)],
    )

    with ThreadPoolExecutor(len(desks)) as pool:
        list(pool.map(Desk.work, desks))

    engine = create_engine(database_url)
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT * FROM activesynth.annotations")).all()
        claims = connection.execute(text("SELECT * FROM activesynth.annotation_claims")).all()
    engine.dispose()
    answers = [row for row in kept if row.action != "undo"]
    written = [(row.item, row.item_version, row.label, row.annotator) for row in answers]
    acknowledged = set().union(*(desk.acknowledged for desk in desks))
    assert len(acknowledged) >= 5000
    assert sum(len(desk.acknowledged) for desk in desks) == len(acknowledged)
    assert len(written) == len(acknowledged)
    assert set(written) == acknowledged
    assert all(row.label == label_of(row.item) for row in answers)
    assert all(row.sample == row.item.replace("item", "sample") for row in answers)
    assert len(kept) - len(answers) == sum(desk.taken_back for desk in desks)
    assert len(lineage.queue.answers(opened.ref)) == ITEMS
    assert claims == []
    done = lineage.queue.progress("digits")
    assert (done.open, done.answered) == (0, ITEMS)
    assert all(desk.refused and desk.taken_back and desk.again for desk in desks)
    assert sum(desk.proxy.lost for desk in desks) > 50
