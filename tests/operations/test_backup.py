"""A backup brings everything back elsewhere, is of one moment, and is refused when damaged."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from activesynth.domain.backups import Backup, SavedTable
from activesynth.domain.canonical import sha256
from activesynth.domain.effects import EffectKind
from activesynth.domain.platform import Platform
from activesynth.errors import (
    ConfigurationError,
    ConflictError,
    CorruptArtifactError,
    PlatformStateError,
)
from activesynth.lineage.archive import PostgresArchive
from activesynth.lineage.migrate import current, upgrade
from activesynth.lineage.revision import NEWEST
from activesynth.operations.backup import create
from activesynth.operations.backup_folder import find_snapshot, held, read_backup, snapshots
from activesynth.operations.fsck import fsck
from activesynth.steps.loop import run
from backup_cases import all_rows, back_up, bring_back, elsewhere, vault_in, views
from damage_laboratory import CAMPAIGN, Laboratory, on_s3
from platform_fixtures import PostgresServer
from raw_stores import RawDirectory, s3_store
from s3_fixtures import S3Server
from toy_plane import plane_platform

_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, convalidated, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'activesynth'::regnamespace ORDER BY 1, 2
"""


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    engine = create_engine(url)
    with engine.begin() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def change(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def one_more(platform: Platform) -> None:
    run(platform, conf={"campaign": CAMPAIGN, "iterations": 1})


@pytest.mark.parametrize("way", ["folder to folder", "folder to S3", "S3 to folder"])
def test_a_backup_brought_back_elsewhere_is_equal_in_every_row_and_goes_on_alike(
    way: str,
    lab: Laboratory,
    tmp_path: Path,
    postgres_server: PostgresServer,
    migrated_template: str,
    s3_server: S3Server,
) -> None:
    source, _, target = way.split()
    bucket = f"t-{uuid.uuid4().hex[:12]}"
    origin = on_s3(lab, s3_server, bucket) if source == "S3" else lab
    objects = s3_store(s3_server, bucket)[0] if target == "S3" else None
    before = all_rows(lab.database_url), views(lab.platform, CAMPAIGN)
    made = back_up(lab.database_url, origin.platform, tmp_path / "backup")

    with elsewhere(postgres_server, tmp_path / "there", objects) as (url, platform):
        done = bring_back(url, platform, tmp_path / "backup")
        restored = all_rows(url), views(platform, CAMPAIGN)
        constraints = rows(url, _CONSTRAINTS)
        one_more(platform)
        one_more(origin.platform)
        heads = [p.lineage.campaign(CAMPAIGN) for p in (platform, origin.platform)]
        places = rows(url, "SELECT count(*), count(DISTINCT position) FROM activesynth.outbox")

    assert restored == before
    assert done.is_whole
    assert done.fsck.orphans == 0
    assert made.lost == ()
    assert made.copied == made.blobs == done.blobs == done.put == done.fsck.blobs > 100
    assert made.rows == done.rows == sum(map(len, restored[0].values()))
    assert constraints == rows(postgres_server.url(migrated_template), _CONSTRAINTS)
    assert heads[0] == heads[1]
    assert restored[1]["iterations"]
    assert places[0][0] == places[0][1]


def test_values_survive_servers_that_write_them_otherwise(
    lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    database = make_url(lab.database_url).database
    for setting in ("datestyle = 'SQL, DMY'", "extra_float_digits = -5", "bytea_output = escape"):
        postgres_server.execute(f"ALTER DATABASE {database} SET {setting}")
    with plane_platform(lab.database_url, tmp_path / "unused") as platform:
        back_up(lab.database_url, replace(platform, objects=lab.platform.objects), tmp_path / "b")
    for setting in ("datestyle", "extra_float_digits", "bytea_output"):
        postgres_server.execute(f"ALTER DATABASE {database} RESET {setting}")

    with elsewhere(postgres_server, tmp_path / "there") as (url, platform):
        bring_back(url, platform, tmp_path / "b")

        assert all_rows(url) == all_rows(lab.database_url)


@pytest.mark.parametrize("table", [1, 9, 17, 24])
def test_a_commit_between_two_tables_of_a_backup_is_not_in_it(
    table: int, lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    def commit_in_between(what: str, done: int, total: int) -> None:
        if (what, done) == ("backup tables", table):
            one_more(lab.platform)

    before = lab.platform.lineage.campaign(CAMPAIGN)
    disturbed = replace(lab.platform, report=commit_in_between)
    back_up(lab.database_url, disturbed, tmp_path / "backup")
    assert lab.platform.lineage.campaign(CAMPAIGN).iterations == before.iterations + 1

    with elsewhere(postgres_server, tmp_path / "there") as (url, platform):
        done = bring_back(url, platform, tmp_path / "backup")

        assert done.is_whole, done
        assert platform.lineage.campaign(CAMPAIGN) == before


class AtCommit:
    """Makes a backup just before an iteration's commit ends, when all its rows are written."""

    def __init__(self, folder: Path, url: str) -> None:
        self.platform: Platform | None = None
        self.made = 0
        self._folder = folder
        self._url = url

    def before(self, kind: EffectKind, key: str) -> None:
        if kind == "sql.commit" and key.startswith("commit_iteration") and self.platform:
            platform, self.platform = self.platform, None
            back_up(self._url, platform, self._folder)
            self.made += 1

    def after(self, kind: EffectKind, key: str) -> None:
        pass


def test_a_backup_made_while_a_commit_ends_holds_nothing_of_it(
    template: tuple[str, Path], lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    effects = AtCommit(tmp_path / "backup", lab.database_url)
    before = lab.platform.lineage.campaign(CAMPAIGN)
    with plane_platform(lab.database_url, template[1], effects) as platform:
        effects.platform = platform
        one_more(platform)

    with elsewhere(postgres_server, tmp_path / "there") as (url, platform):
        done = bring_back(url, platform, tmp_path / "backup")
        found = platform.lineage.campaign(CAMPAIGN)

        assert effects.made == 1
        assert done.is_whole, done
        assert (found.head, found.iterations) == (before.head, before.iterations)


def test_backups_made_while_a_loop_runs_reach_only_blobs_that_they_list(
    lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    loop = threading.Thread(
        target=run, args=(lab.platform,), kwargs={"conf": {"campaign": CAMPAIGN, "iterations": 2}}
    )
    loop.start()
    made = [back_up(lab.database_url, lab.platform, tmp_path / "backup")]
    while loop.is_alive():
        made.append(back_up(lab.database_url, lab.platform, tmp_path / "backup"))
    loop.join()

    assert len(made) > 2
    for number, one in enumerate(made[:: max(1, len(made) // 5)]):
        # Only what this snapshot lists is put into the new store.
        with elsewhere(postgres_server, tmp_path / str(number)) as (url, platform):
            done = bring_back(url, platform, tmp_path / "backup", snapshot=one.snapshot)

            assert done.is_whole, done
            assert done.put == one.blobs


@pytest.mark.parametrize("harm", ["flipped", "cut", "deleted"])
def test_a_damaged_file_of_a_backup_is_refused_before_anything_is_written(
    harm: str, lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    back_up(lab.database_url, lab.platform, tmp_path / "backup")
    snapshot = find_snapshot(tmp_path / "backup", None)
    files = sorted(path for path in snapshot.rglob("*") if path.is_file())
    assert len(files) > 20
    with elsewhere(postgres_server, tmp_path / "there") as (url, platform):
        for path in files:
            data = path.read_bytes()
            if not data:
                continue  # a table without rows
            middle = len(data) // 2
            changed = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
            path.unlink() if harm == "deleted" else path.write_bytes(
                changed if harm == "flipped" else data[:-1]
            )
            expected: type[Exception] = CorruptArtifactError
            if harm == "deleted" and path.name == "backup.json":
                expected = ConfigurationError  # without it there is no snapshot
            with pytest.raises(expected, match=f"{path.name}|holds no backup"):
                bring_back(url, platform, tmp_path / "backup")
            path.write_bytes(data)

        assert rows(url, "SELECT to_regnamespace('activesynth')") == [(None,)]
        assert not (tmp_path / "there" / "objects").exists()
        assert bring_back(url, platform, tmp_path / "backup").is_whole


def test_a_database_that_holds_records_is_refused_and_stays_as_it_is(
    lab: Laboratory, tmp_path: Path, template: tuple[str, Path]
) -> None:
    back_up(lab.database_url, lab.platform, tmp_path / "backup")
    before = all_rows(lab.database_url)

    with pytest.raises(ConflictError, match="holds records already"):
        bring_back(lab.database_url, lab.platform, tmp_path / "backup")

    assert all_rows(lab.database_url) == before


def without_last_columns(path: Path, table: SavedTable, names: tuple[str, ...]) -> SavedTable:
    """Write a table's file anew as it was before these columns were added."""
    assert table.columns[-len(names) :] == names
    lines = path.read_bytes().splitlines(keepends=True)
    data = b"".join(b"\t".join(line.split(b"\t")[: -len(names)]) + b"\n" for line in lines)
    path.write_bytes(data)
    changes = {"sha256": sha256(data), "bytes": len(data)}
    return table.model_copy(update={"columns": table.columns[: -len(names)], **changes})


@pytest.mark.parametrize("is_migrated", [False, True])
def test_a_backup_of_an_older_revision_is_migrated(
    is_migrated: bool, lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    back_up(lab.database_url, lab.platform, tmp_path / "backup")
    path = find_snapshot(tmp_path / "backup", None) / "backup.json"
    new = {"generators", "experiments", "experiment_cells", "experiment_scores"}
    new |= {"erasures", "erased_names", "erased_blobs", "erased_manifests", "recalls"}
    new |= {"annotation_counts", "second_opinions", "verdict_counts", "proposed_plans"}
    backup = Backup.unsealed(path.read_bytes())
    old = {name: table for name, table in backup.tables.items() if name not in new}
    newest = ("state", "answered_by", "second", "awaits_second")
    items = path.parent / "tables" / "annotation_items.copy"
    old["annotation_items"] = without_last_columns(items, old["annotation_items"], newest)
    turns = path.parent / "tables" / "iterations.copy"
    closed = ("questions_closed", "questions_closed_by")
    old["iterations"] = without_last_columns(turns, old["iterations"], closed)
    path.write_bytes(backup.model_copy(update={"revision": "0003", "tables": old}).sealed())

    with elsewhere(postgres_server, tmp_path / "there") as (url, platform):
        if is_migrated:
            upgrade(url)
        done = bring_back(url, platform, tmp_path / "backup")

        assert done.is_whole
        assert current(url) == NEWEST
        expected = all_rows(lab.database_url)
        counts = expected["annotation_counts"]  # counted anew by the migration: there are no zeros
        expected["annotation_counts"] = [row for row in counts if '"count":0' not in row]
        told, untold = '"questions_closed":"answered"', '"questions_closed":null'
        expected["iterations"] = [row.replace(told, untold) for row in expected["iterations"]]
        assert all_rows(url) == expected


def test_a_backup_of_a_newer_version_or_with_other_tables_is_refused(
    lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    back_up(lab.database_url, lab.platform, tmp_path / "backup")
    path = find_snapshot(tmp_path / "backup", None) / "backup.json"
    backup = Backup.unsealed(path.read_bytes())
    fewer = {name: table for name, table in backup.tables.items() if name != "metrics"}

    with elsewhere(postgres_server, tmp_path / "there") as (url, platform):
        path.write_bytes(backup.model_copy(update={"revision": "9999"}).sealed())
        with pytest.raises(PlatformStateError, match="newer activesynth"):
            bring_back(url, platform, tmp_path / "backup")
        path.write_bytes(backup.model_copy(update={"tables": fewer}).sealed())
        with pytest.raises(CorruptArtifactError, match="metrics differ"):
            bring_back(url, platform, tmp_path / "backup")

        assert rows(url, "SELECT to_regnamespace('activesynth')") == [(None,)]


KILLED = """
import os, signal, sys
from contextlib import closing
from pathlib import Path
from activesynth.lineage.archive import PostgresArchive
from activesynth.operations.backup import create
from activesynth.storage.directory import DirectoryObjectStore
from toy_plane import plane_platform

class Killer:
    left = 10
    def before(self, kind, key): pass
    def after(self, kind, key):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)

url, lab, backup = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
with plane_platform(url, lab) as platform, closing(PostgresArchive(url)) as archive:
    create(backup, platform, archive, DirectoryObjectStore(backup, Killer()), readers=1)
"""


def test_a_killed_backup_is_known_as_half_and_the_next_copies_only_what_is_missing(
    lab: Laboratory, template: tuple[str, Path], tmp_path: Path, postgres_server: PostgresServer
) -> None:
    backup = tmp_path / "backup"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, lab.database_url, str(template[1]), str(backup)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -9, killed.stderr
    with (
        elsewhere(postgres_server, tmp_path / "there") as (url, platform),
        pytest.raises(ConfigurationError, match="was not finished"),
    ):
        bring_back(url, platform, backup)

    first = back_up(lab.database_url, lab.platform, backup)
    second = back_up(lab.database_url, lab.platform, backup)

    assert first.copied == first.blobs - 10
    assert (second.copied, second.blobs) == (0, first.blobs)
    assert snapshots(backup) == [first.snapshot, second.snapshot]
    assert [path.name for path in (backup / "snapshots").glob(".*")] == []


def test_an_interrupted_backup_leaves_no_snapshot(lab: Laboratory, tmp_path: Path) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if (what, done) == ("backup copies", 30):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(lab.database_url, replace(lab.platform, report=interrupt), tmp_path / "backup")

    assert list((tmp_path / "backup" / "snapshots").iterdir()) == []
    assert len(list(vault_in(tmp_path / "backup").digests())) >= 30


def test_a_restore_that_is_interrupted_can_be_run_again(
    lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    made = back_up(lab.database_url, lab.platform, tmp_path / "backup")

    def interrupt(what: str, done: int, total: int) -> None:
        if (what, done) == moments[0]:
            moments.pop(0)
            raise KeyboardInterrupt

    moments = [("restore blobs", 30), ("restore tables", 20), ("", 0)]
    with elsewhere(postgres_server, tmp_path / "there") as (url, platform):
        disturbed = replace(platform, report=interrupt)
        with pytest.raises(KeyboardInterrupt):
            bring_back(url, disturbed, tmp_path / "backup")
        with pytest.raises(KeyboardInterrupt):
            bring_back(url, disturbed, tmp_path / "backup")
        done = bring_back(url, platform, tmp_path / "backup")

        assert made.blobs > 100
        assert (done.is_whole, done.put) == (True, 0)


def test_what_the_store_damaged_comes_back_from_the_backup_and_nothing_else_is_put(
    lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    back_up(lab.database_url, lab.platform, tmp_path / "backup")
    with elsewhere(postgres_server, tmp_path / "there") as (url, platform):
        raw = RawDirectory(tmp_path / "there" / "objects")
        saved = vault_in(tmp_path / "backup")
        for digest in saved.digests():
            platform.objects.put(saved.get(digest))
        gone, cut, flipped = list(saved.digests())[5:8]
        raw.remove(gone)
        raw.write(cut, raw.read(cut)[:-1])
        raw.write(flipped, bytes([raw.read(flipped)[0] ^ 1]) + raw.read(flipped)[1:])

        done = bring_back(url, platform, tmp_path / "backup")

        assert done.is_whole
        assert done.put == 3


def test_what_the_store_lost_before_the_backup_is_named_by_it(
    lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    shards = sorted({blob.digest for blob in lab.kinds["shard of train"]})
    with lab.damaged(shards[0], None), lab.damaged(shards[1], b"other bytes"):
        made = back_up(lab.database_url, lab.platform, tmp_path / "backup")
    backup = read_backup(find_snapshot(tmp_path / "backup", None))

    with elsewhere(postgres_server, tmp_path / "there") as (url, platform):
        done = bring_back(url, platform, tmp_path / "backup")

    assert [damage.digest for damage in made.lost] == shards[:2] == sorted(backup.lost)
    assert {loss.digest for loss in done.fsck.losses} == set(shards[:2])
    assert done.unusable == ()


def test_a_deep_backup_replaces_damaged_copies(lab: Laboratory, tmp_path: Path) -> None:
    back_up(lab.database_url, lab.platform, tmp_path / "backup")
    raw = RawDirectory(tmp_path / "backup")
    first, second = list(vault_in(tmp_path / "backup").digests())[:2]
    raw.write(first, bytes([raw.read(first)[0] ^ 1]) + raw.read(first)[1:])
    raw.write(second, raw.read(second)[:-1])

    quick = back_up(lab.database_url, lab.platform, tmp_path / "backup")
    deep = back_up(lab.database_url, lab.platform, tmp_path / "backup", is_deep=True)

    assert (quick.copied, deep.copied) == (1, 1)
    assert [sha256(raw.read(digest)) for digest in (first, second)] == [first, second]


def test_two_commands_do_not_write_into_one_folder(lab: Laboratory, tmp_path: Path) -> None:
    with (
        held(tmp_path / "backup"),
        pytest.raises(ConflictError, match="another command is writing"),
    ):
        back_up(lab.database_url, lab.platform, tmp_path / "backup")


def test_a_role_that_may_only_read_can_back_up_and_not_restore(
    lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    role = f"r{uuid.uuid4().hex[:12]}"
    change(lab.database_url, f"CREATE ROLE {role} LOGIN")
    change(lab.database_url, f"GRANT USAGE ON SCHEMA activesynth TO {role}")
    change(lab.database_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA activesynth TO {role}")
    as_role = lab.database_url.replace("postgres:@", f"{role}:@")

    made = back_up(as_role, lab.platform, tmp_path / "backup")
    with elsewhere(postgres_server, tmp_path / "there") as (url, platform):
        upgrade(url)
        change(url, f"GRANT USAGE ON SCHEMA activesynth TO {role}")
        change(url, f"GRANT ALL ON ALL TABLES IN SCHEMA activesynth TO {role}")
        with pytest.raises(PlatformStateError, match="must be owner"):
            bring_back(url.replace("postgres:@", f"{role}:@"), platform, tmp_path / "backup")
        assert sum(map(len, all_rows(url).values())) == 0
    change(lab.database_url, f"DROP OWNED BY {role}")
    change(lab.database_url, f"DROP ROLE {role}")

    assert made.rows > 1000


def test_everything_in_a_backup_is_closed_to_others(lab: Laboratory, tmp_path: Path) -> None:
    back_up(lab.database_url, lab.platform, tmp_path / "backup")

    folders = [tmp_path / "backup", *(tmp_path / "backup").rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders if path.is_dir()} == {0o700}


def test_a_folder_that_cannot_be_written_is_named(lab: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(PlatformStateError, match="correct owner and mode"):
        back_up(lab.database_url, lab.platform, tmp_path / "file" / "backup")


def test_without_blobs_the_store_is_taken_as_it_is(
    lab: Laboratory, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    with closing(PostgresArchive(lab.database_url)) as archive:
        made = create(tmp_path / "backup", lab.platform, archive)
    assert list(vault_in(tmp_path / "backup").digests()) == []
    assert made.blobs == fsck(lab.platform).blobs > 100

    with elsewhere(postgres_server, tmp_path / "there", lab.platform.objects) as (url, platform):
        done = bring_back(url, platform, tmp_path / "backup")
        assert (done.is_whole, done.put) == (True, 0)
