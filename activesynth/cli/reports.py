"""``activesynth report``: a campaign's results as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activesynth.cli.campaigns import recorded_config
from activesynth.cli.session import connected, settings

if TYPE_CHECKING:
    from activesynth.config.campaign import CampaignConfig
    from activesynth.domain.platform import Platform


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("report")(report)


def report(
    campaign: Annotated[str, typer.Argument(help="The campaign's name.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", help="The file; in the platform's folder unless given."),
    ] = None,
) -> None:
    """Write the campaign's report, and print where it lies."""
    with connected(campaign) as platform:
        print(write(platform, recorded_config(platform, campaign), output))


def write(platform: Platform, config: CampaignConfig, output: Path | None = None) -> Path:
    """Write the report of a campaign and return its path."""
    from activesynth.experiments.report import collect, write_report

    path = output or settings().home / "reports" / f"{config.name}.html"
    return write_report(collect(platform, config), path)
