"""``activesynth annotate``: answer queued questions in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from activesynth.cli.session import connected


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("annotate")(annotate)


def annotate(
    campaign: Annotated[str, typer.Argument(help="The campaign's name.")],
    annotator: Annotated[
        str, typer.Option("--annotator", help="Your name, kept with every answer.")
    ],
) -> None:
    """Show each queued sample and take your answer; stop at any time, nothing is lost."""
    from activesynth.annotation.terminal import annotate as ask

    with connected(campaign) as platform:
        ask(platform, campaign, annotator)
