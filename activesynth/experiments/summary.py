"""The numbers of a campaign, taken from committed rows and put side by side per iteration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from activesynth.domain.ports import LineageReader
from activesynth.steps.retrieval import seconds_per_generated

ARM_METRICS = ("balanced_accuracy", "macro_f1")
"""Shown for every arm beside the campaign's primary metric."""

TARGETED = "targeted"
ARM_ORDER = ("real", "reweighted", "random", TARGETED)
_PAGE = 1000

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number with its interval, and the number of rows behind it (0 if not recorded)."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0

    @property
    def is_shown(self) -> bool:
        """Whether the interval lies above zero; an estimate without one shows nothing."""
        return self.low is not None and self.low > 0

    @property
    def is_shown_negative(self) -> bool:
        """Whether the interval lies below zero."""
        return self.high is not None and self.high < 0


@dataclass(frozen=True, slots=True)
class IterationSummary:
    """One committed iteration.

    Attributes:
        number: Its number, from 0.
        decision: ``promoted``, ``refused`` or ``not_gated``, with ``reason`` in a sentence.
        version: Digest of the dataset version it committed, None if there was nothing to add.
        labels: Labels of real rows that were bought; ``retrieved`` of the rows asked about lay
            near the failures of a weakness, the strategy chose the others.
        corrected: Labels of train rows that were changed, or taken out, after a second look.
        leaks: Rows added here that resemble a guarded row; anything above 0 is a fault.
        seconds_per_row: Seconds of making and screening for each synthetic row that trains an arm.
        candidates: Synthetic samples made for weaknesses.
        accepted: How many of them joined the ``targeted`` arm.
        rejected: How many did not, by reason.
        control_candidates: Samples made for the untargeted control; ``control_accepted`` joined it.
        arms: Arm to metric name to estimate, on guide.
        lift: ``targeted`` minus the named control on guide, paired, in units of the primary metric.
        gate_lift: The same on gate, scored once, at the decision.
        uncertain_share: Share of guide rows in U_tau, in [0, 1].
        evenness: Cluster entropy D over ln C, in [0, 1].
        opened: Titles of weaknesses first seen here; ``closed`` and ``regressed`` likewise.
        seconds: Seconds per step, shards added up.
        detectable_lift: The smallest lift the gate could have shown and the rows behind it; of
            guide, where no rows were drawn for the gate.
    """

    number: int
    decision: str
    reason: str
    version: str | None
    labels: int = 0
    retrieved: int = 0
    corrected: int = 0
    leaks: int = 0
    seconds_per_row: float | None = None
    candidates: int = 0
    accepted: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    control_candidates: int = 0
    control_accepted: int = 0
    arms: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    lift: Estimate | None = None
    gate_lift: Estimate | None = None
    uncertain_share: Estimate | None = None
    evenness: Estimate | None = None
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    regressed: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    detectable_lift: Estimate | None = None


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """A campaign's committed iterations, oldest first.

    ``control`` is the arm that lift is measured against and ``metric`` the primary metric;
    ``higher_is_better`` says which way it points. Lift on guide is a plain difference, so where
    lower is better a negative one is good; lift on gate is turned so that larger is better.
    """

    name: str
    metric: str
    control: str
    iterations: tuple[IterationSummary, ...]
    higher_is_better: bool = True

    @property
    def lift_names(self) -> tuple[str, str]:
        """What to call the lift on guide and that on gate, with the good sign if it is not +."""
        if self.higher_is_better:
            return "lift on guide", "lift on gate"
        return "lift on guide (negative is good)", "lift on gate (turned: positive is good)"

    @property
    def shown_metrics(self) -> tuple[str, ...]:
        """The metrics shown for every arm, the primary one first."""
        return (self.metric, *(name for name in ARM_METRICS if name != self.metric))


