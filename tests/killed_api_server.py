"""Answers to a real Airflow whose api-server is killed while they come in."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

from activesynth.client.client import Client
from activesynth.client.questions import Question
from activesynth.errors import TransientError
from activesynth.lineage.migrate import upgrade
from running_airflow import kill_part
from web_fixtures import Site

ANSWERS, BEFORE = 24, 6
"""How many answers are given, and after how many of them the server is killed."""


class Outcome(NamedTuple):
    """What was acknowledged, what is on record, and how often nothing answered."""

    saved: list[tuple[str, int, str]]
    kept: list[tuple[str, int, str]]
    unanswered: int


def answer_while_it_is_killed(site: Site, campaign: str, person: str) -> Outcome:
    """Answer two dozen questions over a kill and a start; take all of it back in the end."""
    saved: list[tuple[str, int, str]] = []
    unanswered: list[TransientError] = []
    are_some_in = threading.Event()
    with Client(
        site.url, user=person, password=site.passwords[person], attempts=1, timeout=20
    ) as client:
        asked = client.next(campaign, ANSWERS).items

        def work() -> None:
            for number, question in enumerate(asked):
                _answer(client, campaign, question, number % 10, unanswered)
                saved.append((question.id, number % 10, person))
                if len(saved) == BEFORE:
                    are_some_in.set()

        worker = threading.Thread(target=work)
        worker.start()
        assert are_some_in.wait(120)
        kill_part(site.running, "api-server")
        site.running.platform.up(lambda _: None, migrate=upgrade)
        worker.join(300)
        kept = _kept(site, [question.id for question in asked])
        for question in asked:
            client.undo(campaign, question.id)
        client.release(campaign)
    return Outcome(sorted(saved), sorted(kept), len(unanswered))


def _answer(
    client: Client,
    campaign: str,
    question: Question,
    label: int,
    unanswered: list[TransientError],
) -> None:
    while True:
        try:
            client.answer(
                campaign, question.id, question.sample, question.version, "relabel", label
            )
        except TransientError as error:
            unanswered.append(error)
            threading.Event().wait(0.2)
        else:
            return


def _kept(site: Site, items: Sequence[str]) -> list[tuple[str, int, str]]:
    query = "select item, label, annotator from activesynth.annotations where item = any(%s)"
    return [
        (str(item), int(label), str(who))
        for item, label, who in site.running.rows(query, list(items))
    ]
