"""``activesynth annotate``: answer queued questions in the terminal."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from activesynth.cli.session import connected
from activesynth.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("annotate")(annotate)


def annotate(
    campaign: Annotated[str, typer.Argument(help="The campaign's name.")],
    annotator: Annotated[
        str, typer.Option("--annotator", help="Your name, kept with every answer.")
    ],
    second: Annotated[
        bool,
        typer.Option("--second", help="Give second opinions on what others answered, unseen."),
    ] = False,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="Ask nothing: let the run go on with the answers it has."),
    ] = False,
) -> None:
    """Show each queued sample and take your answer; stop at any time, nothing is lost."""
    if finish:
        _finish(campaign, annotator)
        return
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
        count = annotate_in_terminal(
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
    print(f"\n{count} answers kept.")


def _finish(campaign: str, annotator: str) -> None:
    from activesynth.operations.finish import finish_questions

    with connected(campaign) as platform:
        missing = finish_questions(campaign, annotator, platform)
    print(f"the questions are closed; {missing} have no answer, and the run goes on without them.")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
