"""What lineage keeps between iterations: declarations, proposals, and diagnoses on demand."""

from __future__ import annotations

from typing import Any, Protocol

from activesynth.domain.proposals import ProposalReader, ProposalStore
from activesynth.domain.records import DiagnosisRecord


class OnDemandStore(ProposalStore, Protocol):
    """A part of :class:`activesynth.domain.ports.LineageStore`."""

    def declare_weakness(
        self, campaign: str, target: str, reason: str, *, is_withdrawn: bool = False
    ) -> bool:
        """Append that a person declares or withdraws a weakness; return False if it stood so.

        ``target`` is ``<kind>:<key>``. Nothing is ever changed or taken away.

        Raises:
            ConfigurationError: If there is no such campaign.
        """
        ...

    def declared_weaknesses(self, campaign: str) -> list[str]:
        """Return the targets that are declared and not withdrawn, sorted."""
        ...

    def find_diagnosis(self, campaign: str, run_key: str) -> DiagnosisRecord | None:
        """Return the diagnosis that a run asked for, or None."""
        ...

    def record_diagnosis(self, record: DiagnosisRecord) -> DiagnosisRecord:
        """Keep a diagnosis made on demand; the first one of a run stands and is returned."""
        ...


class OnDemandReader(ProposalReader, Protocol):
    """A part of :class:`activesynth.domain.ports.LineageReader`."""

    def declarations(
        self, campaign: str, *, after: int = 0, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return every declaration and withdrawal of a weakness with its reason, oldest first."""
        ...

    def diagnoses(self, campaign: str) -> list[dict[str, Any]]:
        """Return the diagnoses made on demand, oldest first."""
        ...

    def artifacts(self, campaign: str, step: str) -> dict[str, str]:
        """Return name -> digest of a step's artifacts in the newest committed iteration, or {}."""
        ...
