"""The annotation queue of a platform elsewhere, as the terminal asks for it."""

from __future__ import annotations

import io

import numpy as np

from activesynth.client.client import Client
from activesynth.domain.canonical import Array
from activesynth.domain.records import Annotation, QueueItem
from activesynth.domain.sharing import OpinionAction


class RemoteQueue:
    """Asks and answers by the REST API; whoever logged in is the annotator, whatever is named."""

    def __init__(self, client: Client, campaign: str) -> None:
        """Answer questions of one campaign."""
        self._client, self._campaign = client, campaign

    def next_items(self, campaign: str, annotator: str, limit: int) -> list[QueueItem]:
        """Claim the next open items, the person's own first."""
        return self._next(limit, second=False)

    def next_second(self, campaign: str, annotator: str, limit: int) -> list[QueueItem]:
        """Claim items for a second opinion."""
        return self._next(limit, second=True)

    def answer(self, annotation: Annotation) -> None:
        """Keep an answer."""
        self._client.answer(
            self._campaign,
            annotation.item,
            annotation.sample,
            annotation.item_version,
            annotation.action,
            annotation.label,
        )

    def second_opinion(
        self, item: str, annotator: str, action: OpinionAction, label: int | None
    ) -> None:
        """Keep a second opinion; its item is found by its id alone."""
        self._client.answer(self._campaign, item, item, 0, action, label, second=True)

    def undo(self, item: str, annotator: str) -> None:
        """Take an answer back."""
        self._client.undo(self._campaign, item)

    def undo_second(self, item: str, annotator: str) -> None:
        """Take a second opinion back."""
        self._client.undo(self._campaign, item, second=True)

    def release(self, annotator: str) -> None:
        """Let go of what the person holds."""
        self._client.release(self._campaign)

    def _next(self, limit: int, *, second: bool) -> list[QueueItem]:
        handed = self._client.next(self._campaign, limit, second=second)
        # Where its row lies is the server's business: it draws it.
        return [
            QueueItem(one.id, one.sample, one.kind, "", 0, one.proposed, version=one.version)
            for one in handed.items
        ]


def pixels(png: bytes) -> Array:
    """Return a picture as ``(height, width, 3)`` uint8."""
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        return np.asarray(image.convert("RGB"))
