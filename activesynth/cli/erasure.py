"""``activesynth erase``: a withdrawn person's samples, and a certificate of what remains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activesynth.cli.collection import signed_by_collector
from activesynth.cli.output import AsJson, print_json
from activesynth.cli.session import connected, settings

if TYPE_CHECKING:
    from activesynth.config.settings import Settings
    from activesynth.domain.ports import ObjectStore


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
    is_deleting: Annotated[
        bool, typer.Option("--delete", help="Do it; without this nothing is changed.")
    ] = False,
    certificate: Annotated[
        Path | None, typer.Option(help="Where to write the certificate, as JSON.")
    ] = None,
    readers: Annotated[
        int, typer.Option(min=1, max=32, help="How many blobs are removed at once.")
    ] = 4,
    as_json: AsJson = False,
) -> None:
    """Erase a withdrawn person's samples from blobs and records, and certify what remains.

    May be interrupted and run again. What a name is stays out of records and certificate: hashes
    are kept, by which the same person is recognised when a source still holds the samples.
    """
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
    found = settings()
    with connected(campaign, with_settings=found) as platform:
        done = part_with(
            request,
            platform,
            is_deleting=is_deleting,
            remover=_remover(found) if is_deleting else None,
            readers=readers,
        )
    if certificate is not None:
        import json

        certificate.write_text(json.dumps(done.certificate, indent=1, sort_keys=True) + "\n")
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
        print("Nothing was changed; the same with --delete does it.")


def _remover(found: Settings) -> ObjectStore | None:
    """Return the store with the collector's keys, None where there are no others."""
    signed = signed_by_collector(found)
    if signed is found:
        return None
    from activesynth.domain.effects import Unwatched
    from activesynth.storage.opening import open_store

    return open_store(signed, Unwatched())
