"""A patient withdraws: nothing of the patient is left, and nothing else is touched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from activesynth.domain.platform import Platform
from activesynth.domain.samples import SampleSet
from activesynth.operations.fsck import fsck
from activesynth.steps.loop import run
from erasure_cases import (
    CLINIC,
    clinic_platform,
    erase_patient,
    patients_in,
    rows_by_place,
    run_clinic,
    traces_left,
)
from platform_fixtures import PostgresServer

SPLITS = ("train", "pool", "guide", "judge", "gate", "test")


@dataclass(frozen=True)
class Clinic:
    platform: Platform
    url: str
    folder: Path

    def left_of(self, group: str) -> list[str]:
        return traces_left(group, self.url, self.folder)


@pytest.fixture(scope="module")
def ran(
    postgres_server: PostgresServer,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Path]:
    name = postgres_server.create_database(migrated_template)
    folder = tmp_path_factory.mktemp("clinic")
    with clinic_platform(postgres_server.url(name), folder) as platform:
        run_clinic(platform)
    return name, folder


@pytest.fixture
def clinic(
    postgres_server: PostgresServer, ran: tuple[str, Path], tmp_path: Path
) -> Iterator[Clinic]:
    """Open a copy of the clinic's database on a copy of its folder."""
    name, folder = ran
    copy = postgres_server.create_database(name)
    shutil.copytree(folder, tmp_path / "clinic")
    url = postgres_server.url(copy)
    with clinic_platform(url, tmp_path / "clinic") as platform:
        yield Clinic(platform, url, tmp_path / "clinic")
    postgres_server.drop_database(copy)


def values(rows: SampleSet) -> dict[str, list[object]]:
    """Return every row by id, all but the names of ancestors, which may be blanked."""
    columns = {n: c for n, c in rows.columns.items() if n not in ("parents",)}
    return {
        sample: [
            rows.x[n].tobytes(),
            int(rows.y[n]),
            str(rows.groups[n]),
            *(columns[name][n].item() for name in sorted(columns)),
        ]
        for n, sample in enumerate(rows.ids.tolist())
    }


def test_nothing_is_left_of_patients_of_every_split_and_all_others_stay(clinic: Clinic) -> None:
    platform = clinic.platform
    chosen = {split: patients_in(platform, split)[0] for split in SPLITS}
    assert all(clinic.left_of(group) for group in chosen.values())

    for split, group in chosen.items():
        before = {name: values(rows) for name, rows in rows_by_place(platform).items()}
        old = platform.lineage.campaign(CLINIC)
        own = {i for i, row in before[split].items() if f"note on {group}" in row}
        done = erase_patient(platform, group)

        assert clinic.left_of(group) == [], split
        after = {name: values(rows) for name, rows in rows_by_place(platform).items()}
        for name in before:
            lost = before[name].keys() - after[name].keys()
            copies = {i for i in lost if i in before.get("synthetic", {})}
            assert lost - copies <= own, (split, name)
            assert len(copies) <= done.certificate["erased"]["copies"]
            assert after[name] == {i: r for i, r in before[name].items() if i in after[name]}
        assert own
        if split == "train":
            assert done.certificate["erased"]["copies"]
        assert done.certificate["erased"]["samples"] >= len(own)
        assert platform.reader.ancestry(str(platform.lineage.campaign(CLINIC).head))
        assert platform.lineage.campaign(CLINIC).head != old.head
        report = fsck(platform)
        assert report.is_clean, (split, report)
        assert report.erased
    run(platform, conf={"campaign": CLINIC, "iterations": 1})
    assert fsck(platform).is_clean
    assert [clinic.left_of(group) for group in chosen.values()] == [[]] * len(chosen)
