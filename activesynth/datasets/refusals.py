"""Bad items of a source: left out one by one, listed, and limited as a share of all."""

from __future__ import annotations

from collections import Counter

from activesynth.datasets.parameters import Budgets
from activesynth.domain.exchange import Refused
from activesynth.errors import InputError

SHOWN = 5
LONGEST = 200


class ItemError(ValueError):
    """Says why one item cannot be used: a stable code and a sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        """Keep both."""
        super().__init__(detail)
        self.reason = reason


class Refusals:
    """The items refused so far, within the budgets of one source."""

    def __init__(self, budgets: Budgets) -> None:
        """Start with none."""
        self._budgets = budgets
        self.items: list[Refused] = []

    def add(self, name: str, error: ItemError) -> None:
        """Remember one."""
        self.items.append(Refused(printable(name), error.reason, printable(str(error))))

    def check_rows(self, count: int) -> None:
        """Refuse a source of more than ``max_rows`` items.

        Raises:
            InputError: ``too_many_rows``.
        """
        if count > self._budgets.max_rows:
            raise InputError(
                f"`source.parameters.max_rows`: there are {count} items or more, the limit is "
                f"{self._budgets.max_rows}; raise the limit, or give less.",
                reason="too_many_rows",
                field="source.parameters.max_rows",
            )

    def check_share(self, kept: int) -> None:
        """Refuse a source of which too much cannot be used.

        Raises:
            InputError: ``too_many_refused``, counting the reasons and naming the first items.
        """
        refused = len(self.items)
        total = kept + refused
        if not refused or (kept and refused <= self._budgets.max_refused * total):
            return
        raise InputError(
            f"`source.parameters.max_refused`: {refused} of {total} items cannot be used, the "
            f"limit is {self._budgets.max_refused:.0%} and never all: {summary(self.items)}; "
            "repair or remove them, or raise the limit.",
            reason="too_many_refused",
            field="source.parameters.max_refused",
        )


def summary(items: list[Refused] | tuple[Refused, ...]) -> str:
    """Count the reasons and quote the first items, in one line."""
    counts = Counter(item.reason for item in items)
    counted = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    quoted = "; ".join(f"{item.name}: {item.detail}" for item in items[:SHOWN])
    more = f"; and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return f"{counted} ({quoted}{more})"


def printable(text: str, longest: int = LONGEST) -> str:
    """Return text that any terminal, log and database takes: nothing hidden, and not too much."""
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
