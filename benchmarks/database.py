"""A PostgreSQL of a benchmark's own, in a temporary folder, stopped and removed afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from activesynth.bootstrap import open_platform
from activesynth.config.settings import Settings
from activesynth.domain.platform import Platform
from activesynth.embedded.postgres import PostgresServer
from activesynth.lineage.migrate import upgrade


@dataclass(frozen=True, slots=True)
class Place:
    """Where a benchmark may write: a folder and the address of a migrated database."""

    folder: Path
    url: str


@contextmanager
def temporary_database() -> Iterator[Place]:
    """Run the embedded platform's own PostgreSQL while the block lasts, with its own settings."""
    with tempfile.TemporaryDirectory(prefix="activesynth-bench-") as name:
        folder = Path(name)
        server = PostgresServer(folder / "postgres", folder / "postgres.log")
        try:
            url = server.start().url("activesynth")
            upgrade(url)
            yield Place(folder, url)
        finally:
            server.stop()


@contextmanager
def temporary_platform() -> Iterator[tuple[Platform, Path]]:
    """Yield a platform with that database and a folder as object store, and the folder."""
    with temporary_database() as place:
        settings = Settings(
            home=place.folder / "home",
            database_url=SecretStr(place.url),
            objects_url=f"file://{place.folder / 'objects'}",
            device="cpu",
        )
        with open_platform(settings) as platform:
            yield platform, place.folder
