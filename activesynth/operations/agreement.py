"""How far people agree who answered the same questions without seeing each other's answers."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import Any

from activesynth.domain.platform import Platform
from activesynth.statistics.agreement import Category, cohen_kappa, krippendorff_alpha
from activesynth.statistics.intervals import wilson

EVERYBODY = "everybody"


def agreement(campaign: str, platform: Platform) -> list[dict[str, Any]]:
    """Return how far people agree: a row over everybody, then one per pair of people.

    Over the items of committed iterations with two opinions or more; an opinion is a class or
    ``reject``, and who skips has none. Empty where there is no such item.

    Returns:
        Rows of ``between``, ``n`` (items), ``agreement`` (the share on which all of them say the
        same) with its 95 % Wilson bounds ``low`` and ``high``, ``kappa`` (Cohen's, of pairs) and
        ``alpha`` (Krippendorff's, of everybody). Where a number is undefined it is None and
        ``undefined`` says why.
    """
    items: dict[str, dict[str, Category]] = defaultdict(dict)
    for row in platform.reader.opinions(campaign):
        said = "reject" if row["action"] == "reject" else int(row["label"])
        items[str(row["item"])][str(row["annotator"])] = said
    if not items:
        return []
    units = list(items.values())
    people = sorted({name for unit in units for name in unit})
    pairs = [_pair(units, one, other) for one, other in combinations(people, 2)]
    return [_everybody(units), *(row for row in pairs if row is not None)]


def _everybody(units: list[dict[str, Category]]) -> dict[str, Any]:
    alpha = krippendorff_alpha(units)
    same = sum(len(set(unit.values())) == 1 for unit in units)
    why = "" if alpha is not None else "alpha: only one answer was ever given"
    return _row(EVERYBODY, same, len(units), alpha=alpha, undefined=why)


def _pair(units: list[dict[str, Category]], one: str, other: str) -> dict[str, Any] | None:
    both = [(unit[one], unit[other]) for unit in units if one in unit and other in unit]
    if not both:
        return None
    kappa = cohen_kappa([first for first, _ in both], [second for _, second in both])
    same = sum(first == second for first, second in both)
    why = "" if kappa is not None else "kappa: both gave one and the same answer throughout"
    return _row(f"{one}, {other}", same, len(both), kappa=kappa, undefined=why)


def _row(
    between: str,
    same: int,
    n: int,
    *,
    kappa: float | None = None,
    alpha: float | None = None,
    undefined: str,
) -> dict[str, Any]:
    share = wilson(same, n)
    return {
        "between": between,
        "n": n,
        "agreement": share.value,
        "low": share.low,
        "high": share.high,
        "kappa": kappa,
        "alpha": alpha,
        "undefined": undefined,
    }
