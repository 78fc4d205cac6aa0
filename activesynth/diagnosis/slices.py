"""Slices of the guide split as candidates for a weakness, each tested on two halves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from activesynth.diagnosis.attributes import candidate_slices, slice_members, slice_title
from activesynth.diagnosis.evidence import Evidence
from activesynth.domain.canonical import Array
from activesynth.domain.documents import WeaknessKind
from activesynth.statistics.clustering import design_effect
from activesynth.statistics.tests import ExcessError, excess_error, paired_excess_error


@dataclass(frozen=True, slots=True)
class Finding:
    """One candidate with what both halves say about it.

    ``members`` marks its rows among all guide rows, ``is_error`` the wrong ones among them and
    ``is_searched`` the rows of the half that searches;
    ``found`` is measured on the half that searches (``found_n`` rows of the slice in it),
    ``held`` on the other. ``severity`` is 0 except for corruptions.
    """

    kind: WeaknessKind
    key: str
    title: str
    members: Array
    is_error: Array
    is_searched: Array
    found: ExcessError
    held: ExcessError
    found_n: int
    held_n: int
    severity: float = 0.0

    @property
    def id(self) -> str:
        """Return the stable name, ``kind:key``."""
        return f"{self.kind}:{self.key}"


def slice_finding(
    kind: WeaknessKind,
    key: str,
    title: str,
    members: Array,
    is_error: Array,
    owners: Array,
    searches: Array,
    margin: float,
) -> Finding:
    """Compare the error rate in a slice with that outside, on each half.

    Where rows come in groups, both sides are divided by the larger of their design effects: the
    smaller side often has too few groups for an estimate of its own.

    Args:
        kind: Kind of weakness.
        key: What it is called within its kind.
        title: What people read.
        members: Rows in the slice, ``(n,)`` bool.
        is_error: Rows predicted wrongly, ``(n,)`` bool.
        owners: The group of each row, ``(n,)`` int.
        searches: Rows of the half that searches, ``(n,)`` bool.
        margin: Gap that is still acceptable.
    """

    def measure(half: Array) -> ExcessError:
        inside, outside = members & half, ~members & half
        return excess_error(
            int(is_error[inside].sum()),
            int(inside.sum()),
            int(is_error[outside].sum()),
            int(outside.sum()),
            margin,
            design_effect=max(
                design_effect(is_error[side], owners[side]) for side in (inside, outside)
            ),
        )

    return Finding(
        kind,
        key,
        title,
        members,
        is_error & members,
        searches,
        measure(searches),
        measure(~searches),
        int((members & searches).sum()),
        int((members & ~searches).sum()),
    )


def slice_findings(
    evidence: Evidence,
    is_uncertain: Array,
    searches: Array,
    class_names: tuple[str, ...],
    cluster_count: int,
    margin: float,
) -> list[Finding]:
    """Return a finding for every class, every cluster and the uncertain region.

    Slices without rows in either half are there too, so that an old weakness can be looked up.
    """
    is_error = evidence.probs.argmax(axis=1) != evidence.y
    parts: list[tuple[WeaknessKind, str, str, Array]] = [
        ("class", str(label), f"class {name}", evidence.y == label)
        for label, name in enumerate(class_names)
    ]
    parts += [
        ("cluster", str(cluster), f"cluster {cluster}", evidence.clusters == cluster)
        for cluster in range(cluster_count)
    ]
    parts.append(("uncertain", "high", "uncertain region (above tau)", is_uncertain))
    return [
        slice_finding(kind, key, title, members, is_error, evidence.owners, searches, margin)
        for kind, key, title, members in parts
    ]


def attribute_findings(
    evidence: Evidence,
    searches: Array,
    class_names: tuple[str, ...],
    margin: float,
    min_support: int,
    known: Iterable[str],
) -> list[Finding]:
    """Return a finding for every slice of attributes with enough rows.

    ``known`` are keys of older weaknesses, looked up however few rows they have left; those
    whose attribute is gone are left out.
    """
    slices = candidate_slices(evidence.y, evidence.attributes, searches, min_support)
    for key in known:
        members = slice_members(key, evidence.y, evidence.attributes)
        if members is not None:
            slices.setdefault(key, members)
    is_error = evidence.probs.argmax(axis=1) != evidence.y
    return [
        slice_finding(
            "slice",
            key,
            slice_title(key, class_names),
            members,
            is_error,
            evidence.owners,
            searches,
            margin,
        )
        for key, members in slices.items()
    ]


def declared_finding(
    target: str,
    evidence: Evidence,
    searches: Array,
    class_names: tuple[str, ...],
    margin: float,
) -> Finding:
    """Measure what a person declared, ``target`` being ``<kind>:<key>``.

    What is not there (any more) is measured on no rows: its gap is unknown.
    """
    kind, _, key = target.partition(":")
    if kind == "corruption" and key in evidence.corrupted_at:
        name, _, severity = key.partition("@")
        title = f"declared: corruption {name} at severity {float(severity):g}"
        probs = evidence.corrupted_at[key]
        return _paired_finding(
            "declared", target, title, evidence, probs, float(severity), searches, margin
        )
    members: Array | None = None
    title = f"declared: {kind} {key}"
    if kind == "slice":
        members = slice_members(key, evidence.y, evidence.attributes)
        title = f"declared: {slice_title(key, class_names)}"
    elif kind in ("class", "cluster") and key.isdecimal():
        members = (evidence.y if kind == "class" else evidence.clusters) == int(key)
        if kind == "class" and int(key) < len(class_names):
            title = f"declared: class {class_names[int(key)]}"
    if members is None:
        members = np.zeros(len(evidence.y), dtype=bool)
    is_error = evidence.probs.argmax(axis=1) != evidence.y
    return slice_finding(
        "declared", target, title, members, is_error, evidence.owners, searches, margin
    )


def corruption_findings(
    evidence: Evidence, severities: tuple[float, ...], searches: Array, margin: float
) -> list[list[Finding]]:
    """Return, per corruption, one finding for each severity, mildest first.

    Clean and corrupted predictions are of the same rows, so the comparison is paired. Every
    guide row is a member; its error is the one on the corrupted copy.
    """
    order = np.argsort(severities, kind="stable").tolist()
    return [
        [
            _paired_finding(
                "corruption",
                name,
                f"corruption {name} at severity {severities[level]:g}",
                evidence,
                evidence.corrupted[name][level],
                float(severities[level]),
                searches,
                margin,
            )
            for level in order
        ]
        for name in sorted(evidence.corrupted)
    ]


def _paired_finding(
    kind: WeaknessKind,
    key: str,
    title: str,
    evidence: Evidence,
    probs: Array,
    severity: float,
    searches: Array,
    margin: float,
) -> Finding:
    """Compare predictions on corrupted copies with those on the same clean rows, on each half."""
    clean = evidence.probs.argmax(axis=1) != evidence.y
    corrupted = probs.argmax(axis=1) != evidence.y
    change = corrupted.astype(np.int64) - clean

    def measure(half: Array) -> ExcessError:
        worsened = int((corrupted & ~clean & half).sum())
        improved = int((clean & ~corrupted & half).sum())
        return paired_excess_error(
            worsened,
            improved,
            int(half.sum()),
            margin,
            design_effect=design_effect(change[half], evidence.owners[half]),
        )

    return Finding(
        kind,
        key,
        title,
        np.ones(len(evidence.y), dtype=bool),
        corrupted,
        searches,
        measure(searches),
        measure(~searches),
        int(searches.sum()),
        int((~searches).sum()),
        severity,
    )
