"""The plan of the next iteration before there is one: what may be asked for, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from activesynth.config.campaign import parse_campaign
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.proposals import Rest
from activesynth.errors import ConfigurationError
from activesynth.targeting.cost import CostRow, attribute_seconds, seconds_per_row

NOT_MEASURED = "no iteration measured yet"


@dataclass(frozen=True, slots=True)
class Part:
    """A weakness that the next plan may spend on.

    Attributes:
        weakness: Its id.
        title: In words.
        kind: What kind of weakness it is.
        state: ``open`` or ``regressed``; ``declared`` where no diagnosis has seen it yet.
        planned: Rows that the last plan gave it; None where it gave none.
        proposed: Rows that the standing proposal gives it; None where it names it not.
        seconds_per_row: What a row is believed to cost to make and to screen, with its control;
            None where no iteration was measured.
    """

    weakness: str
    title: str
    kind: str
    state: str
    planned: int | None
    proposed: int | None
    seconds_per_row: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan costs before it starts.

    Attributes:
        budget: Most rows that the iteration may make.
        named: Rows that are asked for by name.
        automatic: Rows that are split automatically.
        seconds: To make and to screen all of them; None where no iteration was measured.
        told: The same in words.
    """

    budget: int
    named: int
    automatic: int
    seconds: float | None
    told: str


@dataclass(frozen=True, slots=True)
class NextPlan:
    """What is known of a campaign's next plan.

    Attributes:
        campaign: The campaign.
        after: The newest committed iteration, None before the first.
        labelled: Labelled real rows.
        growth: Budget as a share of these.
        parts: What may be named, in the order of the last profile.
        standing: Number of the proposal that stands, or None.
        rest: What that one says of the rest.
        measured: How many iterations the costs come from.
        seconds_per_row: What a row costs in the mean over all weaknesses, or None.
    """

    campaign: str
    after: int | None
    labelled: int
    growth: float
    parts: tuple[Part, ...]
    standing: int | None
    rest: Rest
    measured: int
    seconds_per_row: float | None

    @property
    def budget(self) -> int:
        """Return how many synthetic rows the next iteration makes, unless it is told otherwise."""
        return round(self.growth * self.labelled)

    def document(self) -> dict[str, Any]:
        """Return it as JSON says it."""
        return {**asdict(self), "budget": self.budget}

    def named(self, amounts: Mapping[str, int]) -> dict[str, int]:
        """Return ``amounts`` by the ids of weaknesses; declared targets may be named as such.

        Raises:
            ConfigurationError: If one is no weakness that is open, or two name the same one, or
                they are more than the budget.
        """
        known = {part.weakness for part in self.parts}
        found: dict[str, int] = {}
        for name, rows in amounts.items():
            weakness = name if name in known else f"declared:{name}"
            if weakness not in known:
                there = ", ".join(part.weakness for part in self.parts) or "none"
                raise ConfigurationError(
                    f"campaign {self.campaign!r} has no open or declared weakness {name!r}; there "
                    f"are: {there}.",
                    reason="unknown_weakness",
                    field="amounts",
                )
            if weakness in found:
                raise ConfigurationError(
                    f"{weakness!r} is named twice; say once how many rows it gets.",
                    reason="bad_value",
                    field="amounts",
                )
            found[weakness] = rows
        if sum(found.values()) > self.budget:
            raise ConfigurationError(
                f"the amounts are {sum(found.values())} rows together, the limit is {self.budget}: "
                f"`plan.growth` {self.growth:g} of {self.labelled} labelled rows. Ask for fewer, "
                "or raise `plan.growth`.",
                reason="over_budget",
                field="amounts",
            )
        return found

    def cost(self, amounts: Mapping[str, int], rest: Rest) -> Cost:
        """Return what a proposal would cost, by what past iterations took for a row.

        Raises:
            ConfigurationError: As :meth:`named`.
        """
        found = self.named(amounts)
        rows = sum(found.values())
        others = any(part.weakness not in found for part in self.parts)
        automatic = self.budget - rows if rest == "automatic" and others else 0
        mean = self.seconds_per_row
        if mean is None:
            return Cost(self.budget, rows, automatic, None, NOT_MEASURED)
        each = {part.weakness: part.seconds_per_row or mean for part in self.parts}
        seconds = sum(each[name] * count for name, count in found.items()) + mean * automatic
        told = (
            f"about {seconds:.3g} s to make and to screen, by {self.measured} measured "
            f"iteration{'' if self.measured == 1 else 's'}"
        )
        return Cost(self.budget, rows, automatic, seconds, told)


def next_plan(campaign: str, platform: Platform) -> NextPlan:
    """Return what is known of the plan of a campaign's next iteration.

    Raises:
        ConfigurationError: If there is no such campaign, or it has no data yet.
    """
    record = platform.lineage.campaign(campaign)
    if record.head is None:
        raise ConfigurationError(
            f"campaign {campaign!r} has no dataset version yet; run it first, as with "
            f"`activesynth run {campaign}`.",
            reason="no_data",
            field="campaign",
        )
    config = parse_campaign(record.config, f"campaign {campaign!r}")
    manifest = DatasetManifest.decode(platform.objects.get(record.head))
    rows = platform.reader.last_weaknesses(campaign)
    declared = [f"declared:{target}" for target in platform.lineage.declared_weaknesses(campaign)]
    standing = platform.lineage.standing_plan(campaign)
    asked = {} if standing is None else dict(standing.amounts)
    history = _history(campaign, platform)
    known = [str(row["weakness"]) for row in rows]
    fresh = [name for name in declared if name not in known]
    costs = seconds_per_row([*known, *fresh], history)
    parts = [
        Part(
            weakness=str(row["weakness"]),
            title=str(row["title"]),
            kind=str(row["kind"]),
            state=str(row["state"]),
            planned=None if row["planned"] is None else int(row["planned"]),
            proposed=asked.get(str(row["weakness"])),
            seconds_per_row=costs.get(str(row["weakness"])),
        )
        for row in rows
        if row["state"] != "closed" and (row["kind"] != "declared" or row["weakness"] in declared)
    ]
    parts += [
        Part(name, name, "declared", "declared", None, asked.get(name), costs.get(name))
        for name in fresh
    ]
    spent = sum(row.seconds for row in history)
    return NextPlan(
        campaign=campaign,
        after=record.iterations - 1 if record.iterations else None,
        labelled=sum(ref.rows for ref in manifest.splits["train"]),
        growth=config.plan.growth,
        parts=tuple(parts),
        standing=None if standing is None else standing.number,
        rest="automatic" if standing is None else standing.rest,
        measured=len({row.iteration for row in history}),
        seconds_per_row=spent / sum(row.rows for row in history) if spent else None,
    )


def _history(campaign: str, platform: Platform) -> list[CostRow]:
    """Return what committed iterations spent on each weakness, from the records of their steps."""
    by_iteration: dict[int, list[dict[str, Any]]] = {}
    for row in platform.reader.plan_seconds(campaign):
        by_iteration.setdefault(int(row["iteration"]), []).append(row)
    history = []
    for number, rows in by_iteration.items():
        planned = {str(row["weakness"]): int(row["rows"]) for row in rows}
        if not sum(planned.values()):
            continue
        corruptions = [
            str(row["weakness"])
            for row in rows
            if "corruption" in (row["kind"], str(row["key"]).partition(":")[0])
        ]
        spent = attribute_seconds(
            planned,
            corruptions,
            making=float(rows[0]["making"]),
            screening=float(rows[0]["screening"]),
        )
        history += [CostRow(number, name, planned[name], took) for name, took in spent.items()]
    return history
