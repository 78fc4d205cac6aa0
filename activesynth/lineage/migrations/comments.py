"""What migrations say of tables and columns, in the database itself."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text


def explain(connection: Connection, comments: Mapping[str, Mapping[str, str]]) -> None:
    """Comment on tables and their columns; the column ``""`` stands for the table itself."""
    for table, columns in comments.items():
        for column, meaning in columns.items():
            what = (
                f'COLUMN activesynth.{table}."{column}"' if column else f"TABLE activesynth.{table}"
            )
            # COMMENT takes no parameters, so the server itself quotes the text.
            quoted = connection.execute(text("SELECT quote_literal(:it)"), {"it": meaning})
            connection.exec_driver_sql(f"COMMENT ON {what} IS {quoted.scalar_one()}")
