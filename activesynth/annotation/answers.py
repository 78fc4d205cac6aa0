"""Turning an opinion about a sample into an answer."""

from __future__ import annotations

from activesynth.domain.records import Annotation, QueueItem


def labelled(item: QueueItem, label: int, annotator: str) -> Annotation:
    """Answer with ``label``: accept where it was proposed, relabel otherwise."""
    return Annotation(
        item.id,
        item.sample,
        "accept" if label == item.proposed else "relabel",
        label,
        annotator,
        item.version,
    )


def rejected(item: QueueItem, annotator: str) -> Annotation:
    """Answer that the sample is of no use."""
    return Annotation(item.id, item.sample, "reject", None, annotator, item.version)


def skipped(item: QueueItem, annotator: str) -> Annotation:
    """Answer that this annotator cannot tell."""
    return Annotation(item.id, item.sample, "skip", None, annotator, item.version)
