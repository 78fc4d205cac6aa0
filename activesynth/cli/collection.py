"""``activesynth gc``: remove blobs that nothing on record reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from activesynth.cli.output import AsJson, IsDeleting, LeaseDays, print_json, print_table
from activesynth.cli.session import connected, settings

if TYPE_CHECKING:
    from activesynth.config.settings import Settings
    from activesynth.operations.collect import CollectionReport


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("gc")(gc)


def gc(
    grace_hours: Annotated[
        float,
        typer.Option(
            min=0,
            max=24 * 365,
            help="How old a blob must be for quarantine, and how long it stays there.",
        ),
    ] = 24.0,
    is_deleting: IsDeleting = False,
    lease_days: LeaseDays = 7.0,
    readers: Annotated[
        int, typer.Option(min=1, max=32, help="How many blobs are read or removed at once.")
    ] = 4,
    as_json: AsJson = False,
) -> None:
    """Find blobs that nothing on record reaches; with --delete quarantine, and later remove them.

    May run beside everything else, be interrupted, and be run again.
    """
    from dataclasses import asdict
    from datetime import timedelta

    from activesynth.operations.collect import collect

    with connected(with_settings=signed_by_collector(settings())) as platform:
        report = collect(
            platform,
            grace=timedelta(hours=grace_hours),
            lease_limit=timedelta(days=lease_days),
            is_deleting=is_deleting,
            readers=readers,
        )
    if as_json:
        print_json(asdict(report))
    else:
        print_report(report, grace_hours)


def signed_by_collector(found: Settings) -> Settings:
    """Return the settings with the collector's keys for S3, where they are set."""
    from pydantic import SecretStr

    from activesynth.config.object_roles import ObjectRoles

    roles = ObjectRoles.read()
    if not roles.collector_access_key:
        return found
    keys = roles.keys("collector")
    return found.model_copy(
        update={"s3_access_key": SecretStr(keys.access_key), "s3_secret_key": keys.secret_key}
    )


def print_report(report: CollectionReport, grace_hours: float) -> None:
    """Print how many blobs of each kind there are, and what to do next."""
    done = report.is_deleting
    lines = [
        ("reachable", report.reachable),
        ("held by work that has not recorded them", report.held),
        (f"unreachable, younger than {grace_hours:g} h", report.young),
        ("unreachable, " + ("put into quarantine" if done else "to quarantine"), report.found),
        (f"in quarantine, not for {grace_hours:g} h yet", report.waiting),
        ("removed" if done else "to remove", report.removed if done else report.due),
    ]
    print_table(
        ("blobs", "count", "MB"),
        [(name, str(item.blobs), f"{item.bytes / 1e6:.1f}") for name, item in lines],
    )
    spared = report.due.blobs - report.removed.blobs
    if done and spared:
        print(f"{spared} blobs were wanted again and stay.")
    if report.expired:
        print(f"{report.expired} leases of processes that are dead were dropped.")
    if not done:
        print("Nothing was changed; `activesynth gc --delete` does it.")
    elif report.found.blobs + report.waiting.blobs:
        print(f"Run it again when {grace_hours:g} h have passed, to remove what is in quarantine.")
