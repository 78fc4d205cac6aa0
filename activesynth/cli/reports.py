"""``activesynth report``: a campaign's results as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from activesynth.cli.campaigns import recorded_config
from activesynth.cli.progress import notice
from activesynth.cli.session import connected, settings

if TYPE_CHECKING:
    from activesynth.config.campaign import CampaignConfig
    from activesynth.domain.platform import Platform
    from activesynth.experiments.final_test import FinalTest


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("report")(report)


def report(
    campaign: Annotated[str, typer.Argument(help="The campaign's name.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", help="The file; in the platform's folder unless given."),
    ] = None,
    test: Annotated[
        bool,
        typer.Option("--test", help="Score the guarded `test` split too; this read is counted."),
    ] = False,
) -> None:
    """Write the campaign's report, and print where it lies."""
    from activesynth.cli.results import print_final

    with connected(campaign) as platform:
        path, final = write(platform, recorded_config(platform, campaign), output, test=test)
    print(path)
    if final is not None:
        print_final(final)
    elif test:
        notice("no iteration is committed, so there is no model to score; test was not read.")


def write(
    platform: Platform, config: CampaignConfig, output: Path | None = None, *, test: bool = False
) -> tuple[Path, FinalTest | None]:
    """Write the report of a campaign; return its path, and what `test` says if it was asked."""
    from activesynth.experiments.report import collect, write_report

    path = output or settings().home / "reports" / f"{config.name}.html"
    report = collect(platform, config, test=test)
    return write_report(report, path), report.final
