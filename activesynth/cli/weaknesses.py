"""Weaknesses that people declare: declare, list and withdraw them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from activesynth.cli.output import AsJson, print_rows
from activesynth.cli.session import connected, remote
from activesynth.errors import ConfigurationError

if TYPE_CHECKING:
    from activesynth.client.client import Client
    from activesynth.domain.platform import Platform

app = typer.Typer(help="Weaknesses that people declare.", no_args_is_help=True)

Campaign = Annotated[str, typer.Argument(help="The campaign's name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with it.")]


@app.command("declare")
def declare(
    campaign: Campaign,
    reason: Reason,
    label: Annotated[
        str | None, typer.Option("--class", help="A class, by its name or number.")
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option("--attribute", help="name=value; several hold together, also with --class."),
    ] = None,
    cluster: Annotated[
        int | None, typer.Option("--cluster", help="A cluster of the codebook.")
    ] = None,
    corruption: Annotated[
        str | None, typer.Option("--corruption", help="name or name@severity, 1 unless given.")
    ] = None,
) -> None:
    """Declare something weak: every diagnosis from the next on measures it and plans for it."""
    given = [label is not None or bool(attribute), cluster is not None, corruption is not None]
    if sum(given) != 1:
        raise ConfigurationError(
            "declare one weakness at a time: --class and --attribute (which may be combined), "
            "--cluster, or --corruption."
        )
    client = remote()
    if client is not None:
        with client:
            _declare_there(client, campaign, reason, label, attribute, cluster, corruption)
        return
    from activesynth.operations import declare as operation

    with connected(campaign) as platform:
        if cluster is not None:
            target = operation.cluster_target(campaign, cluster, platform)
        elif corruption is not None:
            name, severity = _corruption(corruption)
            target = operation.corruption_target(campaign, name, severity, platform)
        else:
            target = _slice(campaign, label, attribute or [], platform)
        fresh = operation.declare(campaign, target, reason, platform)
    print(
        f"{target} is declared; the next diagnosis of {campaign} measures it."
        if fresh
        else f"{target} was declared already; nothing changed."
    )


@app.command("list")
def list_declarations(campaign: Campaign, as_json: AsJson = False) -> None:
    """List what was declared and withdrawn, oldest first, with its reasons."""
    empty = f"campaign {campaign!r} has no declared weakness."
    client = remote()
    if client is not None:
        with client:
            found = [row.model_dump() for row in client.declarations(campaign)]
        print_rows(found, as_json=as_json, empty=empty)
        return
    with connected(campaign) as platform:
        rows = platform.reader.declarations(campaign)
    print_rows(rows, as_json=as_json, empty=empty)


@app.command("withdraw")
def withdraw(
    campaign: Campaign,
    target: Annotated[str, typer.Argument(help="As `weakness list` shows it, e.g. class:3.")],
    reason: Reason,
) -> None:
    """Take a declaration back; both stay on record."""
    client = remote()
    if client is not None:
        with client:
            client.withdraw(campaign, target, reason)
    else:
        from activesynth.operations.declare import withdraw as take_back

        with connected(campaign) as platform:
            take_back(campaign, target, reason, platform)
    print(f"{target} is withdrawn; diagnoses from the next on leave it out.")


def _declare_there(
    client: Client,
    campaign: str,
    reason: str,
    label: str | None,
    attribute: list[str] | None,
    cluster: int | None,
    corruption: str | None,
) -> None:
    from pydantic import ValidationError

    from activesynth.client.actions import Declared
    from activesynth.domain.registry import invalid

    if attribute:
        raise ConfigurationError(
            "--attribute cannot be declared by the REST API; do it where the database is.",
            reason="bad_value",
            field="attribute",
        )
    name, severity = (None, 1.0) if corruption is None else _corruption(corruption)
    given = {"label": label, "cluster": cluster, "corruption": name, "severity": severity}
    try:
        declared = Declared.model_validate({**given, "reason": reason})
    except ValidationError as error:
        raise invalid("declaration", error) from error
    target = client.declare(campaign, declared).target
    print(f"{target} is declared; the next diagnosis of {campaign} measures it.")


def _slice(campaign: str, label: str | None, attributes: list[str], platform: Platform) -> str:
    from activesynth.diagnosis.attributes import CLASS, slice_key, slice_parts
    from activesynth.operations.declare import class_target, slice_target

    if not attributes:
        return class_target(campaign, str(label), platform)
    conditions = dict(_condition(text) for text in attributes)
    target = slice_target(campaign, conditions, platform)
    if label is None:
        return target
    number = class_target(campaign, label, platform).partition(":")[2]
    parts = slice_parts(target.removeprefix("slice:"))
    return f"slice:{slice_key([*parts, (CLASS, number)])}"


def _condition(text: str) -> tuple[str, str]:
    name, is_there, value = text.partition("=")
    if not (name and is_there and value):
        raise ConfigurationError(f"--attribute {text!r} is not of the form name=value.")
    return name, value


def _corruption(text: str) -> tuple[str, float]:
    name, is_there, severity = text.partition("@")
    try:
        return name, float(severity) if is_there else 1.0
    except ValueError:
        raise ConfigurationError(
            f"--corruption {text!r} is not of the form name@severity, as in blur@0.66."
        ) from None
