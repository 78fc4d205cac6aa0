"""What came of one fault."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fault of a family's case; ``problem`` is empty where every invariant held."""

    family: str
    case: int
    problem: str = ""
    note: str = ""
