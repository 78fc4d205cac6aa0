"""Slices of the guide split as candidates for a weakness, each tested on two halves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activesynth.diagnosis.evidence import Evidence
from activesynth.domain.canonical import Array
from activesynth.domain.documents import WeaknessKind
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
    searches: Array,
    margin: float,
) -> Finding:
    """Compare the error rate in a slice with that outside, on each half.

    Args:
        kind: Kind of weakness.
        key: What it is called within its kind.
        title: What people read.
        members: Rows in the slice, ``(n,)`` bool.
        is_error: Rows predicted wrongly, ``(n,)`` bool.
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
        slice_finding(kind, key, title, members, is_error, searches, margin)
        for kind, key, title, members in parts
    ]


def corruption_findings(
    evidence: Evidence, severities: tuple[float, ...], searches: Array, margin: float
) -> list[list[Finding]]:
    """Return, per corruption, one finding for each severity, mildest first.

    Clean and corrupted predictions are of the same rows, so the comparison is paired. Every
    guide row is a member; its error is the one on the corrupted copy.
    """
    clean = evidence.probs.argmax(axis=1) != evidence.y
    order = np.argsort(severities, kind="stable")
    everyone = np.ones(len(evidence.y), dtype=bool)

    def finding(name: str, level: int) -> Finding:
        corrupted = evidence.corrupted[name][level].argmax(axis=1) != evidence.y

        def measure(half: Array) -> ExcessError:
            worsened = int((corrupted & ~clean & half).sum())
            improved = int((clean & ~corrupted & half).sum())
            return paired_excess_error(worsened, improved, int(half.sum()), margin)

        return Finding(
            "corruption",
            name,
            f"corruption {name} at severity {severities[level]:g}",
            everyone,
            corrupted,
            searches,
            measure(searches),
            measure(~searches),
            int(searches.sum()),
            int((~searches).sum()),
            float(severities[level]),
        )

    return [[finding(name, int(level)) for level in order] for name in sorted(evidence.corrupted)]
