"""The metadata all tables share, and short ways to say what a column is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, DateTime, MetaData, func
from sqlalchemy.sql.schema import SchemaItem
from sqlalchemy.types import TypeEngine

SCHEMA = "activesynth"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    },
)

VOLATILE = "volatile"
"""Marks a column that differs between two runs which made the same: times, hosts, attempts."""


def key(name: str, kind: type[TypeEngine[Any]]) -> Column[Any]:
    """Return a part of the primary key."""
    return Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def need(
    name: str, kind: type[TypeEngine[Any]] | TypeEngine[Any], *more: SchemaItem
) -> Column[Any]:
    """Return a column that always has a value."""
    return Column(name, kind, *more, nullable=False)


def may(name: str, kind: type[TypeEngine[Any]] | TypeEngine[Any]) -> Column[Any]:
    """Return a column that may be empty."""
    return Column(name, kind, nullable=True)


def run_fact(
    name: str, kind: type[TypeEngine[Any]] | TypeEngine[Any], *, nullable: bool = False
) -> Column[Any]:
    """Return a column about the run rather than about what it made."""
    return Column(name, kind, nullable=nullable, info={VOLATILE: True})


def moment(name: str, *, nullable: bool = False) -> Column[Any]:
    """Return a time set by the server's clock; it informs people and decides nothing."""
    default = None if nullable else func.now()
    kind = DateTime(timezone=True)
    return Column(name, kind, nullable=nullable, server_default=default, info={VOLATILE: True})
