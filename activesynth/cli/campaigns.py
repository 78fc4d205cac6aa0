"""Campaign files and recorded campaigns: ``config schema``, ``config check``, ``campaign list``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activesynth.cli.output import AsJson, print_json, print_rows
from activesynth.cli.progress import notice
from activesynth.cli.session import connected, settings

if TYPE_CHECKING:
    from activesynth.config.campaign import CampaignConfig
    from activesynth.domain.exchange import Refused
    from activesynth.domain.platform import Platform

REFUSED_SHOWN = 10

config = typer.Typer(help="Campaign files.", no_args_is_help=True)
campaign = typer.Typer(help="Campaigns.", no_args_is_help=True)


@config.command("schema")
def schema() -> None:
    """Print the JSON Schema of a campaign file, for editors."""
    from activesynth.config.campaign import campaign_schema

    print_json(campaign_schema())


@config.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="The campaign file.")], as_json: AsJson = False
) -> None:
    """Check a campaign file and every part and parameter named in it."""
    from activesynth.bootstrap import catalog
    from activesynth.config.campaign import read_campaign
    from activesynth.steps.begin import check_parts

    found = read_campaign(file)
    check_parts(catalog(), found)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        print(f"{file}: campaign {found.name!r} is valid.")


@campaign.command("list")
def list_campaigns(as_json: AsJson = False) -> None:
    """List the campaign files there are, and those the platform has recorded."""
    folder = settings().campaigns
    with connected() as platform:
        recorded = {str(row["campaign"]): row for row in platform.reader.campaigns()}
    files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    rows = [
        {
            "name": name,
            "file": str(files.get(name, "")),
            "iterations": recorded.get(name, {}).get("iterations", 0),
            "head": recorded.get(name, {}).get("head"),
        }
        for name in sorted({*files, *recorded})
    ]
    print_rows(rows, as_json=as_json, empty=f"no campaign files in {folder}, and none recorded.")


def campaign_file(name: str) -> CampaignConfig:
    """Read the file of a campaign that is named on the command line.

    Raises:
        ConfigurationError: If there is none; the message names those there are.
    """
    from activesynth.config.campaign import read_campaign

    return read_campaign(settings().campaigns / f"{name}.yaml")


def ingested(
    config: CampaignConfig, platform: Platform, conf: Mapping[str, Any] | None = None
) -> None:
    """Record the campaign, draw its splits where it has none, and say what was left out.

    Parts and parameters are checked first, as the trigger ``conf`` changes them: what cannot run
    leaves no campaign behind.
    """
    from activesynth.config.trigger import apply_trigger
    from activesynth.operations.ingest import ingest
    from activesynth.steps.begin import check_parts

    check_parts(platform.parts, apply_trigger(config, conf or {}))
    found = ingest(config, platform)
    if found.notice:
        notice(f"note: {found.notice}")
    tell_refused(config.name, found.refused)


def tell_refused(campaign: str, refused: Sequence[Refused]) -> None:
    """Say how many items of the source were left out and why, with the first few by name."""
    if not refused:
        return
    counts = Counter(item.reason for item in refused)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    notice(f"note: {len(refused)} items of the source were left out: {reasons}.")
    for item in refused[:REFUSED_SHOWN]:
        notice(f"  {item.name} [{item.reason}]: {item.detail}")
    if len(refused) > REFUSED_SHOWN:
        notice(f"  ... all of them: `activesynth show refused {campaign}`")


def recorded_config(platform: Platform, name: str) -> CampaignConfig:
    """Return the config that a campaign last ran with; its file may say something else by now."""
    from activesynth.config.campaign import parse_campaign

    return parse_campaign(platform.lineage.campaign(name).config, f"campaign {name!r}")
