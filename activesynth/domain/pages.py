"""What the pages read beside reports: one page at a time, by keys, without going through all."""

from __future__ import annotations

from typing import Any, Protocol

from activesynth.domain.recalls import RecallReader
from activesynth.domain.sharing import OpinionReader


class PageReader(OpinionReader, RecallReader, Protocol):
    """A part of :class:`activesynth.domain.ports.LineageReader`; committed facts as plain rows."""

    def run(self, run_key: str) -> dict[str, Any] | None:
        """Return campaign, iteration, state, fence and failure of the iteration of a run."""

    def open_questions(self) -> dict[str, int]:
        """Return how many questions of each campaign's active iteration have no answer yet."""

    def verdicts(self, campaign: str) -> list[dict[str, Any]]:
        """Return counts of synthetic samples by iteration, arm's purpose, verdict and reason."""

    def sample_place(self, campaign: str, sample: str) -> dict[str, Any] | None:
        """Return shard and row of a sample, of a real one as of an open question's."""

    def candidates(
        self,
        campaign: str,
        iteration: int,
        *,
        after: str = "",
        limit: int = 60,
        verdict: str | None = None,
        reason: str | None = None,
        weakness: str | None = None,
        label: int | None = None,
    ) -> list[dict[str, Any]]:
        """Return synthetic samples of an iteration by id, those of a page, with their parents."""

    def step_artifacts(self, campaign: str, iteration: int, step: str) -> dict[str, str]:
        """Return name -> digest of what a step of a committed iteration wrote, or {}."""

    def versions(self, campaign: str) -> list[dict[str, Any]]:
        """Return the versions of a campaign, newest first, with origin, rows and iteration."""

    def version_members(
        self, campaign: str, version: str, *, after: str = "", limit: int = 60
    ) -> list[dict[str, Any]]:
        """Return recorded samples of a version by id, with split, weight, origin and verdict."""

    def models_of(self, campaign: str, version: str) -> list[dict[str, Any]]:
        """Return the models that were trained on a version or candidate manifest."""

    def sample_answers(self, campaign: str, sample: str) -> list[dict[str, Any]]:
        """Return every answer about a sample in committed iterations, oldest first."""
