"""``activesynth annotate``: answer queued questions in the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from activesynth.cli.session import connected, remote
from activesynth.errors import ConfigurationError

if TYPE_CHECKING:
    from activesynth.client.client import Client
    from activesynth.domain.records import QueueItem


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("annotate")(annotate)


def annotate(
    campaign: Annotated[str, typer.Argument(help="The campaign's name.")],
    annotator: Annotated[
        str | None,
        typer.Option(
            "--annotator",
            help="Your name, kept with every answer; of a platform elsewhere the login's.",
        ),
    ] = None,
    second: Annotated[
        bool,
        typer.Option("--second", help="Give second opinions on what others answered, unseen."),
    ] = False,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="Ask nothing: let the run go on with the answers it has."),
    ] = False,
) -> None:
    """Show each queued sample and take your answer; stop at any time, nothing is lost.

    Where ACTIVESYNTH_API_URL names a platform, its REST API is asked, and no database.
    """
    client = remote()
    if (client is None) == (annotator is None):
        raise ConfigurationError(
            "name yourself by --annotator."
            if client is None
            else "ACTIVESYNTH_API_URL is set, where the login says who answers: leave --annotator "
            "out, or unset it.",
            reason="bad_value",
            field="annotator",
        )
    if finish:
        _finish(client, campaign, str(annotator))
        return
    if client is None:
        count = _here(campaign, str(annotator), second=second)
    else:
        with client:
            count = _elsewhere(client, campaign, second=second)
    print(f"\n{count} answers kept.")


def _here(campaign: str, annotator: str, *, second: bool) -> int:
    from activesynth.annotation.keyboard import single_keys
    from activesynth.annotation.terminal import annotate_in_terminal
    from activesynth.domain.documents import DatasetManifest

    with connected(campaign) as platform, single_keys() as read_key:
        head = platform.lineage.campaign(campaign).head
        if head is None:
            raise ConfigurationError(
                f"campaign {campaign!r} has no data yet; `activesynth run {campaign}` begins it.",
                reason="no_data",
                field="campaign",
            )
        manifest = DatasetManifest.decode(platform.objects.get(head))
        return annotate_in_terminal(
            platform.queue,
            platform.objects,
            platform.parts.create("modality", manifest.modality),
            manifest.classes,
            campaign,
            annotator,
            read_key,
            _write,
            is_second=second,
        )


def _elsewhere(client: Client, campaign: str, *, second: bool) -> int:
    from activesynth.annotation.blocks import as_blocks
    from activesynth.annotation.keyboard import single_keys
    from activesynth.annotation.terminal import annotate_drawn
    from activesynth.client.queue import RemoteQueue, pixels

    def draw(item: QueueItem) -> str:
        try:
            return as_blocks(pixels(client.picture(campaign, item.sample)))
        except ConfigurationError as error:
            return f"no picture: {error}\n"

    classes = client.desk(campaign).classes
    queue = RemoteQueue(client, campaign)
    with single_keys() as read_key:
        return annotate_drawn(
            queue, draw, classes, campaign, "", read_key, _write, is_second=second
        )


def _finish(client: Client | None, campaign: str, annotator: str) -> None:
    from activesynth.operations.finish import finish_questions

    if client is not None:
        with client:
            missing = client.finish(campaign).missing
    else:
        with connected(campaign) as platform:
            missing = finish_questions(campaign, annotator, platform)
    print(f"the questions are closed; {missing} have no answer, and the run goes on without them.")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
