"""A lineage reader over rows made by hand, and rows to put into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from activesynth.domain.recalls import (
    Answered,
    BatchKind,
    Interval,
    LinedVersion,
    RecallRecord,
    Selection,
)
from activesynth.domain.records import BlobMention, BlobUse, BrokenRow, RecordedBlob
from activesynth.domain.standing import Standing

Row = dict[str, Any]


@dataclass
class RowReader:
    """Answers from lists, as the database would from tables."""

    iteration_rows: list[Row] = field(default_factory=list)
    metric_rows: list[Row] = field(default_factory=list)
    weakness_rows: list[Row] = field(default_factory=list)
    sample_rows: list[Row] = field(default_factory=list)
    cost_rows: list[Row] = field(default_factory=list)
    opinion_rows: list[Row] = field(default_factory=list)

    def campaigns(self) -> list[Row]:
        return []

    def standings(self) -> list[Standing]:
        return []

    def retrieved(self, campaign: str) -> list[Row]:
        return []

    def rechecks(self, campaign: str) -> list[Row]:
        return []

    def opinions(self, campaign: str) -> list[Row]:
        return self.opinion_rows

    def declarations(self, campaign: str, *, after: int = 0, limit: int | None = None) -> list[Row]:
        return []

    def diagnoses(self, campaign: str) -> list[Row]:
        return []

    def artifacts(self, campaign: str, step: str) -> dict[str, str]:
        return {}

    def recorded_blobs(self, campaign: str | None) -> Iterator[RecordedBlob]:
        return iter(())

    def blob_uses(self, digests: Sequence[str]) -> list[BlobUse]:
        return []

    def blob_mentions(self, campaign: str | None) -> Iterator[BlobMention]:
        return iter(())

    def broken_rows(self, campaign: str | None) -> list[BrokenRow]:
        return []

    def run(self, run_key: str) -> Row | None:
        return None

    def schedules(self) -> dict[str, str]:
        return {}

    def fairness(self, campaign: str) -> list[Row]:
        return []

    def open_questions(self) -> dict[str, int]:
        return {}

    def verdicts(self, campaign: str, iterations: Sequence[int] | None = None) -> list[Row]:
        kept = ("iteration", "weakness", "verdict", "verdict_reason")
        counts = Counter(tuple(row[name] for name in kept) for row in self.sample_rows)
        return [
            {**dict(zip(kept, key, strict=True)), "count": count} for key, count in counts.items()
        ]

    def campaign_state(self, campaign: str) -> tuple[Any, ...]:
        return ()

    def headlines(self, campaign: str, iterations: Sequence[int] | None = None) -> list[Row]:
        return [
            row
            for row in self.metric_rows
            if (row["slice"] == "all" and row["seed"] < 0) or row["name"] == "retrieved"
        ]

    def costs_of(self, campaign: str, iterations: Sequence[int]) -> list[Row]:
        return [row for row in self.cost_rows if row["iteration"] in iterations]

    def lifts(self, campaign: str, iterations: Sequence[int]) -> list[Row]:
        return []

    def ancestors(self, campaign: str, version: str, limit: int) -> list[Row]:
        return []

    def newest_recalls(self, campaign: str, limit: int) -> list[RecallRecord]:
        return []

    def sample_row(self, campaign: str, sample: str) -> Row | None:
        return None

    def sample_manifests(self, campaign: str, sample: str, limit: int) -> tuple[list[Row], int]:
        return [], 0

    def sample_models(self, campaign: str, sample: str, limit: int) -> tuple[list[Row], int]:
        return [], 0

    def sample_place(self, campaign: str, sample: str) -> Row | None:
        return None

    def candidates(
        self, campaign: str, iteration: int, **wanted: Any
    ) -> tuple[list[Row], str | None]:
        return [], None

    def step_artifacts(self, campaign: str, iteration: int, step: str) -> dict[str, str]:
        return {}

    def newest_declarations(self, campaign: str, limit: int) -> list[Row]:
        return []

    def versions(self, campaign: str, limit: int = 200) -> list[Row]:
        return []

    def version_members(
        self, campaign: str, version: str, *, after: str = "", limit: int = 60
    ) -> list[Row]:
        return []

    def models_of(self, campaign: str, version: str) -> list[Row]:
        return []

    def sample_answers(self, campaign: str, sample: str) -> list[Row]:
        return []

    def proposed_plans(self, campaign: str) -> list[Row]:
        return []

    def last_weaknesses(self, campaign: str) -> list[Row]:
        return []

    def plan_seconds(self, campaign: str) -> list[Row]:
        return []

    def recalls(self, campaign: str) -> list[RecallRecord]:
        return []

    def has_batch(self, selection: Selection) -> bool:
        return False

    def batch_names(self, campaign: str, kind: BatchKind, limit: int, after: str = "") -> list[str]:
        return []

    def batch_ids(self, selection: Selection) -> frozenset[str]:
        return frozenset()

    def answers_about(self, selection: Selection) -> list[Answered]:
        return []

    def version_line(self, campaign: str) -> list[LinedVersion]:
        return []

    def batch_members(
        self, selection: Selection, samples: Sequence[str]
    ) -> dict[str, tuple[int, int | None]]:
        return {}

    def batch_sizes(self, selection: Selection, samples: Sequence[str]) -> tuple[int, int]:
        return 0, 0

    def train_members(
        self, campaign: str, intervals: Sequence[Interval], line: Sequence[LinedVersion]
    ) -> dict[str, int]:
        return {}

    def models_on(
        self, campaign: str, manifests: Sequence[str], versions: Sequence[str]
    ) -> list[Row]:
        return []

    def moved_metrics(
        self, campaign: str, arms: Sequence[tuple[int, str]], limit: int
    ) -> tuple[int, list[Row]]:
        return 0, []

    def iterations(self, campaign: str, *, after: int = -1, limit: int | None = None) -> list[Row]:
        return [row for row in self.iteration_rows if row["iteration"] > after][:limit]

    def metrics(self, campaign: str, iteration: int | None = None) -> list[Row]:
        return [r for r in self.metric_rows if iteration is None or r["iteration"] == iteration]

    def weaknesses(
        self, campaign: str, *, after: tuple[int, str] | None = None, limit: int | None = None
    ) -> list[Row]:
        return self.weakness_rows[:limit]

    def weaknesses_of(self, campaign: str, iteration: int) -> list[Row]:
        return [row for row in self.weakness_rows if row["iteration"] == iteration]

    def samples(
        self, campaign: str, *, iteration: int | None = None, limit: int = 100, after: str = ""
    ) -> list[Row]:
        rows = sorted(self.sample_rows, key=lambda row: str(row["sample"]))
        wanted = [r for r in rows if iteration is None or r["iteration"] == iteration]
        return [row for row in wanted if row["sample"] > after][:limit]

    def sample(self, sample_id: str) -> list[Row]:
        return [row for row in self.sample_rows if row["sample"] == sample_id]

    def ancestry(self, version: str) -> list[Row]:
        return []

    def models(self, campaign: str) -> list[Row]:
        return []

    def step_costs(self, campaign: str) -> list[Row]:
        return self.cost_rows


def make_iteration(number: int = 0, decision: str = "refused", **values: Any) -> Row:
    return {
        "iteration": number,
        "decision": decision,
        "reason": "the bound is under the margin.",
        "version": "ab" * 32,
        **values,
    }


def make_metric(name: str, value: float, **values: Any) -> Row:
    row: Row = {"iteration": 0, "arm": "targeted", "split": "guide", "slice": "all"}
    return {**row, "name": name, "value": value, "low": None, "high": None, "n": 9, "seed": -1} | (
        values
    )


def make_sample(sample_id: str, verdict: str = "accepted", **values: Any) -> Row:
    row: Row = {
        "sample": sample_id,
        "iteration": 0,
        "weakness": "class:8",
        "verdict": verdict,
        "weakness_title": "class 8",
    }
    more: Row = {
        "verdict_reason": "",
        "shard": "",
        "row": 0,
        "label": 0,
        "scores": {},
        "parents": (),
    }
    more["weakness_title"] = "class 8"
    return {**row, **more, **values}


def make_weakness(iteration: int, state: str, **values: Any) -> Row:
    row: Row = {"iteration": iteration, "weakness": "class:8", "title": "class 8", "state": state}
    return {**row, "kind": "class", "gap": 0.2, "low": 0.1, "high": 0.3, "n": 30, **values}
