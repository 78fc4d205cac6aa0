"""``activesynth export``: a dataset version or a model as files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from activesynth.cli.output import AsJson, print_json
from activesynth.cli.session import connected
from activesynth.errors import ConfigurationError

app = typer.Typer(help="Write a dataset version or a model as files.", no_args_is_help=True)

Campaign = Annotated[str, typer.Argument(help="The campaign's name.")]
Folder = Annotated[Path, typer.Argument(help="Where to write; new or empty.")]


class Layout(StrEnum):
    """How a dataset version is laid out."""

    PARQUET = "parquet"
    FOLDERS = "folders"


@app.command("version")
def version(
    campaign: Campaign,
    folder: Folder,
    digest: Annotated[
        str | None, typer.Option("--version", help="The version's digest; the head unless given.")
    ] = None,
    layout: Annotated[
        Layout, typer.Option(help="One Parquet file, or folders of pictures per class.")
    ] = Layout.PARQUET,
    as_json: AsJson = False,
) -> None:
    """Write a dataset version: real and synthetic rows, without the gate and test splits."""
    from activesynth.operations.export import export_version

    with connected(campaign) as platform:
        chosen = digest or platform.lineage.campaign(campaign).head
        if chosen is None:
            raise ConfigurationError(
                f"campaign {campaign!r} has no version yet; `activesynth run {campaign}` makes "
                "one.",
                reason="no_data",
                field="campaign",
            )
        rows = export_version(chosen, platform, folder, layout.value)
    if as_json:
        print_json({"version": chosen, "folder": str(folder), "rows": rows})
        return
    counts = ", ".join(f"{count} in {split}" for split, count in rows.items())
    print(f"version {chosen} lies in {folder}: {counts}.")


@app.command("model")
def model(
    campaign: Campaign,
    folder: Folder,
    digest: Annotated[
        str | None, typer.Option("--model", help="The card's digest; the head's unless given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a model as safetensors, with its card and a README that quotes its numbers."""
    from activesynth.operations.export_model import export_model

    with connected(campaign) as platform:
        chosen = digest or platform.lineage.campaign(campaign).head_model
        if chosen is None:
            raise ConfigurationError(
                f"campaign {campaign!r} has no promoted model: its last iteration promoted none. "
                f"`activesynth show models {campaign} --json` lists others; name one with --model.",
                reason="no_model",
                field="model",
            )
        export_model(chosen, platform, folder, campaign=campaign)
    if as_json:
        print_json({"model": chosen, "folder": str(folder)})
        return
    print(f"model {chosen} lies in {folder}.")
