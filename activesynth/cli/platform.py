"""The embedded platform: ``up``, ``status``, ``down``, ``psql``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from activesynth.cli.output import AsJson, print_json
from activesynth.cli.progress import notice
from activesynth.cli.session import embedded, settings


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("up")(up)
    app.command("status")(status)
    app.command("down")(down)
    app.command("psql", context_settings={"ignore_unknown_options": True})(psql)


def up(as_json: AsJson = False) -> None:
    """Start PostgreSQL and Airflow; what runs already is left alone."""
    notice("starting PostgreSQL and Airflow ...")
    embedded().up()
    status(as_json=as_json)


def status(as_json: AsJson = False) -> None:
    """Say what of the platform runs, and where its page is."""
    found = embedded().status()
    print_json(found) if as_json else print(found)


def down() -> None:
    """Stop everything that `up`, `demo` or `run` started; data stays."""
    embedded().down()
    print("the platform is down; its data stays in", settings().home)


def psql(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed to psql, as in: psql -c 'SELECT 1'.")
    ] = None,
) -> None:
    """Open psql on the lineage database."""
    platform = embedded()
    command = platform.psql_command()
    os.execvp(command[0], [*command, *(arguments or [])])  # noqa: S606 - psql takes our place
