"""Words for what a sample is asked to be."""

from __future__ import annotations

import string

from activesynth.domain.canonical import Array

LEVEL_NAMES = ("low", "middle", "high")


def prompts(
    template: str, names: tuple[str, ...], labels: Array, clusters: Array, levels: Array
) -> list[str]:
    """Return a prompt per row; what stands between two commas goes where a value of it is free.

    Args:
        template: Words with ``{class}``, ``{cluster}`` and ``{level}``.
        names: A name for each label.
        labels: ``(n,)`` int64, -1 is free.
        clusters: ``(n,)`` int64, likewise.
        levels: ``(n,)`` int64 in [-1, 3), the uncertainty level.
    """
    clauses = [(clause.strip(), _placeholders(clause)) for clause in template.split(",")]
    rows = zip(labels.tolist(), clusters.tolist(), levels.tolist(), strict=True)
    return [_prompt(clauses, _words(names, *row)) for row in rows]


def _prompt(clauses: list[tuple[str, set[str]]], words: dict[str, str]) -> str:
    kept = [clause.format(**words) for clause, needed in clauses if needed <= words.keys()]
    return ", ".join(kept)


def _words(names: tuple[str, ...], label: int, cluster: int, level: int) -> dict[str, str]:
    words = {}
    if label >= 0:
        words["class"] = names[label]
    if cluster >= 0:
        words["cluster"] = str(cluster)
    if level >= 0:
        words["level"] = LEVEL_NAMES[level]
    return words


def _placeholders(clause: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(clause) if name is not None}
