"""The sources this room offers, by name."""

from __future__ import annotations

from activesynth.domain.registry import Row

_PARAMETERS = "activesynth.datasets.parameters"

SOURCES: dict[str, Row] = {
    "digits": Row("activesynth.datasets.digits:DigitsSource"),
    "npz": Row("activesynth.datasets.npz:NpzSource", f"{_PARAMETERS}:NpzParameters"),
    "folder": Row("activesynth.datasets.folder:FolderSource", f"{_PARAMETERS}:FolderParameters"),
    "parquet": Row(
        "activesynth.datasets.parquet:ParquetSource", f"{_PARAMETERS}:ParquetParameters"
    ),
}
