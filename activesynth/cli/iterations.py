"""Iterations without Airflow: ``run``, and ``iteration fail`` for one whose run is dead."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from activesynth.cli.campaigns import campaign_file
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
    from activesynth.config.trigger import apply_trigger, parse_trigger
    from activesynth.steps import loop

    options = {"labels": labels, "growth": growth, "annotator": annotator, "note": note}
    conf: dict[str, Any] = {"campaign": campaign, "iterations": iterations, **options}
    trigger = parse_trigger(conf)
    config = campaign_file(campaign)
    apply_trigger(config, trigger.model_dump())
    given = {key: value for key, value in conf.items() if value is not None}
    with connected() as platform:
        ids = loop.run(config, platform, conf=given)
        done = {int(item.split(":")[1]) for item in ids}
        rows = [row for row in platform.reader.iterations(campaign) if row["iteration"] in done]
        if as_json:
            print_json(rows)
            return
        from activesynth.cli.results import print_campaign

        print_campaign(platform, config, only=done)


@app.command("fail")
def fail(
    ref: Annotated[str, typer.Argument(help="The iteration id, as campaign:number:fence.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the iteration.")],
) -> None:
    """Mark an open iteration failed, so that another run may take it over.

    Only for a run that is really dead: its commit is refused from then on.
    """
    from activesynth.domain.records import IterationRef

    found = IterationRef.parse(ref)
    with connected(found.campaign) as platform:
        platform.lineage.fail_iteration(found, reason)
    print(f"iteration {ref} is marked failed; the next run takes it over.")
