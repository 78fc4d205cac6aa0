"""What the audits and sentinels of a campaign recorded, laid out for the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from activesynth.evaluation.sentinels import SAID
from activesynth.experiments.summary import ARM_ORDER, Estimate

Row = Mapping[str, Any]
NEEDED = "_rows_needed"
REFUSED = "audit_refused:"

FEATURES = (
    ("Fréchet distance", "frechet"),
    ("of real rows", "frechet_of_real"),
    ("kernel distance", "kernel_distance"),
    ("of real rows", "kernel_distance_of_real"),
    ("precision", "manifold_precision"),
    ("recall", "manifold_recall"),
    ("density", "manifold_density"),
    ("coverage", "manifold_coverage"),
    ("coverage, same data", "manifold_coverage_expected"),
)
COPIES = (
    ("nearer to train than held-out rows", "copying_nearer"),
    ("closer than 5 % of them", "copying_close"),
    ("nearest real", "nearest_real"),
    ("of real rows", "nearest_real_of_real"),
    ("memorisation-informed Fréchet", "memorisation_informed_distance"),
    ("membership by distance", "membership_by_distance"),
)


@dataclass(frozen=True, slots=True)
class Watched:
    """What one sentinel said in one iteration; ``measured`` is None where it could not."""

    iteration: int
    name: str
    is_raised: bool
    blocks: bool
    measured: Estimate | None
    limit: float

    @property
    def said(self) -> str:
        """Return what its alarm means."""
        return SAID.get(self.name, self.name)


@dataclass(frozen=True, slots=True)
class AuditedArm:
    """One arm in one iteration: estimates by name; ``needed`` where there were too few rows."""

    iteration: int
    arm: str
    found: Mapping[str, Estimate]
    needed: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """All that was audited, oldest iteration first.

    Attributes:
        watched: What every sentinel said in every iteration.
        features: Fidelity and memorisation of the synthetic branches.
        attacks: Accuracy under attack by slice, with the clean one; ``attack_names`` are theirs.
        membership: What the served models give away of their train rows.
        robustness: Accuracy on corrupted rows by slice; the last iteration that has it.
        known: Iteration and slice of the families that were trained on.
        refused: Iteration and name of audits that could not be made, with the reason code.
    """

    watched: tuple[Watched, ...] = ()
    features: tuple[AuditedArm, ...] = ()
    attacks: tuple[AuditedArm, ...] = ()
    membership: tuple[AuditedArm, ...] = ()
    robustness: tuple[AuditedArm, ...] = ()
    known: frozenset[tuple[int, str]] = frozenset()
    refused: tuple[tuple[int, str, str], ...] = ()

    @property
    def raised(self) -> tuple[Watched, ...]:
        """Return the alarms that were raised."""
        return tuple(one for one in self.watched if one.is_raised)

    @property
    def latest(self) -> tuple[Watched, ...]:
        """Return what the sentinels said last."""
        last = max((one.iteration for one in self.watched), default=0)
        return tuple(one for one in self.watched if one.iteration == last)

    @property
    def attack_names(self) -> tuple[str, ...]:
        """Return the slices of the attacks, the clean rows first."""
        names = dict.fromkeys(name for one in self.attacks for name in one.found)
        return tuple(sorted(names, key=lambda name: (name != "attack:none", name)))

    @property
    def families(self) -> tuple[str, ...]:
        """Return what accuracy was averaged over: known, unknown, then every family."""
        names = {n for one in self.robustness for n in one.found if n.endswith(":mean")}
        ordered = sorted(names, key=lambda name: (name.startswith("family:"), name))
        return tuple(name.removesuffix(":mean") for name in ordered)

    def title_of(self, family: str) -> str:
        """Name a family for people, and say of one that was trained on that it is known."""
        name = family.removeprefix("family:")
        if not self.robustness or (self.robustness[0].iteration, family) not in self.known:
            return name
        return f"{name} (known)"

    @property
    def has_audits(self) -> bool:
        """Tell whether anything was audited."""
        return any((self.features, self.attacks, self.robustness, self.membership, self.refused))


def summarise_audits(rows: Iterable[Row]) -> AuditSummary:
    """Lay out the metric rows of a campaign, as ``LineageReader.metrics`` returns them."""
    kept = sorted(rows, key=lambda row: int(row["iteration"]))
    feature_names = {name for _, name in (*FEATURES, *COPIES)}
    feature_names |= {"manifold"}
    served = [row for row in kept if row["split"] == "guide" and int(row["seed"]) == 0]
    corrupted = _arms(served, "accuracy", ("corruption:", "family:", "known", "unknown"))
    known = (row for row in served if row["name"] == "is_known" and float(row["value"]) > 0)
    last = max((one.iteration for one in corrupted), default=0)
    return AuditSummary(
        watched=tuple(_watched(kept)),
        features=_by_name(
            row
            for row in kept
            if (row["split"], row["slice"]) == ("synthetic", "all")
            and str(row["name"]).removesuffix(NEEDED) in feature_names
        ),
        attacks=_arms(served, "accuracy", ("attack:",)),
        membership=_by_name(row for row in served if row["slice"] == "membership"),
        robustness=tuple(one for one in corrupted if one.iteration == last),
        known=frozenset((int(row["iteration"]), str(row["slice"])) for row in known),
        refused=tuple(
            (
                int(row["iteration"]),
                str(row["slice"]).removeprefix("audit:"),
                str(row["name"]).removeprefix(REFUSED),
            )
            for row in kept
            if str(row["name"]).startswith(REFUSED)
        ),
    )


def _watched(rows: list[Row]) -> Iterable[Watched]:
    found: dict[tuple[int, str], dict[str, Estimate]] = {}
    for row in rows:
        kind, _, name = str(row["slice"]).partition(":")
        if kind == "sentinel":
            place = found.setdefault((int(row["iteration"]), name), {})
            place[str(row["name"])] = _estimate(row)
    order = list(SAID)
    for (iteration, name), one in sorted(
        found.items(),
        key=lambda item: (item[0][0], order.index(item[0][1]) if item[0][1] in order else 99),
    ):
        yield Watched(
            iteration,
            name,
            one["alarm"].value > 0,
            one["alarm_blocks"].value > 0,
            one.get("alarm_value"),
            one["alarm_limit"].value,
        )


def _arms(rows: Iterable[Row], name: str, slices: tuple[str, ...]) -> tuple[AuditedArm, ...]:
    found: dict[tuple[int, str], dict[str, Estimate]] = {}
    for row in rows:
        if row["name"] == name and str(row["slice"]).startswith(slices):
            place = found.setdefault((int(row["iteration"]), str(row["arm"])), {})
            place[str(row["slice"])] = _estimate(row)
    return tuple(AuditedArm(*key, found[key]) for key in sorted(found, key=_order))


def _by_name(rows: Iterable[Row]) -> tuple[AuditedArm, ...]:
    found: dict[tuple[int, str], tuple[dict[str, Estimate], dict[str, Estimate]]] = {}
    for row in rows:
        given, needed = found.setdefault((int(row["iteration"]), str(row["arm"])), ({}, {}))
        name = str(row["name"])
        if name.endswith(NEEDED):
            needed[name.removesuffix(NEEDED)] = _estimate(row)
        else:
            given[name] = _estimate(row)
    return tuple(AuditedArm(*key, *found[key]) for key in sorted(found, key=_order))


def _order(key: tuple[int, str]) -> tuple[int, int, str]:
    iteration, arm = key
    return iteration, ARM_ORDER.index(arm) if arm in ARM_ORDER else len(ARM_ORDER), arm


def _estimate(row: Row) -> Estimate:
    low, high = (None if row[side] is None else float(row[side]) for side in ("low", "high"))
    return Estimate(float(row["value"]), low, high, int(row["n"] or 0))
