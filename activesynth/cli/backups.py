"""``activesynth backup``: all records, and the blobs they reach, into a folder and back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activesynth.cli.checks import failure_of, print_report
from activesynth.cli.output import AsJson, print_json
from activesynth.cli.progress import notice, progress
from activesynth.cli.session import settings, with_database
from activesynth.errors import ActiveSynthError, CorruptArtifactError, MissingArtifactError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from activesynth.config.settings import Settings
    from activesynth.domain.backups import LineageArchive
    from activesynth.domain.platform import Platform
    from activesynth.domain.ports import ObjectStore
    from activesynth.operations.reachable import Damage
    from activesynth.operations.restore import Restored

app = typer.Typer(help="Copies of all records and blobs, and the way back.", no_args_is_help=True)

SHOWN = 20  # of blobs that are lost; JSON holds all
HOW_TO = "docs/how-to/back-up-and-restore.md says what to do"

Folder = Annotated[Path, typer.Argument(help="The folder of the backup.")]
Snapshot = Annotated[
    str | None, typer.Option("--snapshot", help="Its time, as a folder; the newest unless given.")
]
Readers = Annotated[int, typer.Option(min=1, max=32, help="How many blobs are read at once.")]


@app.command("create")
def create(
    folder: Folder,
    with_blobs: Annotated[
        bool, typer.Option("--blobs", help="Copy the blobs that the folder does not hold yet.")
    ] = False,
    is_deep: Annotated[
        bool,
        typer.Option(
            "--deep/--quick",
            help="Compare all bytes in the store and in the backup, or those that are copied only.",
        ),
    ] = False,
    readers: Readers = 4,
    as_json: AsJson = False,
) -> None:
    """Save all records of one moment and list the blobs they reach; a loop may run meanwhile.

    Ends as `fsck` does where the store lacks some of them: the backup is made all the same.
    """
    from dataclasses import asdict

    from activesynth.lineage.revision import check_tables
    from activesynth.operations.backup import create as save

    found = with_database(settings())
    assert found.database_url is not None
    check_tables(found.database_url.get_secret_value())
    with opened(found) as (platform, archive):
        vault = blobs_in(folder) if with_blobs else None
        made = save(folder, platform, archive, vault, is_deep=is_deep, readers=readers)
    if as_json:
        print_json(asdict(made))
    else:
        _print_blobs(made.lost)
        copied = f"{made.copied} copied now ({made.copied_bytes / 1e6:.1f} MB)"
        print(
            f"snapshot {made.snapshot} in {folder}: {made.rows} rows, {made.blobs} blobs of "
            f"{made.bytes / 1e6:.1f} MB, {copied if with_blobs else 'listed only'}."
        )
    _end(made.lost, f"{len(made.lost)} blobs that records reach are not in the store as recorded")


@app.command("restore")
def restore(
    folder: Folder,
    snapshot: Snapshot = None,
    is_deep: Annotated[
        bool,
        typer.Option(
            "--deep/--quick", help="Check all bytes in the store, or presence and size only."
        ),
    ] = True,
    readers: Readers = 4,
    as_json: AsJson = False,
) -> None:
    """Bring records and blobs back into an empty database and into the store; then check them.

    Ends with 0 when all is as it was, otherwise as `fsck` does.
    """
    from activesynth.operations.restore import restore as bring_back

    with opened(with_database(settings())) as (platform, archive):
        done = bring_back(
            folder,
            platform,
            archive,
            blobs_in(folder),
            snapshot=snapshot,
            is_deep=is_deep,
            readers=readers,
        )
    _tell(done, f"restored {done.snapshot} from {folder}", as_json)


@app.command("drill")
def drill(
    folder: Folder,
    snapshot: Snapshot = None,
    scratch: Annotated[
        Path | None,
        typer.Option(help="Where to work, with room for all blobs; ACTIVESYNTH_HOME unless given."),
    ] = None,
    readers: Readers = 4,
    as_json: AsJson = False,
) -> None:
    """Restore into a scratch PostgreSQL and a scratch store, check everything, remove both.

    Where the blobs are not in the backup, those of the store are read and nothing is written there.
    """
    from activesynth.embedded.private import private_folder
    from activesynth.operations.backup_folder import find_snapshot, read_backup
    from activesynth.operations.restore import restore as bring_back

    chosen = find_snapshot(folder, snapshot)
    has_blobs = read_backup(chosen).blobs.are_copied
    found = settings()
    with scratch_server(private_folder((scratch or found.home).absolute())) as (place, address):
        changes: dict[str, Any] = {"database_url": address}
        if has_blobs:
            changes["objects_url"] = (place / "objects").as_uri()
        vault = blobs_in(folder if has_blobs else place / "no-blobs")
        with opened(found.model_copy(update=changes)) as (platform, archive):
            done = bring_back(
                folder, platform, archive, vault, snapshot=chosen.name, readers=readers
            )
    whole = "whole" if done.is_whole else "NOT whole"
    blobs = "its own blobs" if has_blobs else "the blobs of the store"
    _tell(done, f"drill: {chosen.name} in {folder} is {whole}, with {blobs}", as_json)


@contextmanager
def opened(found: Settings) -> Iterator[tuple[Platform, LineageArchive]]:
    """Open the platform and the archive of one database, which need not have tables yet."""
    from activesynth.bootstrap import open_platform
    from activesynth.lineage.archive import PostgresArchive

    assert found.database_url is not None
    archive = PostgresArchive(found.database_url.get_secret_value())
    with progress() as report, open_platform(found, report=report) as platform, closing(archive):
        yield platform, archive


def blobs_in(folder: Path) -> ObjectStore:
    """Return the blobs of a backup as a store: they lie as those of a folder store do."""
    from activesynth.domain.effects import Unwatched
    from activesynth.storage.directory import DirectoryObjectStore

    return DirectoryObjectStore(folder, Unwatched())


@contextmanager
def scratch_server(parent: Path) -> Iterator[tuple[Path, Any]]:
    """Give a folder and the address of a PostgreSQL that runs in it; remove both at the end."""
    from pydantic import SecretStr

    from activesynth.embedded.postgres import PostgresServer

    place = Path(tempfile.mkdtemp(prefix="drill-", dir=parent))
    server = PostgresServer(place / "postgres", place / "postgres.log")
    try:
        notice(f"scratch PostgreSQL and store in {place}")
        yield place, SecretStr(server.start().url("activesynth"))
    finally:
        server.stop()
        shutil.rmtree(place, ignore_errors=True)


def _tell(done: Restored, title: str, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json({**asdict(done), "is_whole": done.is_whole})
    else:
        _print_blobs(done.unusable)
        for difference in done.differences:
            print(f"different: {difference}")
        print_report(done.fsck)
        print(
            f"{title}: {done.rows} rows, {done.blobs} blobs listed, {done.put} put "
            f"({done.put_bytes / 1e6:.1f} MB), {len(done.unusable)} that nobody has."
        )
    _end(done.unusable, f"{len(done.unusable)} of {done.blobs} listed blobs are nowhere as listed")
    failure = failure_of(done.fsck)
    if failure is not None:
        raise failure
    if done.differences:
        raise CorruptArtifactError(f"what was restored differs from the backup; {HOW_TO}.")


def _print_blobs(lost: Sequence[Damage]) -> None:
    for damage in lost[:SHOWN]:
        print(f"{damage.problem.replace('_', ' ')}: {damage.digest}: {damage.detail}")
    if len(lost) > SHOWN:
        print(f"and {len(lost) - SHOWN} more (see --json)")


def _end(lost: Sequence[Damage], problem: str) -> None:
    """Raise as `fsck` does: corrupt where bytes are others than recorded, else missing."""
    if not lost:
        return
    is_missing = all(damage.problem == "missing" for damage in lost)
    kind: type[ActiveSynthError] = MissingArtifactError if is_missing else CorruptArtifactError
    raise kind(f"{problem}; {HOW_TO}.")
