"""Fixtures: a ward that ran, copied for every test, and its batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from activesynth.domain.platform import Platform
from activesynth.domain.recalls import Selection
from activesynth.operations.recall import Recalled, recall
from backup_cases import all_rows
from copied_campaigns import copy_of, run_once
from erasure_cases import CLINIC
from platform_fixtures import PostgresServer
from recall_cases import ADA, head_manifest, run_ward, synthetic_of, ward_platform


@dataclass(frozen=True)
class Ward:
    platform: Platform
    url: str
    folder: Path

    def state(self) -> tuple[Any, ...]:
        rows = all_rows(self.url)
        return rows, sorted(self.platform.objects.digests())


@pytest.fixture(scope="session")
def ward_that_ran(
    postgres_server: PostgresServer,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("ward")
    return run_once(postgres_server, migrated_template, folder, ward_platform, run_ward)


@pytest.fixture
def ward(
    postgres_server: PostgresServer, ward_that_ran: tuple[str, Path], tmp_path: Path
) -> Iterator[Ward]:
    folder = tmp_path / "ward"
    with copy_of(ward_that_ran, postgres_server, folder, ward_platform) as copied:
        yield Ward(*copied)


def batch(platform: Platform, kind: str) -> Selection:
    """Return a batch of that kind which the head version holds."""
    rows = platform.reader.samples(CLINIC, limit=10_000)
    head = synthetic_of(platform, head_manifest(platform))
    own = next(row for row in rows if row["sample"] in head and row["weakness"])
    answers = platform.reader.answers_about(Selection(campaign=CLINIC, annotator=ADA))
    bought = next(a.sample for a in answers if a.kind == "label" and a.annotator == ADA)
    values: dict[str, Any] = {
        "iteration": own["iteration"],
        "generator": own["generator"],
        "weakness": own["weakness"],
        "annotator": ADA,
        "samples": (bought, *sorted(head)[:3]),
    }
    return Selection(campaign=CLINIC, **{kind: values[kind]})


def take_back(platform: Platform, selection: Selection, reason: str = "it was wrong") -> Recalled:
    return recall(selection, reason, platform, recalled_by="eve", is_doing=True)
