"""What a backup says of itself, and the port that saves all records and loads them again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Protocol, Self

from pydantic import Field

from activesynth.domain.canonical import canonical_json, sha256
from activesynth.domain.documents import Document
from activesynth.domain.platform import Report
from activesynth.domain.records import RecordedBlob
from activesynth.errors import CorruptArtifactError

Name = Annotated[str, Field(pattern=r"^[a-z_]{1,63}$")]


class SavedFile(Document):
    """The digest and size of a file in a backup."""

    sha256: str
    bytes: int


class SavedTable(SavedFile):
    """A file with all rows of a table, as PostgreSQL's COPY writes these columns as text."""

    columns: tuple[Name, ...]
    rows: int


class SavedBlobs(SavedFile):
    """The file that lists blobs; ``are_copied`` tells whether the blobs themselves lie beside.

    ``count`` and ``total_bytes`` are those of the blobs.
    """

    count: int
    total_bytes: int
    are_copied: bool


class CampaignHead(Document):
    """Where a campaign stood."""

    head: str | None
    head_model: str | None
    iterations: int


class Backup(Document):
    """One snapshot: all records at one moment, and the blobs that they reach.

    ``lost`` names blobs that were not in the store as recorded when the backup was made, and what
    was found instead; they are in no list.
    """

    format: Literal[1] = 1
    revision: Annotated[str, Field(pattern=r"^\d{4}$")]
    taken_at: datetime
    tables: dict[Name, SavedTable]
    heads: dict[str, CampaignHead]
    blobs: SavedBlobs
    lost: dict[str, str]

    def sealed(self) -> bytes:
        """Return JSON for people with its own digest in it."""
        document = self.model_dump(mode="json")
        sealed = {**document, "sha256": sha256(canonical_json(document))}
        return json.dumps(sealed, indent=1, sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def unsealed(cls, data: bytes) -> Self:
        """Parse what :meth:`sealed` wrote.

        Raises:
            CorruptArtifactError: If it is no such document, or differs from what was written.
        """
        try:
            document = json.loads(data)
            seal = document.pop("sha256")
            if sha256(canonical_json(document)) == seal:
                return cls.decode(canonical_json(document))
        except (ValueError, KeyError, AttributeError, TypeError):
            pass
        raise CorruptArtifactError("it is no such document, or not the one that was written")


@dataclass(frozen=True, slots=True)
class SavedRecords:
    """What one snapshot of the records holds, and the blobs that its rows name."""

    revision: str
    tables: dict[str, SavedTable]
    heads: dict[str, CampaignHead]
    recorded: list[RecordedBlob]


class LineageArchive(Protocol):
    """All records of a lineage database as files, and back."""

    def save(self, folder: Path, report: Report) -> SavedRecords:
        """Write ``<folder>/<table>.copy`` for every table, all as of one moment.

        Nobody waits for it and nothing is changed.
        """
        ...

    def check_vacant(self, revision: str) -> None:
        """Return where records of ``revision`` can be loaded: the database holds none of ours.

        Raises:
            PlatformStateError: ``newer_tables`` if this version does not know the revision.
            ConflictError: ``used_database`` if there are records.
        """
        ...

    def load(self, folder: Path, backup: Backup, report: Report) -> None:
        """Load what :meth:`save` wrote and migrate it to this version, wholly or not at all.

        Raises:
            CorruptArtifactError: If files and database do not fit together.
            ConflictError: As :meth:`check_vacant`, whoever wrote meanwhile.
        """
        ...

    def counts(self) -> dict[str, int]:
        """Return the number of rows in every table."""
        ...

    def heads(self) -> dict[str, CampaignHead]:
        """Return where every campaign stands."""
        ...
