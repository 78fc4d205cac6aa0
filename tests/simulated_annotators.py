"""People at the annotation API who press twice, collide, reload, take back and lose the line."""

from __future__ import annotations

import http.client
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple, TypeVar

from activesynth.client.client import Client
from activesynth.client.questions import Answer, Question
from activesynth.errors import ConflictError, TransientError
from cutting_relay import CUTS, CuttingRelay

CAMPAIGN = "digits"
TWICE, LATE, BACK, LOST, INTRUDES, RELOADS, LEAVES = 0.06, 0.04, 0.05, 0.03, 0.06, 0.03, 0.01
"""How often a person presses twice at once, or once more later; takes back; loses the line;
answers what another has; reloads the page while it saves; and leaves it then for good."""
PEOPLE = ("ada", "bob", "cleo", "dan")


Heard = TypeVar("Heard")


class Row(NamedTuple):
    """An answer: what a person said of one version of an item."""

    item: str
    version: int
    label: int
    who: str


@dataclass
class Told:
    """What the API told one person about each answer they sent."""

    saved: set[Row] = field(default_factory=set)
    refused: set[Row] = field(default_factory=set)
    unheard: set[Row] = field(default_factory=set)
    """Sent, and left before anything came back."""
    taken_back: int = 0
    doubled: int = 0
    reloads: int = 0
    contradictions: list[str] = field(default_factory=list)


@dataclass
class Person:
    """One person: asks for items, answers them, and repeats what was lost, as the page does."""

    who: str
    client: Client
    relay: CuttingRelay
    chance: Random
    seen: list[Question]
    """What anybody was handed, shared by all."""
    told: Told = field(default_factory=Told)

    def work(self) -> None:
        with ThreadPoolExecutor(2) as fingers:
            while True:
                handed = self._surely(lambda: self.client.next(CAMPAIGN, 8))
                if not handed.items and not handed.progress.open:
                    return
                self.seen.extend(handed.items)
                for question in handed.items:
                    if not self._look_at(question, fingers):
                        break  # reloaded: what is on the screen is what `next` gives
                if not handed.items:
                    time.sleep(0.05)  # the rest is with others

    def _look_at(self, question: Question, fingers: ThreadPoolExecutor) -> bool:
        """Answer what is shown, and whatever else people do; tell whether the page stays."""
        if self._is(INTRUDES):
            self.press(self.chance.choice(self.seen))
        if self.told.saved and self._is(LATE):
            self._again(self.chance.choice(sorted(self.told.saved)[:50]))
        if self._is(RELOADS):
            self._reload(question)
            return False
        if self._is(LOST):
            self.relay.arm(self.chance.choice(CUTS))
        if self._is(TWICE):
            self.told.doubled += 1
            both = list(fingers.map(self.press, [question, question]))
            if both[0] != both[1]:
                self.told.contradictions.append(f"{question.id}: the same answer got {both}")
        elif self.press(question) and self._is(BACK):
            self._take_back(question)
        return True

    def press(self, question: Question) -> bool:
        """Answer until it is told whether that was taken or refused."""
        return self._settled(row_of(question, self.who), question.sample)

    def _again(self, row: Row) -> None:
        if not self._settled(row, sample_of(row.item)):
            self.told.contradictions.append(f"{row} was saved, and refused when it came again")

    def _settled(self, row: Row, sample: str) -> bool:
        try:
            self._surely(
                lambda: self.client.answer(
                    CAMPAIGN, row.item, sample, row.version, "relabel", row.label
                )
            )
        except ConflictError:
            self.told.refused.add(row)
            return False
        self.told.saved.add(row)
        return True

    def _reload(self, question: Question) -> None:
        """Send, and hang up before the answer; then send what the browser kept, or leave it."""
        row = row_of(question, self.who)
        body = Answer(
            item=row.item, sample=question.sample, version=row.version, action="relabel",
            label=row.label,
        )  # fmt: skip
        connection = http.client.HTTPConnection(self.relay.url.removeprefix("http://"), timeout=30)
        headers = {
            "Authorization": f"Bearer {self.who}",
            "Content-Type": "application/json",
            "X-Activesynth": "1",
        }
        path = f"/activesynth/api/v1/campaigns/{CAMPAIGN}/queue/answers"
        try:
            connection.request("POST", path, body.model_dump_json(), headers)
        except OSError:
            pass  # the server is being killed
        finally:
            connection.close()
        self.told.reloads += 1
        if self._is(LEAVES / RELOADS):
            self.told.unheard.add(row)
        else:
            self.press(question)

    def _take_back(self, question: Question) -> None:
        try:
            self._surely(lambda: self.client.undo(CAMPAIGN, question.id, version=question.version))
        except ConflictError:
            self.told.contradictions.append(f"{question.id}: saved, and not there to undo")
            return
        self.told.taken_back += 1

    def _surely(self, ask: Callable[[], Heard]) -> Heard:
        """Ask again for as long as nothing answers."""
        while True:
            try:
                return ask()
            except TransientError:
                time.sleep(0.1)

    def _is(self, share: float) -> bool:
        return self.chance.random() < share


@dataclass
class ByPosition(Person):
    """Answers the first item of the list, whichever that is when the answer is sent."""

    def press(self, question: Question) -> bool:
        there = self._surely(lambda: self.client.next(CAMPAIGN, 1)).items
        if not there:
            return False
        meant = row_of(question, self.who)
        first = there[0]
        return self._settled(Row(first.id, first.version, meant.label, self.who), first.sample)


def item_of(number: int) -> str:
    return f"{CAMPAIGN}:0:{number}"


def sample_of(item: str) -> str:
    return f"sample-{item.rpartition(':')[2]}"


def label_of(item: str, who: str) -> int:
    """Return the label that only this person gives, and only to this item."""
    return int(item.rpartition(":")[2]) * len(PEOPLE) + PEOPLE.index(who)


def row_of(question: Question, who: str) -> Row:
    return Row(question.id, question.version, label_of(question.id, who), who)


def faults(rows: Sequence[Row], samples: Sequence[str], told: Sequence[Told]) -> list[str]:
    """Compare what is on record with what people were told; return everything that is wrong.

    Args:
        rows: The answers on record, those that were taken back too.
        samples: Which sample each is about.
        told: What each person was told.
    """
    saved = set().union(*(one.saved for one in told))
    refused = set().union(*(one.refused for one in told))
    unheard = set().union(*(one.unheard for one in told))
    there: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        there[row.item, row.version].append(row)
    found = [text for one in told for text in one.contradictions]
    found += [f"{row} was saved, and is not there" for row in sorted(saved - set(rows))]
    found += [f"{row} is there, and nobody sent it" for row in sorted(set(rows) - saved - unheard)]
    found += [f"{len(same)} answers to version {key}" for key, same in there.items() if same[1:]]
    found += [
        f"{row} is about {sample}"
        for row, sample in zip(rows, samples, strict=True)
        if row.label != label_of(row.item, row.who) or sample != sample_of(row.item)
    ]
    found += [
        f"{row} was refused, and nobody else had answered"
        for row in sorted(refused)
        if all(winner.who == row.who for winner in there[row.item, row.version])
    ]
    found += [f"{row} was saved and refused" for row in sorted(saved & refused)]
    winners: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in saved:
        winners[row.item, row.version].add(row.who)
    return found + [
        f"{sorted(who)} all were told that they answered {key}"
        for key, who in winners.items()
        if len(who) > 1
    ]
