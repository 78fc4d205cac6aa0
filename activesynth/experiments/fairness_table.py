"""Fairness rows laid out for people: a line per group of people, and what has no number says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from activesynth.diagnosis.attributes import slice_parts
from activesynth.evaluation.fairness import MIN_CELL
from activesynth.experiments.summary import ARM_ORDER, Estimate
from activesynth.experiments.words import interval
from activesynth.steps.fairness import DATA_ARM, DIFFERENCES, PREFIX


@dataclass(frozen=True, slots=True)
class FairnessTable:
    """What the page and the command line show.

    Attributes:
        attribute: What groups people.
        groups: Lines of ``GROUP_COLUMNS``.
        differences: Lines of ``DIFFERENCE_COLUMNS``.
        unknown: Sentences about rows whose group is not known.
    """

    attribute: str
    groups: tuple[tuple[str, ...], ...]
    differences: tuple[tuple[str, ...], ...]
    unknown: tuple[str, ...]


GROUP_COLUMNS = ("arm", "group", "rows", "favourable rate", "favourable rows", "of them found")
DIFFERENCE_COLUMNS = (
    "arm",
    "demographic parity difference",
    "disparate impact ratio",
    "equal opportunity difference",
)


def fairness_table(rows: Iterable[Mapping[str, Any]]) -> FairnessTable | None:
    """Lay metric rows out; None where none is about an attribute.

    Args:
        rows: Metric rows of one iteration or experiment as mappings, others among them.
    """
    found: dict[str, dict[tuple[str, str], Mapping[str, Any]]] = {}
    for row in rows:
        where = str(row["slice"])
        if where.startswith(PREFIX):
            of_arm = found.setdefault(str(row["arm"]), {})
            of_arm[where.removeprefix(PREFIX), str(row["name"])] = row
    if not found:
        return None
    order = [DATA_ARM, *ARM_ORDER, *found]
    arms = [arm for arm in dict.fromkeys(order) if arm in found]
    attribute = next(where for where, name in found[arms[0]] if name == "unknown_rows")
    groups: list[tuple[str, ...]] = []
    differences = []
    unknown: list[str] = []
    for arm in arms:
        numbers = found[arm]
        cells = sorted(where for where, name in numbers if name == "cell_rows")
        groups += [_group(arm, cell, numbers) for cell in cells]
        differences.append((arm, *(_difference(arm, attribute, n, numbers) for n in DIFFERENCES)))
        missing = numbers[attribute, "unknown_rows"]
        sentence = (
            f"{_place(missing)}: of {int(missing['n'])} rows, {int(missing['value'])} tell no "
            f"{attribute} and are left out."
        )
        if sentence not in unknown:
            unknown.append(sentence)
    return FairnessTable(attribute, tuple(groups), tuple(differences), tuple(unknown))


def _place(row: Mapping[str, Any]) -> str:
    return "Labels" if row["arm"] == DATA_ARM else f"Predictions on {row['split']}"


def _group(
    arm: str, cell: str, numbers: Mapping[tuple[str, str], Mapping[str, Any]]
) -> tuple[str, ...]:
    ((_, group),) = slice_parts(cell)
    rows = int(numbers[cell, "cell_rows"]["value"])
    favourable = int(numbers[cell, "cell_favourable_rows"]["value"])
    rate = _told(numbers.get((cell, "selection_rate")), rows)
    found = "" if arm == DATA_ARM else _told(numbers.get((cell, "true_positive_rate")), favourable)
    return (arm, group, str(rows), rate, str(favourable), found)


def _difference(
    arm: str, attribute: str, name: str, numbers: Mapping[tuple[str, str], Mapping[str, Any]]
) -> str:
    if arm == DATA_ARM and name == "equal_opportunity_difference":
        return ""
    row = numbers.get((attribute, name))
    return "not estimable" if row is None else interval(_estimate(row))


def _told(row: Mapping[str, Any] | None, n: int) -> str:
    if row is None:
        return f"not estimable ({n} rows, {MIN_CELL} needed)"
    return interval(_estimate(row))


def _estimate(row: Mapping[str, Any]) -> Estimate:
    return Estimate(float(row["value"]), row["low"], row["high"], int(row["n"]))
