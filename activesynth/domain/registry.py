"""Names to parts: the tables of all rooms, joined with other packages' entry points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from activesynth.errors import ConfigurationError

KINDS = (
    "trainer",
    "generator",
    "corruption",
    "strategy",
    "metric",
    "arm",
    "annotator",
    "source",
    "modality",
)


@dataclass(frozen=True, slots=True)
class Row:
    """Where a part lies, as ``module:attribute``, and where its parameter model lies."""

    target: str
    parameters: str | None = None


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def describe(error: ValidationError, prefix: str) -> str:
    """Say field, value and need of every complaint, one after the other."""
    return "; ".join(
        f"`{'.'.join([prefix, *map(str, item['loc'])]).strip('.')}`: {item['msg']}, "
        f"got {item['input']!r}"
        for item in error.errors()
    )


class Catalog:
    """Looks parts up by kind and name, importing their framework only then.

    An entry point ``name = module:Class`` in the group ``activesynth.<kind>s`` adds a part; its
    parameter model is the class attribute ``Parameters`` where there is one.
    """

    def __init__(self, tables: Mapping[str, Mapping[str, Row]]) -> None:
        """Join the built-in ``tables`` (kind to name to row) with what is installed."""
        self._rows: dict[str, dict[str, Row]] = {kind: dict(tables.get(kind, {})) for kind in KINDS}
        installed = entry_points()  # reads every installed distribution: a tenth of a second
        for kind in KINDS:
            plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
            for entry in installed.select(group=f"activesynth.{plural}"):
                self._rows[kind].setdefault(entry.name, Row(entry.value))

    def names(self, kind: str) -> list[str]:
        """Return the names known for a kind, sorted."""
        return sorted(self._rows[kind])

    def add(self, kind: str, name: str, row: Row) -> None:
        """Add or replace one part, for tests and notebooks."""
        self._rows[kind][name] = row

    def check(self, kind: str, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters with defaults filled in.

        Raises:
            ConfigurationError: If the name is unknown or a parameter is wrong; says which.
        """
        model = self._model(kind, name)
        if model is None:
            if parameters:
                raise ConfigurationError(
                    f"{kind} {name!r} takes no parameters, got {sorted(parameters)}; remove them."
                )
            return {}
        try:
            return model.model_validate(dict(parameters)).model_dump(mode="json")
        except ValidationError as error:
            complaint = describe(error, f"{kind}.parameters")
            raise ConfigurationError(f"{kind} {name!r}: {complaint}.") from error

    def create(self, kind: str, name: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Build the part called ``name`` with checked parameters.

        Raises:
            ConfigurationError: If the name is unknown or a parameter is wrong.
        """
        model = self._model(kind, name)
        part = _load(self._row(kind, name).target)
        if model is None:
            self.check(kind, name, parameters or {})
            return part()
        checked = self.check(kind, name, parameters or {})
        return part(model.model_validate(checked))

    def _row(self, kind: str, name: str) -> Row:
        try:
            return self._rows[kind][name]
        except KeyError:
            raise ConfigurationError(
                f"unknown {kind} {name!r}; there are: {', '.join(self.names(kind)) or 'none'}."
            ) from None

    def _model(self, kind: str, name: str) -> type[BaseModel] | None:
        row = self._row(kind, name)
        if row.parameters is not None:
            model: type[BaseModel] = _load(row.parameters)
            return model
        if row.target.startswith("activesynth."):
            return None
        return getattr(_load(row.target), "Parameters", None)
