"""The protocol one writes first: head moves, then rows follow, and events have no key.

The negative control of the kill suite, which must catch it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from activesynth.domain.effects import Effects, Unwatched
from activesynth.domain.platform import Platform
from activesynth.domain.records import Bundle, Event, IterationCommit
from activesynth.lineage.bundles import merge_bundle, stage_bundle
from activesynth.lineage.engine import Database, make_engine
from activesynth.lineage.store import PostgresLineageStore
from toy_plane import plane_platform


class NaiveLineageStore(PostgresLineageStore):
    """Commits the head first and its rows afterwards, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._connections = database

    def commit_iteration(self, commit: IterationCommit) -> bool:
        head_only = replace(commit, bundle=Bundle(version=commit.bundle.version))
        if not super().commit_iteration(head_only):
            return False
        rest = replace(commit.bundle, version=None)
        with self._connections.writing("naive rows") as connection:
            merge_bundle(
                connection,
                stage_bundle(connection, commit.ref.campaign, commit.ref.number, rest),
            )
        return True


class NaiveSink:
    """Writes each delivery under a new name, so a repeated one is doubled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, event: Event) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / uuid.uuid4().hex).write_text(event.key)


@contextmanager
def naive_platform(
    database_url: str, folder: Path, effects: Effects | None = None
) -> Iterator[Platform]:
    """Open the toy platform with the naive commit and the naive sink."""
    with (
        plane_platform(database_url, folder, effects) as platform,
        closing(_Disposed(database_url, effects or Unwatched())) as own,
    ):
        yield replace(
            platform,
            lineage=NaiveLineageStore(own.database),
            sink=NaiveSink(folder / "events"),
        )


class _Disposed:
    def __init__(self, url: str, effects: Effects) -> None:
        self._engine = make_engine(url)
        self.database = Database(self._engine, effects)

    def close(self) -> None:
        self._engine.dispose()
