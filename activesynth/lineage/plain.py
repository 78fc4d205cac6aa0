"""Values as JSON can say them, and rows as column -> value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Table


def plain(value: Any) -> Any:
    """Return ``value`` for JSON: numpy scalars as numbers, NaN and infinities as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "item"):
        return plain(value.item())
    return str(value)


def plain_numbers(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return sums and seeds, which Postgres calls numeric, as integers."""
    return {
        str(name): int(value) if isinstance(value, Decimal) else value
        for name, value in row.items()
    }


def attributes(row: Any) -> dict[str, Any]:
    """Return the fields of a dataclass or a document, one level deep."""
    if isinstance(row, BaseModel):
        return row.model_dump(mode="json")
    return {item.name: getattr(row, item.name) for item in fields(row)}


def record_for(table: Table, row: Any, **owner: Any) -> dict[str, Any]:
    """Return the columns of ``table`` that ``owner`` and ``row`` fill; ``owner`` comes first."""
    known = {**attributes(row), **owner}
    return {name: known[name] for name in table.columns.keys() if name in known}  # noqa: SIM118
