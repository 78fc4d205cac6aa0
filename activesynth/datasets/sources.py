"""Sources that read files from outside: found here, decoded apart, then named by content."""

from __future__ import annotations

from pathlib import Path

from activesynth.datasets.assembly import assemble
from activesynth.datasets.locations import located_file, located_folder, located_path
from activesynth.datasets.parameters import (
    FolderParameters,
    NpzParameters,
    ParquetParameters,
    SourceParameters,
)
from activesynth.datasets.sandbox import decode_apart
from activesynth.domain.exchange import SourceData


class NpzSource:
    """Arrays in an npz archive, never a pickle, and perhaps a table beside it."""

    def __init__(self, parameters: NpzParameters) -> None:
        """Remember what to read."""
        self._parameters = parameters

    def read(self) -> SourceData:
        """Return the rows of the archive.

        Raises:
            InputError: ``missing_path``, ``not_a_file``, or what the reader or the sandbox says.
        """
        given = self._parameters
        if given.table is not None:
            table = located_file(given.table, "source.parameters.table").absolute()
            given = given.model_copy(update={"table": table})
        return _read("npz", given, located_file(given.path))


class FolderSource:
    """A folder of class folders with PNG and JPEG pictures."""

    def __init__(self, parameters: FolderParameters) -> None:
        """Remember what to read."""
        self._parameters = parameters

    def read(self) -> SourceData:
        """Return all pictures.

        Raises:
            InputError: ``missing_path``, ``not_a_folder``, or what the reader or the sandbox says.
        """
        return _read("folder", self._parameters, located_folder(self._parameters.path))


class ParquetSource:
    """Parquet files with encoded pictures in one column."""

    def __init__(self, parameters: ParquetParameters) -> None:
        """Remember what to read."""
        self._parameters = parameters

    def read(self) -> SourceData:
        """Return all rows.

        Raises:
            InputError: ``missing_path``, or what the reader or the sandbox says.
        """
        return _read("parquet", self._parameters, located_path(self._parameters.path))


def _read(reader: str, parameters: SourceParameters, path: Path) -> SourceData:
    """Decode what lies at ``path``, absolute because the reader works in another folder."""
    given = parameters.model_copy(update={"path": path.absolute()})
    return assemble(decode_apart(f"activesynth.datasets.{reader}:read", given))
