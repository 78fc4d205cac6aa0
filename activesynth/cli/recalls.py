"""``activesynth recall``: a batch of samples, what it reached, and a version without it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from activesynth.cli.output import AsJson, cell, login, print_json, print_rows
from activesynth.cli.session import connected

if TYPE_CHECKING:
    from activesynth.operations.reach import Reach
    from activesynth.operations.recall import Recalled

LISTED = 20
"""How many versions, models and numbers are printed; JSON has more."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("recall")(recall)


def recall(
    campaign: Annotated[str, typer.Argument(help="The campaign.")],
    reason: Annotated[str, typer.Option(help="Why; it stays on record with the version.")],
    iteration: Annotated[
        int | None, typer.Option(help="The synthetic samples that this iteration made.")
    ] = None,
    generator: Annotated[
        str | None, typer.Option(help="Those of a generator, by the digest of its card.")
    ] = None,
    weakness: Annotated[
        str | None, typer.Option(help="Those made for a weakness, by its id.")
    ] = None,
    annotator: Annotated[
        str | None, typer.Option(help="All samples whose standing answer this person gave.")
    ] = None,
    sample: Annotated[
        list[str] | None, typer.Option(help="The id of a sample; may be given again.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Who asks, kept on record; the login's name unless given.")
    ] = None,
    is_doing: Annotated[
        bool, typer.Option("--do", help="Do it; without this nothing is changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take back a batch: show what it reached, and with --do make a version without it.

    Old versions, models and numbers stay as they are. May be interrupted and run again.
    """
    from activesynth.operations.recall import parse_selection
    from activesynth.operations.recall import recall as take_back

    selection = parse_selection(
        {
            "campaign": campaign,
            "iteration": iteration,
            "generator": generator,
            "weakness": weakness,
            "annotator": annotator,
            "samples": tuple(dict.fromkeys(sample or ())),
        }
    )
    with connected(campaign) as platform:
        found = take_back(selection, reason, platform, recalled_by=by or login(), is_doing=is_doing)
    if as_json:
        print_json(found.document())
        return
    _print_reach(found.reach)
    print()
    for line in _outcome(found):
        print(line)


def _print_reach(reach: Reach) -> None:
    print(
        f"{reach.samples} samples, {reach.accepted} of them were ever used, {reach.in_head} are in "
        "the head version"
        + "".join(f", {count} in the branch of {arm}" for arm, count in reach.in_branches.items())
        + "."
    )
    parts = (("versions", reach.versions), ("models", reach.models), ("metrics", reach.metrics))
    for name, rows in parts:
        total = reach.totals[name]
        shown = [asdict(row) for row in rows[:LISTED]]
        more = f", the first {LISTED} of them" if total > LISTED else ""
        print(f"\n{name}: {total}{more}")
        if shown:
            print_rows(shown, as_json=False, empty="")


def _outcome(found: Recalled) -> list[str]:
    lines = [
        f"on record already: {cell(one.reason)} (by {cell(one.recalled_by)}, version "
        f"{one.version[:12]})"
        for one in found.earlier
    ]
    if found.is_nothing_left:
        return [*lines, "Nothing of the batch is left to take back; nothing was changed."]
    left = {"synthetic samples leave the head version": found.synthetic}
    left |= {f"leave the branch of {arm}": count for arm, count in sorted(found.branches.items())}
    left |= {
        "of all these are copies of rows that change": found.copies,
        "bought labels go, and their rows can be asked about again": found.to_pool,
        "corrected labels become what they were before": found.relabelled,
        "rows that were taken out come back": found.restored,
    }
    lines += [f"{count} {what}" for what, count in left.items() if count]
    if found.trains_anew:
        lines.append("the next iteration trains its base model anew")
    if found.is_done:
        return [*lines, f"Done: version {found.version} is the head of the campaign."]
    return [*lines, "Nothing was changed; the same with --do does it."]
