"""Generators with a corpus of their own: ``generator train``, ``generator list``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from activesynth.cli.output import AsJson, print_json, print_rows
from activesynth.cli.session import connected

app = typer.Typer(help="Generators trained on a corpus of their own.", no_args_is_help=True)


@app.command("train")
def train(
    corpus: Annotated[Path, typer.Argument(help="The corpus file: name, licence, source.")],
    as_json: AsJson = False,
) -> None:
    """Train a generator on a corpus, for campaigns to name under `generator.artifact`."""
    from activesynth.config.corpus import read_corpus
    from activesynth.operations.train_generator import train_generator

    config = read_corpus(corpus)
    with connected() as platform:
        record = train_generator(config, platform)
    if as_json:
        print_json({"name": record.name, "card": record.card, "corpus": record.corpus})
        return
    print(
        f"{record.name}: a {config.generator.name} generator of {record.rows} rows "
        f"({record.licence}), card {record.card[:12]}. A campaign names it by\n"
        f"  generator: {{name: {config.generator.name}, artifact: {record.name}}}"
    )


@app.command("list")
def list_generators(as_json: AsJson = False) -> None:
    """List the generators on record, with the corpus each learnt from."""
    with connected() as platform:
        rows = [
            {
                "name": found.name,
                "part": dict(found.document["generator"])["name"],
                "rows": found.rows,
                "licence": found.licence,
                "card": found.card,
                "corpus": found.corpus,
            }
            for found in platform.lineage.generators()
        ]
    print_rows(
        rows,
        as_json=as_json,
        empty="no generators on record; `activesynth generator train <corpus file>` makes one.",
    )
