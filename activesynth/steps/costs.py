"""The seconds that an iteration's plan took, weakness by weakness, from its steps' records."""

from __future__ import annotations

from activesynth.domain.documents import Plan, WeaknessProfile
from activesynth.domain.records import MetricRow
from activesynth.steps.generate import shard_count
from activesynth.steps.turn import Turn
from activesynth.targeting.cost import CostRow, attribute_seconds

NAME = "seconds_per_row"


def measured_costs(turn: Turn, plan: Plan, profile: WeaknessProfile) -> list[MetricRow]:
    """Return what a row for each weakness took, where `plan.per_second` asks for it."""
    if not turn.config.plan.per_second or not plan.budget:
        return []
    planned = {item.weakness: item.count for item in plan.items}
    making = sum(turn.step("generate", shard).seconds for shard in range(shard_count(turn)))
    spent = attribute_seconds(
        planned,
        [w.id for w in profile.weaknesses if w.target_kind == "corruption"],
        making=making,
        screening=turn.step("screen").seconds,
    )
    return [
        MetricRow("targeted", "synthetic", name, NAME, seconds / planned[name], n=planned[name])
        for name, seconds in sorted(spent.items())
    ]


def past_costs(turn: Turn) -> list[CostRow]:
    """Return what the committed iterations before this one spent on each weakness."""
    return [
        CostRow(
            int(row["iteration"]),
            str(row["slice"]),
            int(row["n"]),
            float(row["value"]) * int(row["n"]),
        )
        for row in turn.platform.reader.metrics(turn.ref.campaign)
        if row["name"] == NAME and int(row["iteration"]) < turn.ref.number
    ]
