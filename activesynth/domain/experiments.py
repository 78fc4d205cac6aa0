"""What lineage keeps beside campaigns: generators of their own, experiments and their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Phase = Literal["tuning", "confirmation"]


@dataclass(frozen=True, slots=True)
class GeneratorRecord:
    """A generator trained on a corpus of its own.

    ``card`` and ``corpus`` are digests of the model card and of the manifest of the rows it learnt
    from; ``document`` is the corpus file.
    """

    name: str
    card: str
    corpus: str
    licence: str
    rows: int
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CellRef:
    """One variant and one seed of a registered experiment."""

    experiment: str
    registration: str
    phase: Phase
    variant: str
    seed: int


@dataclass(frozen=True, slots=True)
class CellRecord:
    """A cell that was run and scored: its campaign, and the digest of what its arms predicted."""

    cell: CellRef
    campaign: str
    predictions: str


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A metric of one arm's models after one iteration, mean over replicates, on ``n`` rows."""

    variant: str
    seed: int
    iteration: int
    arm: str
    metric: str
    value: float
    n: int


class ExperimentStore(Protocol):
    """A part of :class:`activesynth.domain.ports.LineageStore`."""

    def record_generator(self, record: GeneratorRecord) -> None:
        """Keep a generator under its name; the same one again changes nothing.

        Raises:
            ConflictError: If the name stands for another generator.
        """
        ...

    def generator(self, name: str) -> GeneratorRecord:
        """Return the generator of that name.

        Raises:
            ConfigurationError: If there is none; the message names those there are.
        """
        ...

    def generators(self) -> list[GeneratorRecord]:
        """Return all of them, sorted by name."""
        ...

    def register_experiment(
        self,
        name: str,
        registration: str,
        document: Mapping[str, Any],
        *,
        confirmation: Sequence[int] = (),
    ) -> None:
        """Keep an experiment's document under its digest, before anything of it runs.

        Raises:
            ConflictError: If another document of that name was confirmed: what was learnt from it
                cannot be unlearnt, so a new plan needs a new name. Or if one of the seeds of
                ``confirmation`` has tuning cells under that name.
        """
        ...

    def record_cell(self, record: CellRecord, rows: Sequence[ScoreRow]) -> None:
        """Keep a cell with its scores in one transaction; one that is there already stays.

        Raises:
            ConflictError: If it confirms, and another plan of that name was confirmed meanwhile.
        """
        ...

    def cells(self, experiment: str, registration: str, phase: Phase) -> list[CellRecord]:
        """Return the cells that were scored, ordered by variant and seed."""
        ...

    def scores(self, experiment: str, registration: str, phase: Phase) -> list[ScoreRow]:
        """Return the scores of one registration, ordered by its key."""
        ...
