"""``activesynth database upgrade``: our tables, in whichever database is named."""

from __future__ import annotations

import typer

from activesynth.cli.progress import notice
from activesynth.cli.session import embedded, settings

app = typer.Typer(help="The tables in the lineage database.", no_args_is_help=True)


@app.command("upgrade")
def upgrade() -> None:
    """Make or update our tables in the database of ACTIVESYNTH_DATABASE_URL, or the embedded one.

    Rows stay. Running it again changes nothing.
    """
    from activesynth.lineage.migrate import current
    from activesynth.lineage.migrate import upgrade as migrate

    named = settings().database_url
    if named is not None:
        address = named.get_secret_value()
        migrate(address)
    else:
        found = embedded().up(notice, with_airflow=False, migrate=migrate)
        address = str(found.database_url)
    print(f"the tables are at revision {current(address)}.")
