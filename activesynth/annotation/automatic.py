"""The ensemble answers for itself, where its calibrated confidence is high enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from activesynth.annotation.answers import labelled, skipped
from activesynth.annotation.parameters import Automatic
from activesynth.domain.exchange import AnnotationTask
from activesynth.domain.records import Annotation

NAME = "automatic"


class AutomaticAnnotator:
    """Takes the ensemble's label above a confidence and skips all else.

    Teaches a model what it already believes: useful to save questions, never to correct it. So a
    label that the model doubts is left alone: it would be judge of its own doubt.
    """

    needs_people = False

    def __init__(self, parameters: Automatic) -> None:
        """Remember the confidence to ask for."""
        self._parameters = parameters

    def annotate(self, tasks: Sequence[AnnotationTask], *, seed: int) -> list[Annotation]:
        """Answer every task; ``seed`` is not needed."""
        return [
            labelled(task.item, int(np.argmax(task.probs)), NAME)
            if task.item.kind != "recheck"
            and float(np.max(task.probs)) >= self._parameters.confidence
            else skipped(task.item, NAME)
            for task in tasks
        ]
