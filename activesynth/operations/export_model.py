"""Writing a trained model with its card, for use outside of the loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from activesynth.domain.canonical import decode_tensors, tensors_digest
from activesynth.domain.documents import ModelCard
from activesynth.domain.platform import Platform
from activesynth.errors import CorruptArtifactError
from activesynth.operations.placing import appearing


def export_model(
    model: str, platform: Platform, folder: Path, *, campaign: str | None = None
) -> None:
    """Write ``model.safetensors``, ``card.json`` and a readable ``README.md``.

    Args:
        model: Digest of the model's card.
        platform: Where it lies.
        folder: Must be new or empty.
        campaign: Whose latest committed numbers the readable card quotes.

    Raises:
        InputError: ``not_empty``.
        MissingArtifactError: If the store has no such model.
        CorruptArtifactError: If the tensors are not those that the card names.
    """
    card = ModelCard.decode(platform.objects.get(model))
    tensors = platform.objects.get(card.tensors)
    found = tensors_digest(decode_tensors(tensors))
    if found != card.tensors_digest:
        raise CorruptArtifactError(
            f"model {model}: the tensors have the digest {found}, the card says "
            f"{card.tensors_digest}; restore the store from a backup."
        )
    metrics = _latest(platform.reader.metrics(campaign)) if campaign is not None else []
    with appearing(folder) as target:
        (target / "model.safetensors").write_bytes(tensors)
        (target / "card.json").write_bytes(card.encode())
        (target / "README.md").write_text(_readme(model, card, metrics), encoding="utf-8")


def _latest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return whole-split numbers of the newest iteration that has any."""
    whole = [row for row in rows if row["slice"] == "all" and row["seed"] == -1]
    newest = max((row["iteration"] for row in whole), default=None)
    return sorted(
        (row for row in whole if row["iteration"] == newest),
        key=lambda row: (row["split"], row["name"], row["arm"]),
    )


def _readme(model: str, card: ModelCard, metrics: list[dict[str, Any]]) -> str:
    lines = [
        f"# Model {model[:12]}",
        "",
        f"A `{card.part}` in the role `{card.role}`, written by activesynth. Its tensors lie in "
        "`model.safetensors`; `card.json` says how to rebuild it.",
        "",
        "| what | value |",
        "|---|---|",
        f"| card | `{model}` |",
        f"| tensors | `{card.tensors_digest}` |",
        *(f"| {_cell(name)} | {_cell(value)} |" for name, value in sorted(card.facts.items())),
        "",
        "## Parameters",
        "",
        "```json",
        json.dumps(card.parameters, indent=2, sort_keys=True),
        "```",
    ]
    if metrics:
        lines += ["", *_table(metrics)]
    return "\n".join(lines) + "\n"


def _table(metrics: list[dict[str, Any]]) -> list[str]:
    return [
        f"## Numbers of iteration {metrics[0]['iteration']}",
        "",
        "Every arm of the iteration, so that the model's own row can be read against its controls.",
        "",
        "| split | metric | arm | value | 95 % interval | n |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row['split']} | {row['name']} | {row['arm']} | {row['value']:.4f} | "
            f"{_interval(row['low'], row['high'])} | {row['n']} |"
            for row in metrics
        ),
    ]


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.4f} to {high:.4f}"


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text.replace("|", "\\|").replace("\n", " ")[:200]
