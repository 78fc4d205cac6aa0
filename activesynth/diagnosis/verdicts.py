"""What two halves make of a candidate: its corrected p-value, its state, and its rank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from activesynth.diagnosis.slices import Finding
from activesynth.domain.documents import Weakness, WeaknessState
from activesynth.statistics.corrections import holm


@dataclass(frozen=True, slots=True)
class Verdict:
    """A finding with its corrected p-value and the lower bound it is ranked by."""

    finding: Finding
    p_value: float
    strength: float


def judge(
    slices: Sequence[Finding], corruptions: Sequence[Sequence[Finding]], min_support: int
) -> list[Verdict]:
    """Correct all p-values: Holm within each kind, and an equal split over the kinds tested.

    Each kind is a family of its own, so that a campaign with many clusters does not lose its
    classes. Five families at alpha each would report something by chance in up to five times
    alpha of all profiles; multiplied by the number of families, a p-value below alpha anywhere
    has at most probability alpha. Findings with fewer than ``min_support`` rows on the searching
    half are not tested and get the p-value 1.

    Args:
        slices: One finding per slice, of any kinds.
        corruptions: Per corruption, one finding per severity; all of them are one family.
        min_support: Fewest rows worth testing.

    Returns:
        One verdict per slice, then one per finding of each corruption, in the given order.
    """
    everything = [*slices, *(one for levels in corruptions for one in levels)]
    families: dict[str, list[Finding]] = {}
    for finding in everything:
        if finding.found_n >= min_support:
            families.setdefault(finding.kind, []).append(finding)
    corrected: dict[int, float] = {}
    for family in families.values():
        p_values = holm(np.array([finding.found.p_value for finding in family]))
        for finding, p_value in zip(family, p_values.tolist(), strict=True):
            corrected[id(finding)] = min(1.0, p_value * len(families))
    return [
        Verdict(finding, corrected.get(id(finding), 1.0), finding.held.low)
        for finding in everything
    ]


def judge_declared(declared: Sequence[Finding], min_support: int) -> list[Verdict]:
    """Correct the p-values of what people declared: a family apart, asked for beforehand."""
    tested = [finding for finding in declared if finding.found_n >= min_support]
    p_values = holm(np.array([finding.found.p_value for finding in tested]))
    corrected = {id(one): float(p) for one, p in zip(tested, p_values, strict=True)}
    return [Verdict(one, corrected.get(id(one), 1.0), one.held.low) for one in declared]


def mildest(levels: Sequence[Verdict], alpha: float) -> Verdict:
    """Pick the mildest found severity of a corruption, or its harshest when none is found.

    It is ranked by the mean lower bound over all severities: at its mildest found severity a
    corruption that hurts early would look weaker than one that hurts only when extreme.

    References:
        Hendrycks and Dietterich 2019, arXiv:1903.12261 (the mean over severities).
    """
    chosen = next((one for one in levels if one.p_value < alpha), levels[-1])
    strength = float(np.mean([one.strength for one in levels]))
    return Verdict(chosen.finding, chosen.p_value, strength)


def state_of(
    verdict: Verdict, before: str | None, *, alpha: float, margin: float, min_support: int
) -> WeaknessState | None:
    """Return the state to report, or None when there is nothing to say.

    What a person declared is always reported: it counts as found until half B shows otherwise.
    """
    finding = verdict.finding
    is_declared = finding.kind == "declared"
    is_found = verdict.p_value < alpha
    if before == "closed":
        if is_found and min(finding.found.low, finding.held.low) > margin:
            return "regressed"
        return "closed" if is_found or is_declared else None
    state: WeaknessState = "regressed" if before == "regressed" else "open"
    if is_found:
        return state
    if before is None and not is_declared:
        return None
    is_closed = finding.held_n >= min_support and finding.held.high < margin
    return "closed" if is_closed else state


def ranked(weaknesses: Iterable[Weakness]) -> tuple[Weakness, ...]:
    """Return the weaknesses with rank 1 for the one to look at first.

    Open and regressed ones before closed ones, confirmed ones before those seen on one half
    only, then by ``strength``, the lower bound of the gap: a large gap on few rows does not
    outrank a smaller one that is known well. The uncertain region comes behind all other confirmed
    ones. It gathers their errors by construction, and says that the model fails where it doubts
    and not where that is.
    """
    ordered = sorted(
        weaknesses,
        key=lambda one: (
            one.state == "closed",
            not one.confirmed,
            one.target_kind == "uncertain",
            -one.strength,
            one.id,
        ),
    )
    return tuple(one.model_copy(update={"rank": k}) for k, one in enumerate(ordered, 1))
