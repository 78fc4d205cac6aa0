"""Results on stdout: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
IsDeleting = Annotated[
    bool, typer.Option("--delete", help="Do it; without this nothing is changed.")
]
LeaseDays = Annotated[
    float,
    typer.Option(
        min=1, max=365, help="When a process that holds blobs and takes no more counts as dead."
    ),
]

Rows = Sequence[Mapping[str, Any]]


def print_json(document: Any) -> None:
    """Print a document as indented JSON; what JSON cannot say is printed as text."""
    print(json.dumps(document, indent=2, sort_keys=True, default=_plain))


def print_rows(rows: Rows, *, as_json: bool, empty: str, columns: Sequence[str] = ()) -> None:
    """Print rows as JSON or as a table.

    Args:
        rows: What to print; every row has the same keys.
        as_json: JSON with all keys, a list even when it is empty.
        empty: The sentence that a person sees when there are no rows.
        columns: The keys a table shows, in that order; all of them unless given.
    """
    if as_json:
        print_json([dict(row) for row in rows])
    elif not rows:
        print(empty)
    else:
        present = [name for name in columns if name in rows[0]] or list(rows[0])
        print_table(present, ([cell(row.get(name)) for name in present] for row in rows))


def print_table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a table as wide as its text where stdout is no terminal."""
    import sys

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in header:
        table.add_column(name.replace("_", " "), overflow="fold")
    for line in lines:
        table.add_row(*(Text(text) for text in line))  # Text: no markup in what data says
    width = None if sys.stdout.isatty() else 200
    Console(file=sys.stdout, width=width, highlight=False).print(table)


def cell(value: Any) -> str:
    """Return a value as a person reads it: four digits, short digests, no None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={cell(value[key])}" for key in sorted(value))
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    text = "".join(char if char.isprintable() else "�" for char in str(value))
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return text[:12] if is_digest else text


def login() -> str:
    """Return the name under which this process runs, where the system tells one."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
