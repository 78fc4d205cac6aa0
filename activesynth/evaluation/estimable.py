"""The answer to a question that too few rows cannot answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotEstimable:
    """Says that a number is not given, instead of one that nobody should believe.

    Attributes:
        what: The number that was asked for.
        n: Rows there were, on the side that has too few.
        needed: Rows there would have to be.
    """

    what: str
    n: int
    needed: int

    def __str__(self) -> str:
        """Say it in a sentence for people."""
        return f"{self.what} is not estimable from {self.n} rows; at least {self.needed} are needed"
