"""The three ports that one lineage database serves, opened together."""

from __future__ import annotations

from dataclasses import dataclass

from activesynth.domain.effects import Effects
from activesynth.lineage.engine import Database, make_engine
from activesynth.lineage.queue import PostgresAnnotationQueue
from activesynth.lineage.reader import PostgresLineageReader
from activesynth.lineage.store import PostgresLineageStore


@dataclass(frozen=True, slots=True)
class Lineage:
    """Store, queue and reader over one pool of connections; :meth:`close` returns them."""

    store: PostgresLineageStore
    queue: PostgresAnnotationQueue
    reader: PostgresLineageReader
    database: Database

    def close(self) -> None:
        """Close the pool's idle connections."""
        self.database.close()


def open_lineage(url: str, effects: Effects) -> Lineage:
    """Open the lineage database at ``url``; nothing is connected before the first use.

    Raises:
        ConfigurationError: If ``url`` is not an address of PostgreSQL.
    """
    database = Database(make_engine(url), effects)
    return Lineage(
        PostgresLineageStore(database),
        PostgresAnnotationQueue(database),
        PostgresLineageReader(database),
        database,
    )