def summarise(
    reader: LineageReader,
    campaign: str,
    *,
    metric: str,
    control: str,
    higher_is_better: bool,
) -> CampaignSummary:
    """Read a campaign's committed rows and lay them out by iteration.

    Args:
        reader: Where committed facts are read.
        campaign: Its name.
        metric: The primary metric, as the campaign names it.
        control: The arm that lift is measured against, as the campaign names it.
        higher_is_better: Which way the primary metric points.
    """
    metrics = reader.headlines(campaign)
    costs = new_costs(reader.step_costs(campaign))
    changes = weakness_changes(reader.weaknesses(campaign))
    made, rows = reader.verdicts(campaign), reader.iterations(campaign)
    iterations = _iterations(rows, metric, control, metrics, costs, changes, made)
    return CampaignSummary(campaign, metric, control, iterations, higher_is_better)


def summarise_some(
    reader: LineageReader,
    campaign: str,
    numbers: Sequence[int],
    *,
    metric: str,
    control: str,
    higher_is_better: bool,
) -> CampaignSummary:
    """Lay out these iterations alone, reading nothing about others.

    What weaknesses did is left out (``opened``, ``closed``, ``regressed``): telling it takes all
    iterations before. Committed ones among ``numbers``, which are neighbours, are summarised;
    otherwise as :func:`summarise`.
    """
    rows = reader.iterations(campaign, after=min(numbers) - 1, limit=len(numbers))
    found = [row for row in rows if int(row["iteration"]) in numbers]
    there = [int(row["iteration"]) for row in found]
    metrics = reader.headlines(campaign, there)
    costs = new_costs(reader.costs_of(campaign, there))
    made = reader.verdicts(campaign, there)
    iterations = _iterations(found, metric, control, metrics, costs, {}, made)
    return CampaignSummary(campaign, metric, control, iterations, higher_is_better)


def _iterations(
    rows: Iterable[Row],
    metric: str,
    control: str,
    metrics: Iterable[Row],
    costs: Iterable[Row],
    changes: Mapping[int, dict[str, list[str]]],
    made: Iterable[Row],
) -> tuple[IterationSummary, ...]:
    """Summarise each iteration by the rows that belong to it, oldest first."""
    measured, spent, judged = (_by_iteration(found) for found in (metrics, costs, made))
    return tuple(
        _iteration(
            row,
            metric,
            control,
            measured.get(number, []),
            spent.get(number, []),
            changes.get(number, {}),
            judged.get(number, []),
        )
        for row in sorted(rows, key=lambda row: int(row["iteration"]))
        for number in [int(row["iteration"])]
    )


def all_samples(reader: LineageReader, campaign: str, iteration: int) -> Iterator[Row]:
    """Go through all synthetic samples of an iteration, page by page."""
    after = ""
    while page := reader.samples(campaign, iteration=iteration, limit=_PAGE, after=after):
        yield from page
        after = str(page[-1]["sample"])
        if len(page) < _PAGE:
            return


def weakness_changes(rows: Iterable[Row]) -> dict[int, dict[str, list[str]]]:
    """Return iteration to change (``opened``, ``closed``, ``regressed``) to weakness titles.

    A weakness opens where it is first seen open; closed and regressed count where the state
    differs from the one before.
    """
    changes: dict[int, dict[str, list[str]]] = {}
    states: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: int(row["iteration"])):
        key, state = str(row["weakness"]), str(row["state"])
        if states.get(key) != state:
            change = "opened" if state == "open" else state
            seen = changes.setdefault(int(row["iteration"]), {})
            seen.setdefault(change, []).append(str(row["title"]))
        states[key] = state
    return changes


def new_costs(rows: Iterable[Row]) -> list[Row]:
    """Leave out what an iteration took over from an earlier one: its seconds were spent once.

    A result that is reused keeps the seconds that it took, to the last digit.
    """
    spent: set[tuple[str, float]] = set()
    fresh = []
    for row in sorted(rows, key=lambda row: int(row["iteration"])):
        cost = (str(row["step"]), float(row["seconds"] or 0.0))
        if cost not in spent or not row["reused"]:
            fresh.append(row)
        spent.add(cost)
    return fresh


