"""Work beside the loop: ``refresh`` and ``outbox send``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from activesynth.cli.campaigns import campaign_file, ingested, tell_refused
from activesynth.cli.output import AsJson, print_json
from activesynth.cli.session import connected

outbox = typer.Typer(help="Events that leave after a commit.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("refresh")(refresh)


def refresh(
    campaign: Annotated[str, typer.Argument(help="The campaign: the name of its file.")],
    date: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="The logical date; today unless given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read the campaign's source again; commit a new version only if something changed."""
    from dataclasses import asdict

    from activesynth.operations.refresh import refresh as read_again

    config = campaign_file(campaign)
    with connected() as platform:
        ingested(config, platform)
        day = (date or platform.clock.now()).strftime("%Y-%m-%d")
        found = read_again(campaign, day, platform)
    tell_refused(campaign, found.refused)
    if as_json:
        print_json(asdict(found))
        return
    added = ", ".join(f"{count} in {split}" for split, count in found.added.items())
    print(
        f"{'new' if found.created else 'unchanged'} version {found.version}: rows added: {added}; "
        f"{found.known} known, {found.quarantined} kept out."
    )
    if found.should_trigger:
        print(f"The campaign asks for an iteration now: run {found.run_key}.")


@outbox.command("send")
def send() -> None:
    """Send the events that have not left yet; sending one twice is harmless."""
    from activesynth.steps.decide import send_events

    with connected() as platform:
        print(f"{send_events(platform)} events sent.")
