"""``activesynth plan`` and ``activesynth preview``: the next plan, its cost, and a few samples."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from activesynth.cli.output import AsJson, login, print_json, print_rows
from activesynth.cli.session import connected

if TYPE_CHECKING:
    from activesynth.operations.next_plan import NextPlan
    from activesynth.operations.preview import Preview

app = typer.Typer(help="What the next iteration makes samples for.", no_args_is_help=True)

Campaign = Annotated[str, typer.Argument(help="The campaign's name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with it.")]
By = Annotated[
    str | None, typer.Option(help="Who asks, kept on record; the login's name unless given.")
]
Rows = Annotated[
    list[str] | None,
    typer.Option("--rows", help="weakness=rows, as in class:3=12; may be given again."),
]
Rest = Annotated[
    str, typer.Option("--rest", help="automatic: split over the others; none: not spent.")
]


def register(application: typer.Typer) -> None:
    """Add the command that stands by itself."""
    application.command("preview")(preview)


@app.command("show")
def show(campaign: Campaign, as_json: AsJson = False) -> None:
    """Show what the next plan may spend on, what a row costs, and what was proposed."""
    from activesynth.operations.next_plan import next_plan

    with connected(campaign) as platform:
        found = next_plan(campaign, platform)
        proposals = platform.reader.proposed_plans(campaign)
    if as_json:
        print_json({**found.document(), "proposals": proposals})
        return
    print(_budget(found))
    print_rows([asdict(part) for part in found.parts], as_json=False, empty="No weakness is open.")
    if proposals:
        columns = ("number", "state", "used_in", "amounts", "rest", "reason", "proposed_by")
        print_rows(proposals, as_json=False, empty="", columns=columns)


@app.command("propose")
def propose(
    campaign: Campaign,
    reason: Reason,
    rows: Rows = None,
    rest: Rest = "automatic",
    by: By = None,
    is_trying: Annotated[
        bool, typer.Option("--cost", help="Tell what it would cost, and propose nothing.")
    ] = False,
) -> None:
    """Propose how many samples the next iteration makes for which weakness."""
    from activesynth.config.proposal import parse_amounts, parse_proposal
    from activesynth.operations.next_plan import next_plan
    from activesynth.operations.propose import propose as keep

    amounts = parse_amounts(rows or ())
    asked = parse_proposal({"amounts": amounts, "rest": rest, "reason": reason})
    with connected(campaign) as platform:
        cost = next_plan(campaign, platform).cost(asked.amounts, asked.rest)
        kept = None
        if not is_trying:
            kept = keep(campaign, asked, platform, proposed_by=by or login())
    print(
        f"{cost.named} of {cost.budget} rows as asked, {cost.automatic} automatically: {cost.told}."
    )
    if kept is None:
        print("Nothing was proposed; the same without --cost does it.")
    else:
        print(f"Proposal {kept.number} stands; the next plan of {campaign} uses it.")


@app.command("withdraw")
def withdraw(campaign: Campaign, reason: Reason, by: By = None) -> None:
    """Take back the proposal that stands; an iteration that has planned with it keeps its plan."""
    from activesynth.operations.propose import withdraw as take_back

    with connected(campaign) as platform:
        taken = take_back(campaign, reason, platform, withdrawn_by=by or login())
    print(f"Proposal {taken.number} is withdrawn; plans from now on do without it.")


def preview(
    campaign: Campaign,
    weakness: Annotated[str, typer.Option(help="As `plan show` lists it, e.g. class:3.")],
    rows: Annotated[int, typer.Option(help="How many samples, 1 to 8.")] = 4,
    out: Annotated[
        Path | None, typer.Option(help="A folder for the pictures; made where it is missing.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a few samples for a weakness with the newest generator; nothing is recorded."""
    from activesynth.config.proposal import parse_preview
    from activesynth.operations.preview import preview as make

    asked = parse_preview({"weakness": weakness, "rows": rows})
    with connected(campaign) as platform:
        made = make(campaign, asked, platform)
    pictures = _pictures(made)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures):
            (out / f"preview_{number}.png").write_bytes(picture)
    if as_json:
        print_json(_document(made, pictures))
        return
    print(
        f"{len(made.labels)} samples for {made.weakness} ({made.title}) by the generator of "
        f"iteration {made.iteration}, in {made.seconds:.2g} s; nothing was recorded."
    )
    shown = made.values or [
        f"preview_{number}.png" if out else "" for number in range(len(pictures))
    ]
    print_rows(
        [{"label": label, "sample": what} for label, what in zip(made.labels, shown, strict=True)],
        as_json=False,
        empty="",
    )


def _budget(found: NextPlan) -> str:
    stands = "" if found.standing is None else f"; proposal {found.standing} stands"
    return (
        f"The next iteration of {found.campaign} makes up to {found.budget} samples: "
        f"`plan.growth` {found.growth:g} of {found.labelled} labelled rows{stands}."
    )


def _pictures(made: Preview) -> list[bytes]:
    from activesynth.operations.export import as_png

    return [] if made.pixels is None else [as_png(pixels) for pixels in made.pixels]


def _document(made: Preview, pictures: list[bytes]) -> dict[str, Any]:
    return {
        "iteration": made.iteration,
        "weakness": made.weakness,
        "title": made.title,
        "seconds": made.seconds,
        "labels": list(made.labels),
        "pictures": [b64encode(picture).decode() for picture in pictures],
        "values": list(made.values),
    }