def _iteration(
    row: Row,
    metric: str,
    control: str,
    metrics: list[Row],
    costs: list[Row],
    changes: dict[str, list[str]],
    made: list[Row],
) -> IterationSummary:
    targeted = [sample for sample in made if sample["weakness"]]
    untargeted = [sample for sample in made if not sample["weakness"]]
    over_all = [m for m in metrics if m["slice"] == "all" and int(m["seed"]) < 0]
    lift = f"{metric}_lift:{control}"
    bought = _single(over_all, "base", "train", "labels_bought")
    corrected = _single(over_all, "base", "train", "labels_corrected")
    return IterationSummary(
        number=int(row["iteration"]),
        decision=str(row["decision"] or ""),
        reason=_sentence(str(row["reason"] or ""), str(row["decision"] or "")),
        version=row["version"],
        labels=0 if bought is None else round(bought.value),
        retrieved=_summed(metrics, "retrieved"),
        corrected=0 if corrected is None else round(corrected.value),
        leaks=_summed(metrics, "split_leaks"),
        seconds_per_row=seconds_per_generated(costs, metrics, int(row["iteration"])),
        candidates=_counted(targeted),
        accepted=_accepted(targeted),
        rejected=_reasons(targeted),
        control_candidates=_counted(untargeted),
        control_accepted=_accepted(untargeted),
        arms=_arms(over_all, metric),
        lift=_single(over_all, TARGETED, "guide", lift),
        gate_lift=_single(over_all, TARGETED, "gate", lift),
        uncertain_share=_single(over_all, "base", "guide", "uncertain_share"),
        evenness=_single(over_all, TARGETED, "train", "entropy_share")
        or _single(over_all, "real", "train", "entropy_share"),
        opened=tuple(changes.get("opened", ())),
        closed=tuple(changes.get("closed", ())),
        regressed=tuple(changes.get("regressed", ())),
        seconds=_seconds(costs),
        detectable_lift=_single(over_all, "base", "gate", "detectable_lift")
        or _single(over_all, "base", "guide", "detectable_lift"),
    )


def _sentence(reason: str, decision: str) -> str:
    """Return the gate's reason without the decision, which stands beside it everywhere."""
    return reason.removeprefix(f"{decision.replace('_', ' ')}: ").replace("..", ".")


def _summed(rows: Iterable[Row], name: str) -> int:
    return round(sum(float(row["value"]) for row in rows if row["name"] == name))


def _counted(made: Iterable[Row]) -> int:
    return sum(int(row["count"]) for row in made)


def _accepted(made: Iterable[Row]) -> int:
    return _counted(row for row in made if row["verdict"] == "accepted")


def _reasons(made: Iterable[Row]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for row in made:
        if row["verdict"] != "accepted":
            counts[str(row["verdict_reason"] or "no reason recorded")] += int(row["count"])
    return dict(counts.most_common())


def _arms(rows: Iterable[Row], metric: str) -> dict[str, dict[str, Estimate]]:
    """Collect the arms that were scored on the primary metric, the standing ones first."""
    arms: dict[str, dict[str, Estimate]] = {}
    for row in rows:
        if row["split"] == "guide":
            arms.setdefault(str(row["arm"]), {})[str(row["name"])] = _estimate(row)
    order = [*(arm for arm in ARM_ORDER if arm in arms), *sorted(arms)]
    return {arm: arms[arm] for arm in dict.fromkeys(order) if metric in arms[arm]}


def _single(rows: Iterable[Row], arm: str, split: str, name: str) -> Estimate | None:
    for row in rows:
        if (row["arm"], row["split"], row["name"]) == (arm, split, name):
            return _estimate(row)
    return None


def _estimate(row: Row) -> Estimate:
    low, high = row["low"], row["high"]
    return Estimate(
        float(row["value"]),
        None if low is None else float(low),
        None if high is None else float(high),
        int(row["n"] or 0),
    )


def _seconds(costs: Iterable[Row]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for row in costs:
        step = str(row["step"])
        seconds[step] = seconds.get(step, 0.0) + float(row["seconds"] or 0.0)
    return seconds


def _by_iteration(rows: Iterable[Row]) -> dict[int, list[Row]]:
    grouped: dict[int, list[Row]] = {}
    for row in rows:
        grouped.setdefault(int(row["iteration"]), []).append(row)
    return grouped
