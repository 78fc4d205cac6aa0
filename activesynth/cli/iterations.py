"""Iterations without Airflow: ``run``, and ``iteration fail`` for one whose run is dead."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from activesynth.cli.campaigns import campaign_file, ingested
from activesynth.cli.output import AsJson, print_json
from activesynth.cli.session import connected

app = typer.Typer(help="Single iterations.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("run")(run)


def run(
    campaign: Annotated[str, typer.Argument(help="The campaign: the name of its file.")],
    iterations: Annotated[
        int, typer.Option("--iterations", min=1, max=1000, help="How many iterations to run.")
    ] = 1,
    labels: Annotated[
        int | None, typer.Option(min=0, help="Labels to buy in each iteration.")
    ] = None,
    growth: Annotated[
        float | None, typer.Option(help="Synthetic budget as a share of the labelled real rows.")
    ] = None,
    annotator: Annotated[
        str | None, typer.Option(help="Who answers: oracle, automatic or people.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="A remark kept with the iterations.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run iterations of a campaign in this process, without Airflow."""
    from activesynth.config.trigger import parse_trigger

    given: dict[str, Any] = {"campaign": campaign, "iterations": iterations, "labels": labels}
    given |= {"growth": growth, "annotator": annotator, "note": note}
    conf = {key: value for key, value in given.items() if value is not None}
    parse_trigger(conf)
    config = campaign_file(campaign)

    from activesynth.cli.results import print_campaign
    from activesynth.domain.records import IterationRef
    from activesynth.steps import loop

    with connected() as platform:
        ingested(config, platform, conf)
        ids = loop.run(platform, conf=conf)
        done = {IterationRef.parse(item).number for item in ids}
        if as_json:
            rows = platform.reader.iterations(campaign)
            print_json([row for row in rows if int(row["iteration"]) in done])
        else:
            print_campaign(platform, config, only=done)


@app.command("fail")
def fail(
    ref: Annotated[str, typer.Argument(help="The iteration id, as campaign:number:fence.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the iteration.")],
) -> None:
    """Mark an open iteration failed, so that another run may take it over.

    Only for a run that is really dead: one that lives goes on with its next result, and is refused
    from the moment another run has taken over.
    """
    from activesynth.domain.records import IterationRef

    found = IterationRef.parse(ref)
    with connected(found.campaign) as platform:
        platform.lineage.fail_iteration(found, reason)
    print(f"iteration {ref} is marked failed; the next run takes it over.")
