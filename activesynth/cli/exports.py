"""``activesynth export``: a dataset version or a model as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from activesynth.cli.session import connected

app = typer.Typer(help="Write a dataset version or a model as files.", no_args_is_help=True)

Campaign = Annotated[str, typer.Argument(help="The campaign's name.")]
Folder = Annotated[Path, typer.Argument(help="Where to write; made when missing.")]


@app.command("version")
def version(
    campaign: Campaign,
    folder: Folder,
    digest: Annotated[
        str | None, typer.Option("--version", help="The version's digest; the head unless given.")
    ] = None,
) -> None:
    """Write a dataset version as Parquet and as folders of pictures per class."""
    from activesynth.operations.export import export_version

    with connected(campaign) as platform:
        print(export_version(platform, campaign, folder, digest))


@app.command("model")
def model(campaign: Campaign, folder: Folder) -> None:
    """Write the head model as safetensors with its card."""
    from activesynth.operations.export import export_model

    with connected(campaign) as platform:
        print(export_model(platform, campaign, folder))
