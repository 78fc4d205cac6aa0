"""Events leave after the commit, in order, and twice is as good as once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from activesynth.domain.effects import EffectKind
from activesynth.domain.records import Bundle, Event
from activesynth.errors import TransientError
from activesynth.operations.events import FileEventSink
from activesynth.steps.decide import send_events
from fakes import MemoryLineage, MemorySink, make_platform

EVENTS = tuple(Event(f"campaign/../{n}", "dataset_refreshed", {"n": n}) for n in range(3))


@pytest.fixture
def lineage() -> MemoryLineage:
    lineage = MemoryLineage()
    lineage.bundles.append(Bundle(events=EVENTS))
    return lineage


class Recorder:
    """Notes effects, and ends the process at one of them."""

    def __init__(self, stop_after: str | None = None) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self.stop_after = stop_after

    def before(self, kind: EffectKind, key: str) -> None:
        self.seen.append(("before", kind, key))

    def after(self, kind: EffectKind, key: str) -> None:
        self.seen.append(("after", kind, key))
        if key == self.stop_after:
            raise KeyboardInterrupt


def test_every_event_leaves_once_and_in_order(lineage: MemoryLineage) -> None:
    sink, effects = MemorySink(), Recorder()
    platform = make_platform(lineage=lineage, sink=sink, effects=effects)

    counts = send_events(platform), send_events(platform)

    assert counts == (3, 0)
    assert sink.delivered == list(EVENTS)
    assert effects.seen[:2] == [
        ("before", "outbox.send", EVENTS[0].key),
        ("after", "outbox.send", EVENTS[0].key),
    ]


def test_an_event_that_was_sent_but_not_marked_is_sent_again(
    lineage: MemoryLineage, tmp_path: Path
) -> None:
    sink = FileEventSink(tmp_path / "events")
    dying = make_platform(lineage=lineage, sink=sink, effects=Recorder(EVENTS[1].key))
    with pytest.raises(KeyboardInterrupt):
        send_events(dying)

    sent = send_events(make_platform(lineage=lineage, sink=sink))

    assert sent == 2
    assert len(list((tmp_path / "events").glob("*.json"))) == 3


def test_a_failed_send_keeps_later_events_waiting(lineage: MemoryLineage) -> None:
    class Refusing(MemorySink):
        def send(self, event: Event) -> None:
            if event == EVENTS[1]:
                raise TransientError("no answer")
            super().send(event)

    with pytest.raises(TransientError):
        send_events(make_platform(lineage=lineage, sink=Refusing()))

    assert lineage.pending_events() == list(EVENTS[1:])


class UnreliableSink(MemorySink):
    """Loses some events on the way, and of others that arrive the answer."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = Random(seed)

    def send(self, event: Event) -> None:
        fate = self._chance.choice(("lost", "answer lost", "taken"))
        if fate != "lost":
            super().send(event)
        if fate != "taken":
            raise TransientError("no answer")


@pytest.mark.parametrize("seed", range(10))
def test_events_that_are_dropped_or_doubled_all_arrive_in_order_and_equal(
    lineage: MemoryLineage, seed: int
) -> None:
    sink = UnreliableSink(seed)
    platform = make_platform(lineage=lineage, sink=sink)

    rounds = 0
    while lineage.pending_events() and rounds < 200:
        send_events(platform, is_hint=True)
        rounds += 1

    assert list(dict.fromkeys(event.key for event in sink.delivered)) == [e.key for e in EVENTS]
    assert all(event in EVENTS for event in sink.delivered)
    assert send_events(platform) == 0


def test_the_file_of_an_event_says_all_and_its_name_is_safe(tmp_path: Path) -> None:
    FileEventSink(tmp_path).send(EVENTS[2])

    (path,) = tmp_path.glob("*.json")
    assert path.name.removesuffix(".json").isalnum()
    assert json.loads(path.read_text()) == {
        "key": EVENTS[2].key,
        "kind": "dataset_refreshed",
        "payload": {"n": 2},
    }


DIES = """
import os, sys
from pathlib import Path
from activesynth.domain.records import Event
from activesynth.operations.events import FileEventSink
os.fsync = lambda _: os._exit(137)
FileEventSink(Path(sys.argv[1])).send(Event("key", "kind", {}))
"""


def test_a_kill_while_an_event_is_written_leaves_no_file_that_looks_like_one(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "events"

    died = subprocess.run([sys.executable, "-c", DIES, str(folder)], check=False)

    assert died.returncode == 137
    assert [path for path in folder.iterdir() if path.is_file()] == []
    FileEventSink(folder).send(Event("key", "kind", {}))
    (sent,) = [path for path in folder.iterdir() if path.is_file()]
    assert json.loads(sent.read_text())["key"] == "key"


def test_a_folder_that_cannot_be_written_is_transient(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(TransientError, match="stays in the outbox"):
        FileEventSink(tmp_path / "file" / "events").send(EVENTS[0])
