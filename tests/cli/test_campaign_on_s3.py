"""A small campaign with all of its objects on a real S3 server, by the commands people type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from activesynth.embedded.airflow_settings import Places, airflow_environment, keep_secrets
from activesynth.embedded.postgres import RunningPostgres
from activesynth.embedded.processes import Process
from platform_fixtures import PostgresServer
from s3_fixtures import S3Server
from tiny_campaign import SMALLEST

ROOT = Path(__file__).parents[2]
ARTIFACTS = (
    "SELECT iteration, step, shard, kind, digest FROM activesynth.artifacts ORDER BY 1, 2, 3, 4"
)
VERSIONS = "SELECT digest, parent FROM activesynth.dataset_versions ORDER BY 1"


def s3_variables(server: S3Server, bucket: str) -> dict[str, str]:
    return {
        "ACTIVESYNTH_OBJECTS_URL": f"s3://{bucket}/team-a",
        "ACTIVESYNTH_S3_ENDPOINT": server.endpoint,
        "ACTIVESYNTH_S3_ACCESS_KEY": server.access_key,
        "ACTIVESYNTH_S3_SECRET_KEY": server.secret_key,
        "ACTIVESYNTH_S3_SECURE": str(server.secure).lower(),
    }


class Shell:
    """Commands in one folder, on one database, with objects in one place."""

    def __init__(self, folder: Path, database: str, objects: dict[str, str]) -> None:
        self.folder = folder
        self.database = database
        folder.joinpath("campaigns").mkdir(parents=True)
        document = {"name": "tiny", **SMALLEST}
        folder.joinpath("campaigns", "tiny.yaml").write_text(yaml.safe_dump(document))
        kept = {name: value for name, value in os.environ.items() if "ACTIVESYNTH" not in name}
        self._environment = {
            **kept,
            **objects,
            "PYTHONPATH": str(ROOT),
            "ACTIVESYNTH_DATABASE_URL": database,
            "ACTIVESYNTH_HOME": str(folder / "home"),
        }

    def __call__(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "activesynth.cli", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.database.replace("+psycopg2", ""))) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return cursor.fetchall()


def test_a_campaign_on_s3_leaves_nothing_in_the_folder_and_the_addresses_that_a_folder_gets(
    tmp_path: Path, postgres_server: PostgresServer, migrated_template: str, s3_server: S3Server
) -> None:
    places = {"folder": {}, "s3": s3_variables(s3_server, f"t-{uuid.uuid4().hex[:12]}")}
    shells = {
        name: Shell(
            tmp_path / name,
            postgres_server.url(postgres_server.create_database(migrated_template)),
            objects,
        )
        for name, objects in places.items()
    }
    on_s3 = shells["s3"]

    said = [shell("run", "tiny") for shell in shells.values()]
    said.append(on_s3("report", "tiny", "--test", "--output", str(tmp_path / "report.html")))
    said.append(on_s3("export", "version", "tiny", str(tmp_path / "version")))
    ((base,),) = on_s3.rows("SELECT digest FROM activesynth.models WHERE role = 'base'")
    said.append(on_s3("export", "model", "tiny", str(tmp_path / "model"), "--model", base))
    checks = {name: json.loads(_json(shell("fsck", "--json"))) for name, shell in shells.items()}

    assert on_s3.rows(ARTIFACTS) == shells["folder"].rows(ARTIFACTS)
    assert on_s3.rows(VERSIONS) == shells["folder"].rows(VERSIONS)
    assert not (tmp_path / "s3" / "home" / "objects").exists()
    assert (tmp_path / "folder" / "home" / "objects").exists()
    assert checks["s3"] == checks["folder"]
    assert checks["s3"]["is_clean"]
    assert checks["s3"]["orphans"] == 0
    assert (tmp_path / "version" / "data.parquet").stat().st_size > 10_000
    assert (tmp_path / "model" / "model.safetensors").stat().st_size > 10_000
    written = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(s3_server.secret_key in text for text in (*said, *written))


def test_the_embedded_platform_tells_its_tasks_where_objects_lie_by_environment_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = S3Server("127.0.0.1:9000", "the-access-key", "the-secret-key")
    given = s3_variables(server, "bucket")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    places = Places(tmp_path / "home", tmp_path, tmp_path / "dags")
    postgres = RunningPostgres(Process(pid=1, started=1, session=1), tmp_path)

    told = airflow_environment(places, postgres, keep_secrets(places), port=8080, threads=1)

    assert {name: told[name] for name in given} == given
    of_airflow = [value for name, value in told.items() if name.startswith("AIRFLOW")]
    assert not any("the-secret-key" in value for value in of_airflow)
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any("the-secret-key" in text for text in files)


def _json(output: str) -> str:
    """Return the document without the progress that is told around it."""
    return output[output.index("{\n") : output.rindex("\n}") + 2]
