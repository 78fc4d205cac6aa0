"""No statement of a page goes through a table that grows, by what EXPLAIN says of each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Row, create_engine, text

from benchmarks.database import Place
from benchmarks.pages import fill
from benchmarks.pages.rows import Size
from benchmarks.pages.server import environment
from platform_fixtures import PostgresServer

ROOT = Path(__file__).parents[2]
SIZE = Size(iterations=40, samples=6000, questions=6000, guide=50)
FEW = {"campaigns", "campaign_configs", "erasures"}
"""Tables with a row per campaign, config or erasure may be gone through."""
MANY_AN_ITERATION = ("samples", "sample_parents", "dataset_members", "annotation_items")
LARGE = (*MANY_AN_ITERATION, "metrics")
MOST = 2500
"""Rows that one step of a plan may read; the large tables have more than twice as many."""
INDEXES = """
    SELECT c.relname AS name, t.relname AS of_table,
           array_agg(a.attname::text ORDER BY a.attnum) AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_class t ON t.oid = i.indrelid
    WHERE c.relnamespace = 'activesynth'::regnamespace GROUP BY 1, 2
"""
ACTIVE = "iterations_one_active_idx"
"""An index of one row per campaign at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What pages asked, and the database that they asked."""

    url: str
    statements: dict[str, list[str]]


@pytest.fixture(scope="module")
def asked(
    postgres_server: PostgresServer,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Asked]:
    name = postgres_server.create_database(migrated_template)
    place = Place(tmp_path_factory.mktemp("pages"), postgres_server.url(name))
    names = asdict(fill(place, SIZE)) | {"person": "bob"}
    paths = os.pathsep.join(str(path) for path in (ROOT, ROOT / "plugins", ROOT / "tests"))
    known = {**os.environ, **environment(place), "PYTHONPATH": paths}
    command = [sys.executable, "-m", "page_statements", json.dumps(names)]
    done = subprocess.run(command, env=known, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("STATEMENTS ")]
    yield Asked(place.url, json.loads(line.removeprefix("STATEMENTS ")))
    postgres_server.drop_database(name)


@pytest.fixture
def connection(asked: Asked) -> Iterator[Connection]:
    engine = create_engine(asked.url)
    with engine.connect() as opened:
        yield opened
        opened.rollback()
    engine.dispose()


def steps(connection: Connection, statement: str, *, how: str) -> Iterator[dict[str, Any]]:
    """Yield the steps of the plan of a statement; what it would change is not changed."""
    with connection.begin_nested() as nested:
        found = connection.exec_driver_sql(
            f"EXPLAIN ({how}, FORMAT JSON) " + statement.replace("%", "%%")
        ).scalar_one()
        nested.rollback()
    waiting = [found[0]["Plan"]]
    while waiting:
        step = waiting.pop()
        waiting += step.get("Plans", ())
        yield step


def queries(asked: Asked) -> list[tuple[str, str]]:
    """Return (what was asked, statement) of whatever has a plan, each statement once."""
    starts = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")
    pairs = {
        statement: page
        for page, statements in asked.statements.items()
        for statement in statements
        if statement.lstrip().startswith(starts) and "activesynth." in statement
    }
    return [(page, statement) for statement, page in pairs.items()]


def without_index(connection: Connection, statement: str) -> list[str]:
    """Return the tables that grow and that a plan goes through although it need not."""
    indexes = {row.name: row for row in connection.execute(text(INDEXES))}
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    found = [
        f"{step.get('Relation Name', step.get('Index Name'))}: {step['Node Type']}"
        for step in steps(connection, statement, how="VERBOSE, COSTS off")
        if step.get("Relation Name") not in FEW and goes_through(step, indexes)
    ]
    connection.execute(text("SET LOCAL enable_seqscan = on"))
    return found


def goes_through(step: dict[str, Any], indexes: dict[str, Row[Any]]) -> bool:
    """Tell whether a step reads a table, or much of an index, to find what it looks for.

    Also where what it looks for stands in the index behind something that it does not know, and
    what it knows before that is shared by many rows.
    """
    if step["Node Type"] == "Seq Scan":
        return bool(step.get("Schema") == "activesynth")
    if "Index Name" not in step or step["Index Name"] == ACTIVE:
        return False
    index = indexes[step["Index Name"]]
    known = [re.search(rf"\b{name}\b", step.get("Index Cond", "")) for name in index.columns]
    first = next((n for n, is_known in enumerate(known) if not is_known), len(known))
    is_gap = any(known[first:])
    return first == 0 or (is_gap and (first == 1 or index.of_table in MANY_AN_ITERATION))


def test_every_page_asks_something(asked: Asked) -> None:
    silent = {page for page, sent in asked.statements.items() if not sent}

    assert {page.split()[1] for page in silent} == {"/static/style.css", "/api/v1/openapi.json"}
    assert len(queries(asked)) > 60


def test_no_page_goes_through_a_table_that_grows(asked: Asked, connection: Connection) -> None:
    found = [
        (page, tables, statement)
        for page, statement in queries(asked)
        if (tables := without_index(connection, statement))
    ]

    assert found == []


def test_no_page_reads_a_large_part_of_a_large_table(asked: Asked, connection: Connection) -> None:
    sizes = {
        table: connection.execute(text(f"SELECT count(*) FROM activesynth.{table}")).scalar_one()
        for table in LARGE
    }
    found = []
    for page, statement in queries(asked):
        # What a batch reached is told by looking at the batch; and what was inserted is there.
        if "/reach?" in page or statement.lstrip().startswith("INSERT"):
            continue
        for step in steps(connection, statement, how="ANALYZE, TIMING off"):
            if step.get("Relation Name") in LARGE:
                removed = step.get("Rows Removed by Filter", 0)
                read = (step["Actual Rows"] + removed) * step["Actual Loops"]
                if read > MOST or step["Node Type"] == "Seq Scan":
                    found.append((page, step["Relation Name"], read, statement))

    assert min(sizes.values()) > 2 * MOST
    assert found == []


@pytest.mark.parametrize(
    ("index", "table"),
    [
        ("iterations_run_key_idx", "iterations"),
        ("dataset_members_campaign_sample_idx", "dataset_members"),
        ("annotation_claims_annotator_idx", "annotation_claims"),
        ("samples_pkey", "samples"),
    ],
)
def test_an_index_that_is_missing_is_seen(
    index: str, table: str, asked: Asked, connection: Connection
) -> None:
    if index.endswith("_pkey"):
        drop = f"ALTER TABLE activesynth.{table} DROP CONSTRAINT {index} CASCADE"
    else:
        drop = f"DROP INDEX activesynth.{index}"
    connection.execute(text(drop))

    found = [without_index(connection, statement) for _, statement in queries(asked)]

    assert table in {name.partition(":")[0] for tables in found for name in tables}
