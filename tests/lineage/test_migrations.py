"""The schema: up, down, equal to the tables the queries use, and explained throughout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine

import activesynth.lineage
import activesynth.lineage.schema
from activesynth.errors import ConfigurationError, TransientError
from activesynth.lineage.columns import SCHEMA, metadata
from activesynth.lineage.migrate import current, downgrade, upgrade

_SHAPE = """
    SELECT 'column', c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
           a.attnotnull::text, a.attidentity::text, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE n.nspname = 'activesynth' AND c.relkind = 'r' AND c.relname <> 'migrations'
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname::text, contype::text,
           pg_get_constraintdef(oid), '', ''
    FROM pg_constraint WHERE connamespace = 'activesynth'::regnamespace
      AND conrelid <> coalesce(to_regclass('activesynth.migrations')::oid, 0)
    UNION ALL
    SELECT 'index', tablename::text, indexname::text, indexdef, '', '', ''
    FROM pg_indexes WHERE schemaname = 'activesynth' AND tablename <> 'migrations'
"""

_UNEXPLAINED = """
    SELECT c.relname, a.attname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_description whole
      ON whole.objoid = c.oid AND whole.objsubid = 0 AND whole.classoid = 'pg_class'::regclass
    LEFT JOIN pg_description part
      ON part.objoid = c.oid AND part.objsubid = a.attnum AND part.classoid = 'pg_class'::regclass
    WHERE n.nspname = 'activesynth' AND c.relkind IN ('r', 'v') AND c.relname <> 'migrations'
      AND (whole.description IS NULL OR part.description IS NULL)
"""


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def relations(url: str) -> set[object]:
    query = (
        "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE nspname = 'activesynth' AND relkind IN ('r', 'v') AND relname <> 'migrations'"
    )
    return {row[0] for row in rows(url, query)}


def test_migrating_up_down_and_up_again_leaves_what_migrating_up_left(
    empty_database_url: str,
) -> None:
    url = empty_database_url
    upgrade(url)
    first = sorted(map(repr, rows(url, _SHAPE)))
    downgrade(url, "base")
    between = relations(url)
    upgrade(url)

    assert between == set()
    assert sorted(map(repr, rows(url, _SHAPE))) == first
    assert current(url) == "0012"


def test_a_database_that_was_never_migrated_has_no_revision(empty_database_url: str) -> None:
    assert current(empty_database_url) is None


def test_the_migrated_schema_is_the_one_the_queries_are_written_against(
    empty_database_url: str, database_url: str
) -> None:
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
        metadata.create_all(connection)
    engine.dispose()

    migrated = sorted(map(repr, rows(database_url, _SHAPE)))
    declared = sorted(map(repr, rows(empty_database_url, _SHAPE)))
    assert migrated == declared
    assert len(migrated) > 200


def test_alembic_finds_nothing_to_migrate_beyond_comments(database_url: str) -> None:
    engine = create_engine(database_url)
    options = {
        "include_schemas": True,
        "version_table": "migrations",
        "version_table_schema": SCHEMA,
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, metadata)
    engine.dispose()

    # Comments live in the database only; each of these is "the metadata has none".
    kinds = {item[0] if isinstance(item, tuple) else item[0][0] for item in differences}
    assert kinds <= {"remove_table_comment", "modify_comment"}


def test_every_table_view_and_column_carries_a_comment(database_url: str) -> None:
    assert len(relations(database_url)) == 43
    assert rows(database_url, _UNEXPLAINED) == []


class Killer:
    """Ends the connection of the migration at one of its statements, as a crash there would."""

    def __init__(self, url: str, at: int | None) -> None:
        self.engine = create_engine(url)
        self.at = at
        self.seen = 0

    def __call__(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if connection.engine.url.database != self.engine.url.database or "terminate" in statement:
            return
        if self.seen == self.at:
            pid = cursor.connection.get_backend_pid()
            with self.engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        self.seen += 1


@contextmanager
def killed_at(url: str, at: int | None) -> Iterator[Killer]:
    killer = Killer(url, at)
    event.listen(Engine, "before_cursor_execute", killer)
    try:
        yield killer
    finally:
        event.remove(Engine, "before_cursor_execute", killer)
        killer.engine.dispose()


def test_a_migration_killed_at_any_statement_leaves_nothing_and_can_be_run_again(
    empty_database_url: str, database_url: str
) -> None:
    with killed_at(empty_database_url, None) as counted:
        upgrade(empty_database_url)
    downgrade(empty_database_url, "base")

    # Some statements, and each of the last ones, where most has been done.
    for at in sorted({*range(0, counted.seen, 40), *range(counted.seen - 3, counted.seen)}):
        with killed_at(empty_database_url, at), pytest.raises(TransientError):
            upgrade(empty_database_url)
        assert relations(empty_database_url) == set(), at
    upgrade(empty_database_url)

    assert counted.seen > 100
    assert sorted(map(repr, rows(empty_database_url, _SHAPE))) == sorted(
        map(repr, rows(database_url, _SHAPE))
    )


def test_two_callers_migrating_at_once_both_succeed(empty_database_url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(upgrade, [empty_database_url] * 2))

    assert current(empty_database_url) == "0012"


def test_migrations_run_from_a_folder_with_spaces_and_percent_signs(
    tmp_path: Path, empty_database_url: str
) -> None:
    package = Path(activesynth.lineage.__file__).parent.parent
    shutil.copytree(package, tmp_path / "a 100% odd folder" / "activesynth")
    code = f"from activesynth.lineage.migrate import upgrade; upgrade({empty_database_url!r})"

    subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "a 100% odd folder", check=True)

    assert current(empty_database_url) == "0012"


def test_an_address_that_is_not_postgres_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match=r"postgresql\+psycopg2://") as caught:
        upgrade("mysql://me:sesame@host/db")
    assert "sesame" not in str(caught.value)


def test_a_server_that_is_away_is_a_passing_failure_that_names_the_host() -> None:
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1/lineage") as caught:
        upgrade("postgresql+psycopg2://me:sesame@127.0.0.1:1/lineage")
    assert "sesame" not in str(caught.value)
