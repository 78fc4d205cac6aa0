"""``activesynth erase``: a withdrawn person's samples, and a certificate of what remains."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activesynth.cli.collection import signed_by_collector
from activesynth.cli.output import AsJson, IsDeleting, LeaseDays, print_json
from activesynth.cli.session import connected, settings
from activesynth.errors import ConfigurationError

if TYPE_CHECKING:
    from activesynth.config.settings import Settings
    from activesynth.domain.backups import LineageArchive
    from activesynth.domain.erasure import Erasure
    from activesynth.domain.platform import Platform
    from activesynth.domain.ports import ObjectStore
    from activesynth.operations.erase import Request


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("erase")(erase)


def erase(
    campaign: Annotated[str, typer.Argument(help="The campaign.")],
    reason: Annotated[
        str, typer.Option(help="Why; it stays on record, so do not name the person.")
    ],
    group: Annotated[
        str | None, typer.Option(help="The person, by the value that the source groups by.")
    ] = None,
    sample: Annotated[
        list[str] | None, typer.Option(help="The id of a sample; may be given again.")
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="Another campaign on the same data.")
    ] = None,
    with_descendants: Annotated[
        bool,
        typer.Option(
            "--descendants",
            help="Remove as well: synthetic samples nearest to the person's, and the weights of "
            "all that learnt from the person.",
        ),
    ] = False,
    is_deleting: IsDeleting = False,
    backup: Annotated[
        list[Path] | None,
        typer.Option(help="The folder of a backup to erase from as well; may be given again."),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(help="Where to write the certificate, as JSON.")
    ] = None,
    lease_days: LeaseDays = 7.0,
    readers: Annotated[
        int, typer.Option(min=1, max=32, help="How many blobs are removed at once.")
    ] = 4,
    as_json: AsJson = False,
) -> None:
    """Erase a withdrawn person's samples from blobs and records, and certify what remains.

    May be interrupted and run again. What a name is stays out of records and certificate: hashes
    are kept, by which the same person is recognised when a source still holds the samples.
    """
    from datetime import timedelta

    from activesynth.operations.backup_folder import find_snapshot
    from activesynth.operations.certificate import in_words
    from activesynth.operations.erase import Request
    from activesynth.operations.erase import erase as part_with
    from activesynth.operations.person import Withdrawn

    request = Request(
        Withdrawn(group, tuple(dict.fromkeys(sample or ()))),
        tuple(dict.fromkeys([campaign, *(also or ())])),
        reason,
        with_descendants,
    )
    for folder in backup or ():
        find_snapshot(folder, None)
    if certificate is not None and not _is_writable(certificate):
        raise _unwritten(certificate, "name a file in a folder that is there, closed to others")
    found = settings()
    with connected(campaign, with_settings=found) as platform:
        done = part_with(
            request,
            platform,
            is_deleting=is_deleting,
            remover=_remover(found) if is_deleting else None,
            clean_backups=lambda known: [
                _cleaned(folder, request, known, found, platform, readers)
                for folder in backup or ()
            ],
            lease_limit=timedelta(days=lease_days),
            readers=readers,
        )
    if certificate is not None:
        _write(certificate, done.certificate)
    if as_json:
        print_json(done.certificate)
        return
    for line in in_words(done.certificate, is_done=done.is_done):
        print(line)
    if done.is_done:
        print(
            f"erasure {done.id} is done and on record"
            + (", as before." if done.is_resumed else ".")
        )
    else:
        for folder in backup or ():
            print(f"backup {folder}: each of its snapshots would be looked through")
        print("Nothing was changed; the same with --delete does it.")


def _cleaned(
    folder: Path,
    request: Request,
    known: Erasure,
    found: Settings,
    platform: Platform,
    readers: int,
) -> dict[str, Any]:
    """Erase from one backup what ``known`` erased from the platform."""
    from dataclasses import replace

    from activesynth.cli.backups import blobs_in, opened, scratch_server
    from activesynth.embedded.private import private_folder
    from activesynth.operations.erase_backup import clean_backup

    vault = blobs_in(folder)

    @contextmanager
    def on_scratch() -> Iterator[tuple[Platform, LineageArchive]]:
        with scratch_server(private_folder(found.home.absolute())) as (place, address):
            changes = {"database_url": address, "objects_url": (place / "objects").as_uri()}
            with opened(found.model_copy(update=changes)) as both:
                yield both

    blobs = platform.lineage.erased_blobs().values()
    gone = [blob.digest for blob in blobs if blob.erasure == known.id]
    asked = replace(request, id=known.id, salt=known.salt)
    return clean_backup(
        folder, asked, on_scratch, vault, platform.objects, gone, platform.clock, readers=readers
    )


def _is_writable(path: Path) -> bool:
    """Tell, without writing anything, whether a file can be written there."""
    there = path if path.exists() else path.parent
    return there.is_dir() != path.exists() and os.access(there, os.W_OK)


def _write(path: Path, certificate: dict[str, Any]) -> None:
    """Write the certificate for its owner alone: salt and hashes tell who knows a name."""
    import json

    data = json.dumps(certificate, indent=1, sort_keys=True) + "\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "w") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
    except OSError as error:
        advice = "what was done is done and on record; the same again with another path writes it"
        raise _unwritten(path, advice) from error


def _unwritten(path: Path, advice: str) -> ConfigurationError:
    return ConfigurationError(
        f"the certificate cannot be written to {path}; {advice}.",
        reason="not_writable",
        field="certificate",
    )


def _remover(found: Settings) -> ObjectStore | None:
    """Return the store with the collector's keys, None where there are no others."""
    signed = signed_by_collector(found)
    if signed is found:
        return None
    from activesynth.domain.effects import Unwatched
    from activesynth.storage.opening import open_store

    return open_store(signed, Unwatched())
