"""Fixtures: a clinic that ran, copied for every test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from activesynth.domain.platform import Platform
from erasure_cases import clinic_platform, run_clinic, traces_left
from platform_fixtures import PostgresServer


@dataclass(frozen=True)
class Clinic:
    platform: Platform
    url: str
    folder: Path

    def left_of(self, group: str) -> list[str]:
        return traces_left(group, self.url, self.folder)


@pytest.fixture(scope="session")
def clinic_that_ran(
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
    postgres_server: PostgresServer, clinic_that_ran: tuple[str, Path], tmp_path: Path
) -> Iterator[Clinic]:
    """Open a copy of the clinic's database on a copy of its folder."""
    name, folder = clinic_that_ran
    copy = postgres_server.create_database(name)
    shutil.copytree(folder, tmp_path / "clinic")
    url = postgres_server.url(copy)
    with clinic_platform(url, tmp_path / "clinic") as platform:
        yield Clinic(platform, url, tmp_path / "clinic")
    postgres_server.drop_database(copy)
