"""Names to parts: the tables of all rooms, joined with other packages' entry points."""

from __future__ import annotations

import logging
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoints, entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from activesynth.errors import ConfigurationError

logger = logging.getLogger(__name__)

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
    """Where a part lies, as ``module:attribute``, and where its parameter model lies.

    ``packages`` names who offers it where that is not us; two of them cannot be told apart.
    """

    target: str
    parameters: str | None = None
    packages: tuple[str, ...] = ()


def _load(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


SHOWN = 120
_TYPES = ("_type", "_parsing", "_parsing_size", "int_from_float", "is_instance_of")
_RANGES = ("greater_than", "less_than", "too_long", "too_short", "finite_number", "multiple_of")


def group(kind: str) -> str:
    """Return the entry point group in which other packages offer parts of a kind."""
    return f"activesynth.{kind[:-1]}ies" if kind.endswith("y") else f"activesynth.{kind}s"


def _offered(entries: EntryPoints) -> dict[str, Row]:
    """Return what installed packages offer of one kind, importing nothing of them."""
    found: dict[str, dict[str, str]] = {}
    for entry in entries:
        package = "an unnamed package" if entry.dist is None else entry.dist.name
        found.setdefault(entry.name, {})[package] = entry.value
    return {
        name: Row(next(iter(by_package.values())), packages=tuple(sorted(by_package)))
        for name, by_package in found.items()
    }


def describe(error: ValidationError, prefix: str) -> str:
    """Say field, value and need of every complaint, one after the other."""
    return "; ".join(
        f"`{_field(item, prefix)}`: {item['msg']}, got {_shown(item['input'])}"
        for item in error.errors(include_url=False)
    )


def invalid(
    origin: str, error: ValidationError, prefix: str = "", end: str = "."
) -> ConfigurationError:
    """Return our error for values that a model refused; reason and field are the first one's.

    The reason is ``unknown_field``, ``missing_field``, ``wrong_type``, ``out_of_range`` or
    ``bad_value``.
    """
    first = error.errors(include_url=False)[0]
    return ConfigurationError(
        f"{origin}: {describe(error, prefix)}{end}",
        reason=_reason(str(first["type"])),
        field=_field(first, prefix),
    )


def _field(item: Any, prefix: str) -> str:
    return ".".join([prefix, *map(str, item["loc"])]).strip(".")


def _reason(kind: str) -> str:
    if kind in ("extra_forbidden", "missing"):
        return {"extra_forbidden": "unknown_field", "missing": "missing_field"}[kind]
    if kind.endswith(_TYPES):
        return "wrong_type"
    return "out_of_range" if kind.endswith(_RANGES) or kind.startswith(_RANGES) else "bad_value"


def _shown(value: Any) -> str:
    """Quote a value in few characters, however large it is and whatever is in it."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = SHOWN
    short.maxlevel = 3
    text = short.repr(value)
    return text.encode("ascii", "backslashreplace").decode() if not text.isprintable() else text


class Catalog:
    """Looks parts up by kind and name, importing their framework only then.

    An entry point ``name = module:Class`` in the group ``activesynth.<kind>s`` adds a part; its
    parameter model is the class attribute ``Parameters`` where there is one. Nothing of a package
    is imported before a campaign names its part, so a broken one takes no other away.
    """

    def __init__(self, tables: Mapping[str, Mapping[str, Row]]) -> None:
        """Join the built-in ``tables`` (kind to name to row) with what is installed."""
        self._rows: dict[str, dict[str, Row]] = {kind: dict(tables.get(kind, {})) for kind in KINDS}
        installed = entry_points()  # reads every installed distribution: a tenth of a second
        for kind in KINDS:
            for name, row in _offered(installed.select(group=group(kind))).items():
                if name in self._rows[kind]:
                    logger.warning(
                        "%s %r of %s is left out: a built-in %s has that name; rename the entry "
                        "point in %s.",
                        *(kind, name, ", ".join(row.packages), kind, group(kind)),
                    )
                else:
                    self._rows[kind][name] = row

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
                    f"{kind} {name!r} takes no parameters, got {sorted(parameters)}; remove them.",
                    reason="unknown_field",
                    field=f"{kind}.parameters",
                )
            return {}
        try:
            return model.model_validate(dict(parameters)).model_dump(mode="json")
        except ValidationError as error:
            raise invalid(f"{kind} {name!r}", error, f"{kind}.parameters") from error

    def create(self, kind: str, name: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Build the part called ``name`` with checked parameters.

        Raises:
            ConfigurationError: If the name is unknown or a parameter is wrong.
        """
        model = self._model(kind, name)
        part = self._class(kind, name)
        if model is None:
            self.check(kind, name, parameters or {})
            return part()
        checked = self.check(kind, name, parameters or {})
        return part(model.model_validate(checked))

    def _row(self, kind: str, name: str) -> Row:
        try:
            row = self._rows[kind][name]
        except KeyError:
            raise ConfigurationError(
                f"unknown {kind} {name!r}; there are: {', '.join(self.names(kind)) or 'none'}.",
                reason="unknown_part",
                field=f"{kind}.name",
            ) from None
        if len(row.packages) > 1:
            raise ConfigurationError(
                f"{kind} {name!r} is offered by more than one package: {', '.join(row.packages)}; "
                "uninstall all but one, or have one of them renamed.",
                reason="bad_part",
                field=f"{kind}.name",
            )
        return row

    def _class(self, kind: str, name: str) -> Any:
        """Import the part.

        Raises:
            ConfigurationError: If it is another package's, and cannot be imported or lacks what
                its port asks for.
        """
        row = self._row(kind, name)
        if not row.packages:
            return _load(row.target)
        try:
            found = _load(row.target)
        except Exception as error:
            raise ConfigurationError(
                f"{kind} {name!r} of package {row.packages[0]} cannot be loaded from "
                f"{row.target!r}: {error!r}; repair or uninstall that package.",
                reason="bad_part",
                field=f"{kind}.name",
            ) from error
        from activesynth.domain.promises import lacking

        missing = lacking(kind, found)
        if missing:
            raise ConfigurationError(
                f"{kind} {name!r} of package {row.packages[0]} lacks {', '.join(missing)}, which "
                "activesynth/domain/ports.py asks for; add it, or use a release of that package "
                "made for this one.",
                reason="bad_part",
                field=f"{kind}.name",
            )
        return found

    def _model(self, kind: str, name: str) -> type[BaseModel] | None:
        row = self._row(kind, name)
        if row.parameters is not None:
            model: type[BaseModel] = _load(row.parameters)
            return model
        if not row.packages and row.target.startswith("activesynth."):
            return None
        return getattr(self._class(kind, name), "Parameters", None)
