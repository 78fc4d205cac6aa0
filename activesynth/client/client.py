"""The API as typed methods: what a program reads and does as one person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self, TypeVar

from pydantic import BaseModel

from activesynth.client.actions import (
    Batch,
    Declaration,
    Declared,
    Reach,
    Recalled,
    Standing,
    Withdrawn,
)
from activesynth.client.facts import (
    Campaign,
    CampaignDesk,
    Candidate,
    Iteration,
    Member,
    Page,
    Prediction,
    Sample,
    Weakness,
)
from activesynth.client.plans import Kept, Made, Planned, TakenBack
from activesynth.client.questions import (
    Answer,
    Finished,
    Handed,
    Nothing,
    Progress,
    Saved,
    Undo,
    Wanted,
)
from activesynth.client.transport import Transport, read, segment
from activesynth.config.proposal import PlanProposal, PreviewRequest
from activesynth.domain.sharing import OpinionAction, QuestionKind

Message = TypeVar("Message", bound=BaseModel)
PAGE = 200
"""Rows that are asked for at once; the server gives no more."""
_API = "/api/v1/campaigns"


class Client:
    """Talks to a running platform as the person who logged in; threads may share it.

    What the API refuses is raised as an error of :mod:`activesynth.errors`, with the API's reason.
    """

    def __init__(self, url: str, **connection: Any) -> None:
        """Name the server and who calls, as :class:`activesynth.client.transport.Transport`."""
        self._transport = Transport(url, **connection)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is connected."""
        self._transport.close()

    def campaigns(self) -> list[Campaign]:
        """Return each campaign as it stands; what waits for people comes first."""
        return self._get(Page[Campaign], _API).items

    def desk(self, campaign: str) -> CampaignDesk:
        """Return the classes of a campaign."""
        return self._get(CampaignDesk, self._at(campaign))

    def iterations(self, campaign: str) -> Iterator[Iteration]:
        """Yield the committed iterations, oldest first."""
        return self._pages(Page[Iteration], self._at(campaign, "iterations"))

    def weaknesses(self, campaign: str) -> Iterator[Weakness]:
        """Yield the weakness history."""
        return self._pages(Page[Weakness], self._at(campaign, "weaknesses"))

    def candidates(
        self,
        campaign: str,
        iteration: int,
        *,
        verdict: str | None = None,
        reason: str | None = None,
        weakness: str | None = None,
        label: int | None = None,
        score: str | None = None,
        least: float | None = None,
        most: float | None = None,
    ) -> Iterator[Candidate]:
        """Yield the synthetic samples of an iteration by id, those that the filters let through."""
        wanted: dict[str, object] = {
            "verdict": verdict,
            "reason": reason,
            "weakness": weakness,
            "label": label,
        }
        wanted |= {"score": score, "least": least, "most": most}
        path = self._at(campaign, "iterations", iteration, "candidates")
        return self._pages(Page[Candidate], path, **wanted)

    def members(self, campaign: str, version: str) -> Iterator[Member]:
        """Yield the recorded samples of a version by id."""
        return self._pages(Page[Member], self._at(campaign, "versions", version, "members"))

    def sample(self, campaign: str, sample: str) -> Sample:
        """Return what is on record about a sample."""
        return self._get(Sample, self._at(campaign, "samples", sample))

    def picture(self, campaign: str, sample: str) -> bytes:
        """Return the picture of a sample as PNG.

        Raises:
            ConfigurationError: ``not_found`` where this kind of data has none.
        """
        place = f"/campaigns/{segment(campaign)}/pictures/{segment(sample)}"
        return self._transport.get(place)

    def declarations(self, campaign: str) -> Iterator[Declaration]:
        """Yield declarations and withdrawals with their reasons, oldest first."""
        return self._pages(Page[Declaration], self._at(campaign, "declarations"))

    def declare(self, campaign: str, declared: Declared) -> Standing:
        """Declare a weakness; the same again changes nothing."""
        return self._post(Standing, self._at(campaign, "declarations"), declared)

    def withdraw(self, campaign: str, target: str, reason: str) -> Standing:
        """Withdraw a declared weakness."""
        body = Withdrawn(target=target, reason=reason)
        return self._post(Standing, self._at(campaign, "withdrawals"), body, may_repeat=False)

    def predictions(
        self,
        campaign: str,
        iteration: int,
        *,
        arm: str = "targeted",
        label: int | None = None,
        predicted: int | None = None,
    ) -> Iterator[Prediction]:
        """Yield what an arm predicted on guide, by sample."""
        path = self._at(campaign, "iterations", iteration, "predictions")
        return self._pages(Page[Prediction], path, arm=arm, label=label, predicted=predicted)

    def plan(self, campaign: str) -> Planned:
        """Return what the next plan may spend on, what a row costs, and what was proposed."""
        return self._get(Planned, self._at(campaign, "plan"))

    def propose(self, campaign: str, proposal: PlanProposal) -> Kept:
        """Propose the next iteration's plan in place of the standing one, unless it is the same."""
        path = self._at(campaign, "plan", "proposals")
        return self._post(Kept, path, proposal, may_repeat=False)

    def withdraw_plan(self, campaign: str, reason: str) -> Kept:
        """Withdraw the proposal that stands."""
        path = self._at(campaign, "plan", "withdrawal")
        return self._post(Kept, path, TakenBack(reason=reason), may_repeat=False)

    def preview(self, campaign: str, wanted: PreviewRequest) -> Made:
        """Make a few samples for a weakness; nothing is recorded."""
        return self._post(Made, self._at(campaign, "preview"), wanted, may_repeat=False)

    def reach(
        self,
        campaign: str,
        *,
        iteration: int | None = None,
        generator: str | None = None,
        weakness: str | None = None,
        annotator: str | None = None,
    ) -> Reach:
        """Return what a batch reached; it is named by exactly one of four."""
        return self._get(
            Reach,
            self._at(campaign, "reach"),
            iteration=iteration,
            generator=generator,
            weakness=weakness,
            annotator=annotator,
        )

    def recall(self, campaign: str, batch: Batch) -> Recalled:
        """Recall a batch, or tell what that would do where ``batch.do`` is false."""
        path = self._at(campaign, "recalls")
        return self._post(Recalled, path, batch, may_repeat=not batch.do)

    def next(
        self,
        campaign: str,
        limit: int = 8,
        *,
        second: bool = False,
        kinds: Sequence[QuestionKind] | None = None,
    ) -> Handed:
        """Return the next questions; they are with nobody else for some minutes."""
        wanted = Wanted(limit=limit, second=second, kinds=None if kinds is None else list(kinds))
        return self._post(Handed, self._at(campaign, "queue", "next"), wanted)

    def answer(
        self,
        campaign: str,
        item: str,
        sample: str,
        version: int,
        action: OpinionAction,
        label: int | None = None,
        *,
        second: bool = False,
    ) -> Saved:
        """Keep an answer to an item as the version that was shown; the same again counts once.

        Raises:
            ConflictError: If somebody answered in between.
        """
        body = Answer(
            item=item, sample=sample, version=version, action=action, label=label, second=second
        )
        return self._post(Saved, self._at(campaign, "queue", "answers"), body)

    def undo(
        self, campaign: str, item: str, *, version: int | None = None, second: bool = False
    ) -> Saved:
        """Take back one's answer to a version of an item, or the latest answer.

        What names no version is sent again only while nothing of it was sent: a second one could
        take back an older answer.
        """
        body = Undo(item=item, version=version, second=second)
        path = self._at(campaign, "queue", "undo")
        return self._post(Saved, path, body, may_repeat=version is not None)

    def release(self, campaign: str) -> Progress:
        """Let go of all that one holds, so that others get it at once."""
        return self._post(Progress, self._at(campaign, "queue", "release"), Nothing())

    def finish(self, campaign: str) -> Finished:
        """Have the waiting iteration go on with the answers that it has."""
        path = self._at(campaign, "queue", "finish")
        return self._post(Finished, path, Nothing(), may_repeat=False)

    def _at(self, campaign: str, *parts: object) -> str:
        return "/".join([_API, segment(campaign), *map(segment, parts)])

    def _get(self, model: type[Message], path: str, **query: object) -> Message:
        found: Message = read(model, self._transport.get(path, **query), self._transport.url)
        return found

    def _post(
        self, model: type[Message], path: str, body: BaseModel, *, may_repeat: bool = True
    ) -> Message:
        answer = self._transport.post(path, body, may_repeat=may_repeat)
        found: Message = read(model, answer, self._transport.url)
        return found

    def _pages(self, model: Any, path: str, **query: object) -> Iterator[Any]:
        """Yield rows page by page, as the keys lead."""
        after: str | None = None
        while True:
            page = self._get(model, path, after=after, limit=PAGE, **query)
            yield from page.items
            after = page.next
            if after is None:
                return
