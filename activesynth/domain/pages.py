"""What the pages read beside reports: one page at a time, by keys, without going through all."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Protocol

from activesynth.domain.recalls import RecallReader, RecallRecord
from activesynth.domain.sharing import OpinionReader


class PageReader(OpinionReader, RecallReader, Protocol):
    """A part of :class:`activesynth.domain.ports.LineageReader`; committed facts as plain rows."""

    def run(self, run_key: str) -> dict[str, Any] | None:
        """Return campaign, iteration, state, fence and failure of the iteration of a run."""

    def weaknesses(
        self, campaign: str, *, after: tuple[int, str] | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the weakness history, all of it or what follows an (iteration, weakness)."""

    def weaknesses_of(self, campaign: str, iteration: int) -> list[dict[str, Any]]:
        """Return the weakness history of one iteration."""

    def open_questions(self) -> dict[str, int]:
        """Return how many questions of each campaign's active iteration have no answer yet."""

    def campaign_state(self, campaign: str) -> tuple[Any, ...]:
        """Return what changes whenever anything committed of a campaign changes."""

    def verdicts(
        self, campaign: str, iterations: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Return counts of synthetic samples by iteration, weakness, verdict and reason."""

    def headlines(
        self, campaign: str, iterations: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Return the metric rows over all rows and replicates, and how many were retrieved."""

    def fairness(self, campaign: str) -> list[dict[str, Any]]:
        """Return how differently groups of people were served by each arm, by iteration."""

    def costs_of(self, campaign: str, iterations: Sequence[int]) -> list[dict[str, Any]]:
        """Return seconds, device and peak memory of each step of these iterations."""

    def lifts(self, campaign: str, iterations: Sequence[int]) -> list[dict[str, Any]]:
        """Return what these iterations gained, over all rows and replicates."""

    def sample_place(self, campaign: str, sample: str) -> dict[str, Any] | None:
        """Return shard and row of a sample, of a real one as of an open question's."""

    def schedules(self) -> dict[str, str]:
        """Return when the datasets of campaigns are refreshed, of those that are: cron fields."""

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
        score: str | None = None,
        least: float = -inf,
        most: float = inf,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return synthetic samples of an iteration by id, those of a page, with their parents.

        ``score`` names one of the scores, which then lies from ``least`` to ``most``. Second comes
        the key of the page to ask for ``after``, None at the end; a page by score may be short.
        """

    def step_artifacts(self, campaign: str, iteration: int, step: str) -> dict[str, str]:
        """Return name -> digest of what a step of a committed iteration wrote, or {}."""

    def versions(self, campaign: str, limit: int = 200) -> list[dict[str, Any]]:
        """Return the newest versions of a campaign, with origin, rows and iteration."""

    def version_members(
        self, campaign: str, version: str, *, after: str = "", limit: int = 60
    ) -> list[dict[str, Any]]:
        """Return recorded samples of a version by id, with split, weight, origin and verdict."""

    def models_of(self, campaign: str, version: str) -> list[dict[str, Any]]:
        """Return the models that were trained on a version or candidate manifest."""

    def ancestors(self, campaign: str, version: str, limit: int) -> list[dict[str, Any]]:
        """Return a version and its nearest ancestors, in this order; [] where there is none."""

    def newest_recalls(self, campaign: str, limit: int) -> list[RecallRecord]:
        """Return what was taken back, newest first."""

    def sample_row(self, campaign: str, sample: str) -> dict[str, Any] | None:
        """Return a sample with its weakness, its parents and the decision of its iteration."""

    def sample_manifests(
        self, campaign: str, sample: str, limit: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Return manifests that hold a sample, versions first, the newest first; and how many."""

    def sample_models(
        self, campaign: str, sample: str, limit: int
    ) -> tuple[list[dict[str, Any]], int]:
        """Return models that learnt from a sample, the newest first; and how many there are."""

    def newest_declarations(self, campaign: str, limit: int) -> list[dict[str, Any]]:
        """Return the newest declarations and withdrawals of weaknesses, oldest first."""

    def sample_answers(self, campaign: str, sample: str) -> list[dict[str, Any]]:
        """Return every answer about a sample in committed iterations, oldest first."""
