"""``activesynth fsck``: is everything on record in the store, as it was recorded?"""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from activesynth.cli.output import AsJson, print_json
from activesynth.cli.session import connected
from activesynth.errors import (
    ActiveSynthError,
    ConflictError,
    CorruptArtifactError,
    MissingArtifactError,
)

if TYPE_CHECKING:
    from activesynth.operations.fsck import FsckReport
    from activesynth.operations.losses import Loss

WIDTH = 110
SHOWN = 12  # of a long list of names; JSON holds all


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("fsck")(fsck)


def fsck(
    campaign: Annotated[
        str | None, typer.Argument(help="A campaign; all of them unless given.")
    ] = None,
    is_deep: Annotated[
        bool,
        typer.Option(
            "--deep/--quick",
            help="Compare all bytes with their digests, or look for presence and size only.",
        ),
    ] = True,
    readers: Annotated[
        int, typer.Option(min=1, max=32, help="How many blobs are read at once.")
    ] = 4,
    as_json: AsJson = False,
) -> None:
    """Name everything on record that is not in the store as recorded; changes nothing.

    Ends with 0 when all is well, with 5 when bytes are others than recorded, with 4 when blobs or
    records are missing.
    """
    from activesynth.operations.fsck import fsck as look

    with connected(campaign) as platform:
        report = look(platform, campaign, is_deep=is_deep, readers=readers)
    if as_json:
        from dataclasses import asdict

        print_json({**asdict(report), "is_clean": report.is_clean})
    else:
        print_report(report)
    failure = failure_of(report)
    if failure is not None:
        raise failure


def failure_of(report: FsckReport) -> ActiveSynthError | None:
    """Return the error the command ends with, or None where all is well."""
    if report.is_clean:
        return None
    if report.returned and not report.losses and not report.broken:
        return ConflictError(
            f"{len(report.returned)} blobs that were erased for a withdrawn person lie in the "
            "store; run `activesynth erase` again as it was run, and look where they came from.",
            reason="erased_blobs_there",
        )
    summary = (
        f"{len(report.losses)} of {report.blobs} blobs are not in the store as recorded, and "
        f"{len(report.broken)} rows point at nothing; docs/how-to/check-and-repair.md says what "
        "to do."
    )
    if any(loss.problem != "missing" for loss in report.losses):
        return CorruptArtifactError(summary)
    return MissingArtifactError(summary)


def print_report(report: FsckReport) -> None:
    """Print every loss and broken row, and a line about all that was looked at."""
    for loss in report.losses:
        print(f"\n{loss.problem.replace('_', ' ')}: {loss.digest}")
        for name, value in _facts(loss):
            print(fill(f"  {name:10}  {value}", WIDTH, subsequent_indent=" " * 14))
    for row in report.broken:
        print(f"\nbroken row: {row.table}, {row.row} of campaign {row.campaign}")
        print(fill(f"  {row.problem}", WIDTH, subsequent_indent="  "))
    looked = "bytes compared" if report.is_deep else "presence and size only"
    print(
        f"{report.blobs} blobs, {report.bytes / 1e6:.1f} MB ({looked}): {len(report.losses)} lost, "
        f"{len(report.broken)} broken rows"
        + ("" if report.orphans is None else f", {report.orphans} orphans")
        + (f", {report.erased} erased on purpose" if report.erased else "")
        + (f", {len(report.returned)} erased and there" if report.returned else "")
        + "."
    )


def _facts(loss: Loss) -> list[tuple[str, str]]:
    samples = f"{loss.samples}, for instance {loss.example}" if loss.samples else ""
    facts = [
        ("found", loss.detail),
        ("what", _some(loss.what)),
        ("campaign", _some(loss.campaigns)),
        ("iteration", _some(loss.iterations)),
        ("step", _some(loss.steps)),
        ("read by", _some(loss.read_by)),
        ("versions", _some(tuple(digest[:12] for digest in loss.versions))),
        ("models", _some(tuple(digest[:12] for digest in loss.models))),
        ("samples", samples),
        ("way out", loss.advice),
    ]
    return [(name, value) for name, value in facts if value]


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more (see --json)" if more > 0 else "")
