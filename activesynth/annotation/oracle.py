"""Answers for experiments: hidden labels, and a simulated expert for synthetic samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from activesynth.annotation.answers import labelled, rejected, skipped
from activesynth.annotation.parameters import Oracle
from activesynth.domain.canonical import derive_seed
from activesynth.domain.exchange import AnnotationTask
from activesynth.domain.records import Annotation

ORACLE = "oracle"
EXPERT = "simulated_expert"


class OracleAnnotator:
    """Reveals hidden labels; where there is none, a reference model plays an expert.

    The expert sees synthetic samples only. It accepts when the reference model's first choice is
    the proposed label, relabels when the reference is sure of another, and rejects otherwise.
    """

    needs_people = False

    def __init__(self, parameters: Oracle) -> None:
        """Remember how often to be wrong and how sure to be."""
        self._parameters = parameters

    def annotate(self, tasks: Sequence[AnnotationTask], *, seed: int) -> list[Annotation]:
        """Answer every task; an item's errors depend on the seed and the item, not the batch."""
        return [self._answer(task, seed) for task in tasks]

    def _answer(self, task: AnnotationTask, seed: int) -> Annotation:
        item = task.item
        if task.hidden is not None:
            return labelled(item, self._maybe_wrong(task, task.hidden, seed), ORACLE)
        if item.proposed is None or item.kind == "recheck":
            # A model's opinion would only repeat the doubt that the question came from.
            return skipped(item, ORACLE)
        opinion = self._maybe_wrong(task, int(np.argmax(task.reference)), seed)
        is_sure = float(np.max(task.reference)) > self._parameters.confidence
        if opinion == item.proposed or is_sure:
            return labelled(item, opinion, EXPERT)
        return rejected(item, EXPERT)

    def _maybe_wrong(self, task: AnnotationTask, label: int, seed: int) -> int:
        rng = np.random.default_rng(derive_seed("annotator", seed, task.item.id))
        if rng.random() >= self._parameters.error_rate:
            return label
        classes = len(task.reference)
        return int((label + rng.integers(1, classes)) % classes) if classes > 1 else label
