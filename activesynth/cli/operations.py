"""Work beside the loop: ``refresh`` and ``outbox send``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from activesynth.cli.campaigns import campaign_file
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
) -> None:
    """Read the campaign's source again; commit a new version only if something changed."""
    from activesynth.operations.refresh import refresh as read_again

    config = campaign_file(campaign)
    with connected() as platform:
        print(read_again(config, platform, date=date))


@outbox.command("send")
def send() -> None:
    """Send the events that have not left yet; sending one twice is harmless."""
    from activesynth.operations.outbox import send_pending

    with connected() as platform:
        print(f"{send_pending(platform)} events sent.")
