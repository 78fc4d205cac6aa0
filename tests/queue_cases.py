"""An open iteration, questions of its queue, answers, and looks into the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from activesynth.domain.records import Annotation, IterationRecord, QueueItem
from activesynth.lineage.lineage import Lineage
from lineage_cases import make_campaign


@pytest.fixture
def opened(lineage: Lineage) -> IterationRecord:
    make_campaign(lineage.store)
    return lineage.store.open_iteration("digits", "run-0", {})


def make_items(count: int, *, second: bool = False) -> list[QueueItem]:
    return [
        QueueItem(f"item-{n:04d}", f"sample-{n}", "label", "shard", n, None, second=second)
        for n in range(count)
    ]


def answer_to(item: QueueItem, who: str, label: int = 3) -> Annotation:
    return Annotation(item.id, item.sample, "relabel", label, who, item.version)


def ids(items: Sequence[QueueItem]) -> list[int]:
    return [int(item.id[-4:]) for item in items]


def change(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found
