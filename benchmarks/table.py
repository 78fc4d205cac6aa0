"""The printed table."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measure import Case

_HEAD = ("case", "seconds", "ratio", "memory", "note")


def render(title: str, cases: Sequence[Case]) -> str:
    """Return a Markdown table; ratios are to the first case, memory is growth in MiB."""
    first = cases[0].seconds
    rows = [_HEAD, ("---", "---:", "---:", "---:", "---")]
    for case in cases:
        memory = "" if case.memory_mb is None else f"{case.memory_mb:.0f}"
        ratio = f"{case.seconds / first:.2f}" if first > 0 else ""
        rows.append((case.name, f"{case.seconds:.3f}", ratio, memory, case.note))
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([f"### {title}", "", *lines, ""])
