"""What corruption does to a model, as rows of the metrics table."""

from __future__ import annotations

from activesynth.domain.records import MetricRow
from activesynth.evaluation.robustness import Robustness, Score


def robustness_rows(found: Robustness, *, arm: str, split: str, seed: int = -1) -> list[MetricRow]:
    """Return the numbers as metrics, each under a slice that says what was corrupted and how.

    ``corruption:none`` is the clean value, ``corruption:<kind>@<severity>`` a cell and
    ``corruption:<kind>`` its mean over severities. ``family:<name>``, ``known`` and ``unknown``
    come at each severity too (``known@0.4``), and as ``:mean`` and ``:worst`` kind over them.
    ``is_known`` is 1 for families that were trained on. Beside each metric stands
    ``<metric>_relative``, its share of the clean value, where there is
    one.

    Args:
        found: The numbers.
        arm: Whose model it is.
        split: Whose rows they are.
        seed: Which replicate; -1 for all together.
    """
    rows = []
    for part, by_metric in _parts(found):
        for name, score in by_metric.items():
            for named, one in ((name, score.value), (f"{name}_relative", score.relative)):
                if one is not None:
                    rows.append(
                        MetricRow(
                            arm, split, part, named, one.value, one.low, one.high, one.n, seed
                        )
                    )
    known = set() if found.known is None else set(found.known.kinds)
    return rows + [
        MetricRow(
            arm, split, f"family:{name}", "is_known", float(known.issuperset(one.kinds)), seed=seed
        )
        for name, one in found.families.items()
    ]


def _parts(found: Robustness) -> list[tuple[str, dict[str, Score]]]:
    """Return every slice with its score by metric."""
    clean = {name: Score(one, None) for name, one in found.clean.items()}
    parts = [("corruption:none", clean)]
    for kind in found.kinds:
        part = f"corruption:{kind.kind}"
        parts += [*_at_severities(part, kind.by_severity, found.severities), (part, kind.mean)]
    families = {f"family:{name}": summary for name, summary in found.families.items()}
    for part, summary in {"known": found.known, "unknown": found.unknown, **families}.items():
        if summary is not None:
            parts += _at_severities(part, summary.by_severity, found.severities)
            parts += [(f"{part}:mean", summary.mean), (f"{part}:worst", summary.worst)]
    return parts


def _at_severities(
    part: str, by_severity: dict[str, tuple[Score, ...]], severities: tuple[float, ...]
) -> list[tuple[str, dict[str, Score]]]:
    return [
        (f"{part}@{severity:g}", {name: scores[place] for name, scores in by_severity.items()})
        for place, severity in enumerate(severities)
    ]
