"""Campaigns that have run, for tests that damage, save or collect what they left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from damage_laboratory import Laboratory, laboratory
from platform_fixtures import PostgresServer


@pytest.fixture(scope="module")
def template(
    postgres_server: PostgresServer,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Path]:
    """Run one campaign for this module; return its database, to copy, and its folder."""
    name = postgres_server.create_database(migrated_template)
    folder = tmp_path_factory.mktemp("lab")
    with laboratory(postgres_server.url(name), folder):
        pass
    return name, folder


@pytest.fixture
def lab(postgres_server: PostgresServer, template: tuple[str, Path]) -> Iterator[Laboratory]:
    """Open a copy of the campaign's database on its folder."""
    name, folder = template
    copy = postgres_server.create_database(name)
    with laboratory(postgres_server.url(copy), folder, is_run=True) as opened:
        yield opened
    postgres_server.drop_database(copy)


@pytest.fixture(scope="module")
def one_lab(
    postgres_server: PostgresServer,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Laboratory]:
    """Run one campaign for the module, whose tests share it."""
    name = postgres_server.create_database(migrated_template)
    with laboratory(postgres_server.url(name), tmp_path_factory.mktemp("lab")) as opened:
        yield opened
    postgres_server.drop_database(name)
