"""Fixtures: a clinic that ran, copied for every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from activesynth.domain.erasure import Erasure
from activesynth.domain.platform import Platform
from activesynth.domain.ports import ObjectStore
from activesynth.lineage.archive import PostgresArchive
from activesynth.operations.erase_backup import clean_backup
from copied_campaigns import copy_of, run_once
from erasure_cases import by_group, clinic_platform, run_clinic, traces_left
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
    folder = tmp_path_factory.mktemp("clinic")
    return run_once(postgres_server, migrated_template, folder, clinic_platform, run_clinic)


@pytest.fixture
def clinic(
    postgres_server: PostgresServer, clinic_that_ran: tuple[str, Path], tmp_path: Path
) -> Iterator[Clinic]:
    folder = tmp_path / "clinic"
    with copy_of(clinic_that_ran, postgres_server, folder, clinic_platform) as copied:
        yield Clinic(*copied)


def cleaning(
    clinic: Clinic, group: str, folder: Path, vault: ObjectStore, server: PostgresServer
) -> Callable[[Erasure], list[dict[str, Any]]]:
    """Return what erases a patient from a backup of the clinic."""

    @contextmanager
    def scratch() -> Iterator[tuple[Platform, PostgresArchive]]:
        name = server.create_database()
        url = server.url(name)
        with (
            closing(PostgresArchive(url)) as archive,
            clinic_platform(url, clinic.folder.parent / "scratch") as platform,
        ):
            yield platform, archive
        server.drop_database(name)

    def cleaned(known: Erasure) -> list[dict[str, Any]]:
        asked = replace(by_group(group), id=known.id, salt=known.salt)
        gone = list(clinic.platform.lineage.erased_blobs())
        objects, clock = clinic.platform.objects, clinic.platform.clock
        return [clean_backup(folder, asked, scratch, vault, objects, gone, clock)]

    return cleaned
