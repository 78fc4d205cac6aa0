"""The embedded platform: ``up``, ``status``, ``down``, ``psql``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from activesynth.cli.output import AsJson, print_json
from activesynth.cli.progress import notice
from activesynth.cli.session import embedded, settings

if TYPE_CHECKING:
    from activesynth.embedded.platform import PlatformInfo


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("up")(up)
    app.command("status")(status)
    app.command("down")(down)
    app.command("psql", context_settings={"ignore_unknown_options": True})(psql)


def up(as_json: AsJson = False) -> None:
    """Start PostgreSQL and Airflow; what runs already is left alone."""
    print_platform(bring_up(), as_json=as_json)


def status(as_json: AsJson = False) -> None:
    """Say what of the platform runs, and where its pages are."""
    print_platform(embedded().status(), as_json=as_json)


def down() -> None:
    """Stop everything that `up`, `demo` or `run` started; data stays."""
    embedded().down(notice)


def psql(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed to psql, as in: psql -c 'SELECT 1'.")
    ] = None,
) -> None:
    """Open psql on the lineage database."""
    found = settings().database_url
    if found is None:
        command = embedded().psql_command()
    else:
        from activesynth.embedded.programs import binaries

        address, password = without_password(found.get_secret_value())
        if password is not None:
            os.environ["PGPASSWORD"] = password
        command = [str(binaries() / "psql"), address]
    os.execvp(command[0], [*command, *(arguments or [])])  # noqa: S606 - psql takes our place


def without_password(address: str) -> tuple[str, str | None]:
    """Return an address as psql takes it and its password apart, for `ps` shows every argument."""
    from urllib.parse import unquote

    address = address.replace("postgresql+psycopg2://", "postgresql://", 1)
    scheme, mark, rest = address.partition("://")
    before, asked, query = rest.partition("?")
    login, at, place = before.rpartition("@")
    user, colon, password = login.partition(":")
    if not (at and colon):
        return address, None
    return f"{scheme}{mark}{user}@{place}{asked}{query}", unquote(password)


def bring_up() -> PlatformInfo:
    """Start what is missing, with our own tables in place before anything uses them."""
    from activesynth.lineage.migrate import upgrade

    return embedded().up(notice, migrate=upgrade)


def print_platform(info: PlatformInfo, *, as_json: bool) -> None:
    """Print what runs; the login is part of it, for the file it lies in is the owner's too."""
    facts = {
        "home": str(info.home),
        "project": str(info.project),
        "is_up": info.is_up,
        "parts": dict(info.parts),
        "database_url": info.database_url,
        "url": info.url,
        "user": info.user,
        "password": info.password,
    }
    if as_json:
        print_json(facts)
        return
    for name, pid in info.parts.items():
        print(f"{name:15} {'down' if pid is None else f'up, process {pid}'}")
    if info.url is not None:
        print(f"pages           {info.url}   user {info.user}, password {info.password}")
    print(f"state           {info.home}")
