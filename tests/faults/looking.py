"""What is left in the database, the store and the events, read without any native thread."""

from __future__ import annotations

import json
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from activesynth.lineage.canonical import canonical_state

_VISIBLE = """
    select (select string_agg(head, ',') from activesynth.campaigns),
           (select count(*) from activesynth.iterations where state = 'committed'),
           (select count(*) from activesynth.iteration_cost),
           (select string_agg(ancestor, ',' order by version, depth)
              from activesynth.dataset_ancestry),
           (select md5(string_agg(l::text, ',' order by l::text)) from activesynth.lift l),
           (select md5(string_agg(w::text, ',' order by w::text))
              from activesynth.weakness_history w),
           (select md5(string_agg(s::text, ',' order by s::text))
              from activesynth.sample_provenance s)
"""


def plain(url: str) -> str:
    """Return the address as psycopg2 alone understands it."""
    return url.replace("postgresql+psycopg2", "postgresql")


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    with closing(psycopg2.connect(plain(url))) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return cursor.fetchall()


def visible(url: str) -> str:
    """Describe what the views show, as a person would see it between a fault and the retry."""
    return json.dumps(rows(url, _VISIBLE)[0])


def left(url: str, folder: Path, campaign: str) -> dict[str, Any]:
    """Return committed rows, delivered events and stored blobs, as JSON gives them back."""
    events = sorted(p.read_text() for p in (folder / "events").glob("*") if p.is_file())
    blobs = sorted(
        p.name for p in (folder / "objects").rglob("*") if p.is_file() and len(p.name) == 64
    )
    found = {"rows": canonical_state(url, campaign), "events": events, "blobs": blobs}
    document: dict[str, Any] = json.loads(json.dumps(found))
    return document


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """Name what differs between two states, or return an empty text."""
    names = [name for name in ("events", "blobs") if found[name] != expected[name]]
    tables = expected["rows"]
    names += [table for table in tables if found["rows"][table] != tables[table]]
    return ", ".join(names)


def new_database(server: str, template: str) -> str:
    """Return the address of a new, migrated, empty database."""
    name = f"faults_{uuid.uuid4().hex}"
    with closing(psycopg2.connect(plain(server))) as admin:
        admin.autocommit = True
        admin.cursor().execute(f"create database {name} template {template}")
    return server.replace("/postgres?", f"/{name}?")


def empty(url: str) -> None:
    """Empty every table of ours: quicker than a new database for each case."""
    with closing(psycopg2.connect(plain(url))) as connection, connection:
        cursor = connection.cursor()
        cursor.execute(
            "select string_agg(format('activesynth.%I', tablename), ', ') from pg_tables "
            "where schemaname = 'activesynth' and tablename <> 'migrations'"
        )
        row = cursor.fetchone()
        cursor.execute(f"truncate {row[0] if row else ''}")
