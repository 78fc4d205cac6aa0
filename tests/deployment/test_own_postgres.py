"""The script that makes databases and roles, on a server whose administrator is no superuser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError

from activesynth.lineage.migrate import upgrade
from activesynth.lineage.revision import check_tables
from platform_fixtures import PostgresServer, postgres_binaries

ROOT = Path(__file__).parents[2]
ROLES = ("airflow", "activesynth_owner", "activesynth", "activesynth_reader")
ADD = "INSERT INTO activesynth.campaigns SELECT * FROM activesynth.campaigns"
COUNT = "SELECT count(*) FROM activesynth.campaigns"
MAKE = "CREATE TABLE activesynth.mine (x int)"
REMOVE = "DROP TABLE activesynth.campaigns CASCADE"
REFUSED = "permission denied|must be owner"


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Return a server with a role that may make roles and databases, and nothing more."""
    server = PostgresServer(tmp_path_factory.mktemp("managed"))
    server.start()
    try:
        server.execute("CREATE ROLE manager LOGIN CREATEROLE CREATEDB")
        folder = tmp_path_factory.mktemp("secrets") / "made"
        folder.mkdir()
        unreadable = make_databases(server, folder)
        assert unreadable.returncode != 0
        assert "airflow_password" in unreadable.stderr
        server.execute("CREATE ROLE airflow")  # which fails where the script made it
        server.execute("DROP ROLE airflow")
        script = [sys.executable, str(ROOT / "docker" / "make_secrets.py"), str(folder)]
        subprocess.run(script, check=True, capture_output=True)
        done = make_databases(server, folder)
        assert done.returncode == 0, done.stderr
        upgrade(address(server, "activesynth_owner"))
        yield server
    finally:
        server.close()


def make_databases(server: PostgresServer, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script with the passwords in ``folder``."""
    return subprocess.run(
        ["bash", str(ROOT / "docker" / "postgres" / "10-databases.sh")],
        env={
            "PATH": f"{postgres_binaries()}{os.pathsep}{os.environ['PATH']}",
            "PGHOST": str(server.sockets),
            "POSTGRES_USER": "manager",
            "SECRETS": str(folder),
        },
        capture_output=True,
        text=True,
    )


def address(server: PostgresServer, role: str, database: str = "activesynth") -> str:
    return server.url(database).replace("//postgres:", f"//{role}:")


def run(server: PostgresServer, role: str, statement: str, database: str = "activesynth") -> None:
    """Run a statement as ``role`` and take it back."""
    engine = create_engine(address(server, role, database))
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
            connection.rollback()
    finally:
        engine.dispose()


def test_migrations_run_as_the_owner_and_workers_find_the_tables(managed: PostgresServer) -> None:
    check_tables(address(managed, "activesynth"))


@pytest.mark.parametrize(
    ("role", "statement"),
    [("activesynth", ADD), ("activesynth", COUNT), ("activesynth_reader", COUNT)],
)
def test_a_role_does_what_it_is_for(managed: PostgresServer, role: str, statement: str) -> None:
    run(managed, role, statement)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("activesynth", MAKE),
        ("activesynth", REMOVE),
        ("activesynth_reader", ADD),
        ("activesynth_reader", MAKE),
    ],
)
def test_a_role_does_nothing_else(managed: PostgresServer, role: str, statement: str) -> None:
    with pytest.raises(DatabaseError, match=REFUSED):
        run(managed, role, statement)


@pytest.mark.parametrize(
    ("role", "database"),
    [("airflow", "activesynth"), ("activesynth", "airflow"), ("manager", "activesynth")],
)
def test_a_role_reaches_no_database_but_its_own(
    managed: PostgresServer, role: str, database: str
) -> None:
    with pytest.raises(DatabaseError, match="permission denied for database"):
        run(managed, role, "SELECT 1", database)
