"""One bad input for one parsing function: what it is, and the refusal that is promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1 << 20
Parse = Callable[[], object]
Give = Callable[[Path], Parse]


@dataclass(frozen=True)
class Piece:
    """A bad input that is handed to the function that parses its kind.

    Attributes:
        kind: What sort of input.
        title: What is bad about it.
        where: The function it is handed to.
        reason: The reason code.
        field: What the error or its message names.
        give: Writes the input into a folder, and returns the call that meets it.
        says: What the message holds besides: of data, what is wrong with the item.
        cap: Bytes that parsing may take beyond what is loaded.
    """

    kind: str
    title: str
    where: str
    reason: str
    field: str
    give: Give
    says: str = ""
    cap: int = 64 * MEBIBYTE

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.title}".replace(" ", "_").replace("/", "|")
