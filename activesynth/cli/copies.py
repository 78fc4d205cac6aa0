"""``activesynth check``: copies in a campaign's data, and what its splits share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from activesynth.cli.output import AsJson, print_json, print_table
from activesynth.cli.session import connected
from activesynth.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from activesynth.operations.check import Findings, Leak

SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("check")(check)


def check(
    campaign: Annotated[str, typer.Argument(help="The campaign's name.")], as_json: AsJson = False
) -> None:
    """Look for copies and for rows that two splits share; ends with 3 where there is a leak."""
    from dataclasses import asdict

    from activesynth.operations.check import check as look

    with connected(campaign) as platform:
        found = look(campaign, platform)
    if as_json:
        print_json(asdict(found))
    else:
        _print(found)
    if found.leaks:
        raise InputError(
            f"campaign {campaign!r} has {len(found.leaks)} leaks between splits: numbers measured "
            "on them flatter the model. Take the copies out of the source and begin a new campaign "
            "under another name; splits that are drawn cannot be drawn anew.",
            reason="split_leak",
        )


def _print(found: Findings) -> None:
    print(f"version {found.version}")
    print("rows: " + ", ".join(f"{count} {place}" for place, count in found.rows.items()))
    for kind in ("exact", "near"):
        chosen = [copies for copies in found.copies if copies.kind == kind]
        print(f"{len(chosen)} groups of {kind} copies")
        for copies in chosen[:SHOWN]:
            print(
                "  "
                + ", ".join(f"{i} ({p})" for i, p in zip(copies.ids, copies.places, strict=True))
            )
        _more(len(chosen))
    print(f"{len(found.leaks)} leaks between splits")
    _pairs(found.leaks)
    if found.look_alike_distance is None:
        print("no encoder yet: look-alikes were not searched for")
        return
    print(
        f"{len(found.look_alikes)} guarded rows look like a growing one (embeddings nearer than "
        f"{found.look_alike_distance:.4f}; about {found.look_alikes_by_chance:.1f} by chance)"
    )
    _pairs(found.look_alikes)


def _pairs(pairs: Sequence[Leak]) -> None:
    if pairs:
        print_table(
            ("kind", "sample", "in", "sample", "in", "distance"),
            [
                (
                    pair.kind,
                    pair.one,
                    pair.one_place,
                    pair.other,
                    pair.other_place,
                    f"{pair.distance:.4f}",
                )
                for pair in pairs[:SHOWN]
            ],
        )
    _more(len(pairs))


def _more(count: int) -> None:
    if count > SHOWN:
        print(f"  and {count - SHOWN} more; `--json` lists them all")
