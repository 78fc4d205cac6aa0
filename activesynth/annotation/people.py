"""People answer, in their own time."""

from __future__ import annotations

from collections.abc import Sequence

from activesynth.domain.exchange import AnnotationTask
from activesynth.domain.records import Annotation


class PeopleAnnotator:
    """Leaves every question in the queue, where the terminal and the pages offer it."""

    needs_people = True

    def annotate(self, tasks: Sequence[AnnotationTask], *, seed: int) -> list[Annotation]:
        """Answer nothing."""
        return []
