"""The sources this room offers, by name."""

from __future__ import annotations

from activesynth.domain.registry import Row

_SOURCES = "activesynth.datasets.sources"
_PARAMETERS = "activesynth.datasets.parameters"

SOURCES: dict[str, Row] = {
    "digits": Row("activesynth.datasets.digits:DigitsSource"),
    "npz": Row(f"{_SOURCES}:NpzSource", f"{_PARAMETERS}:NpzParameters"),
    "folder": Row(f"{_SOURCES}:FolderSource", f"{_PARAMETERS}:FolderParameters"),
    "parquet": Row(f"{_SOURCES}:ParquetSource", f"{_PARAMETERS}:ParquetParameters"),
    "openml": Row("activesynth.datasets.openml:OpenmlSource", f"{_PARAMETERS}:OpenmlParameters"),
}
