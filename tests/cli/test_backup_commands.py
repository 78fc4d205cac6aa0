"""A real small campaign backed up, drilled and restored by the commands that people type."""

from __future__ import annotations

import contextlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from activesynth.cli import main
from activesynth.domain.canonical import sha256
from activesynth.errors import (
    ConfigurationError,
    ConflictError,
    CorruptArtifactError,
    MissingArtifactError,
)
from platform_fixtures import PostgresServer
from s3_fixtures import S3Server
from tiny_campaign import SMALLEST

PASSWORD = "canary-of-the-database"


class Commands:
    """Commands of one person, and what they said."""

    def __init__(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
    ) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self._folder = folder
        self.said = ""

    def at(self, home: str, database: str, **objects: str) -> None:
        """Work on another platform from now on."""
        self._monkeypatch.setenv("ACTIVESYNTH_HOME", str(self._folder / home))
        # The server trusts its socket; the password is there to be looked for.
        address = database.replace("postgres:@", f"postgres:{PASSWORD}@")
        self._monkeypatch.setenv("ACTIVESYNTH_DATABASE_URL", address)
        for name, value in objects.items():
            self._monkeypatch.setenv(name, value)

    def __call__(self, *words: str, code: int = 0) -> str:
        found = main(list(words))
        told = self._capsys.readouterr()
        self.said += told.out + told.err
        assert found == code, told.err
        return told.out

    def document(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))


@pytest.fixture
def commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Commands:
    """Return commands in a folder with one campaign file."""
    (tmp_path / "campaigns").mkdir()
    document = {"name": "tiny", **SMALLEST}
    (tmp_path / "campaigns" / "tiny.yaml").write_text(yaml.safe_dump(document))
    monkeypatch.chdir(tmp_path)
    for name in ("CAMPAIGNS", "OBJECTS_URL", "SECRETS"):
        monkeypatch.delenv(f"ACTIVESYNTH_{name}", raising=False)
    return Commands(capsys, monkeypatch, tmp_path)


def working_below(folder: Path) -> list[str]:
    """Return where other processes work in a folder, or did before it was removed."""
    places = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            places.append(str((process / "cwd").readlink()))
    return [place for place in places if place.startswith(f"{folder}/")]


def shown(commands: Commands) -> list[Any]:
    nouns = ("iterations", "metrics", "models", "lineage", "costs", "weaknesses")
    return [commands.document("show", noun, "tiny") for noun in nouns]


def test_a_campaign_moves_to_another_database_and_to_s3_by_its_backup_and_goes_on(
    tmp_path: Path,
    commands: Commands,
    postgres_server: PostgresServer,
    migrated_template: str,
    s3_server: S3Server,
) -> None:
    first = postgres_server.url(postgres_server.create_database(migrated_template))
    second = postgres_server.url(postgres_server.create_database())
    backup = str(tmp_path / "backup")
    commands.at("first", first)
    commands("run", "tiny")
    before = shown(commands)

    listed = commands.document("backup", "create", backup)
    copied = commands.document("backup", "create", backup, "--blobs")
    again = commands("backup", "create", backup, "--blobs")
    drilled = commands("backup", "drill", backup)
    of_the_store = commands("backup", "drill", backup, "--snapshot", listed["snapshot"])
    commands("backup", "restore", backup, code=ConflictError.exit_code)

    assert (listed["copied"], copied["copied"]) == (0, copied["blobs"])
    assert "0 copied now" in again
    assert "is whole, with its own blobs" in drilled
    assert "is whole, with the blobs of the store" in of_the_store
    assert list((tmp_path / "first").glob("drill-*")) == []
    assert working_below(tmp_path) == []

    objects = {
        "ACTIVESYNTH_OBJECTS_URL": f"s3://t-{uuid.uuid4().hex[:12]}/moved",
        "ACTIVESYNTH_S3_ENDPOINT": s3_server.endpoint,
        "ACTIVESYNTH_S3_ACCESS_KEY": s3_server.access_key,
        "ACTIVESYNTH_S3_SECRET_KEY": s3_server.secret_key,
        "ACTIVESYNTH_S3_SECURE": str(s3_server.secure).lower(),
    }
    commands.at("second", second, **objects)
    done = commands.document("backup", "restore", backup)
    after = shown(commands)
    commands("run", "tiny")
    assert done["is_whole"]
    assert done["put"] == copied["blobs"]
    assert before == after
    assert commands.document("fsck")["is_clean"]
    assert len(commands.document("show", "iterations", "tiny")) == 2
    written = [path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    for secret in (PASSWORD, s3_server.secret_key):
        assert secret not in commands.said
        assert not any(secret.encode() in data for data in written)


def test_commands_end_as_fsck_does_and_name_what_is_lost(
    tmp_path: Path, commands: Commands, postgres_server: PostgresServer, migrated_template: str
) -> None:
    first = postgres_server.url(postgres_server.create_database(migrated_template))
    second = postgres_server.url(postgres_server.create_database())
    commands.at("first", first)
    commands("run", "tiny")
    backup = tmp_path / "backup"
    commands("backup", "drill", str(backup), code=ConfigurationError.exit_code)
    commands("backup", "create", str(backup), "--blobs")
    gone, changed = sorted(path for path in backup.glob("blobs/*/*"))[3:5]
    data = gone.read_bytes()

    gone.unlink()
    missing = commands("backup", "drill", str(backup), code=MissingArtifactError.exit_code)
    gone.write_bytes(data)
    changed.write_bytes(b"others")
    corrupt = commands("backup", "drill", str(backup), code=CorruptArtifactError.exit_code)
    (tmp_path / "first" / "objects" / "blobs" / gone.parent.name / gone.name).unlink()
    made = commands(
        "backup", "create", str(tmp_path / "new"), "--blobs", code=MissingArtifactError.exit_code
    )
    commands.at("second", second)
    restored = commands.document(
        "backup", "restore", str(backup), code=CorruptArtifactError.exit_code
    )

    assert f"missing: {gone.name}: is neither in the store nor in the backup" in missing
    assert "is NOT whole" in missing
    assert f"corrupt: {changed.name}: blob {changed.name}" in corrupt
    assert sha256(b"others") in corrupt
    assert f"missing: {gone.name}: is not in the store" in made
    assert [damage["digest"] for damage in restored["unusable"]] == [changed.name]
    assert [loss["digest"] for loss in restored["fsck"]["losses"]] == [changed.name]
    assert list((tmp_path / "first").glob("drill-*")) == []
