"""All nouns and verbs in one table of contents."""

from __future__ import annotations

import typer

from activesynth.cli import (
    annotation,
    backups,
    campaigns,
    checks,
    collection,
    copies,
    database,
    demo,
    diagnosis,
    doctor,
    erasure,
    experiments,
    exports,
    generators,
    iterations,
    metrics,
    objects,
    operations,
    plans,
    platform,
    recalls,
    reports,
    show,
    weaknesses,
)


def application() -> typer.Typer:
    """Return the command line with every command registered."""
    app = typer.Typer(
        name="activesynth",
        help=(
            "Find where a model is weak, make training data there, and prove what it bought. "
            "Exit codes: docs/reference/cli.md."
        ),
        no_args_is_help=True,
        add_completion=False,
        # A traceback of our own errors helps nobody; one of a bug should be the plain one.
        pretty_exceptions_enable=False,
    )
    for room in (
        *(platform, demo, iterations, annotation, reports, operations),
        *(diagnosis, checks, copies, doctor, metrics, collection, erasure, recalls, plans),
    ):
        room.register(app)
    for name, group in (
        ("config", campaigns.config),
        ("campaign", campaigns.campaign),
        ("show", show.app),
        ("weakness", weaknesses.app),
        ("plan", plans.app),
        ("experiment", experiments.app),
        ("export", exports.app),
        ("generator", generators.app),
        ("iteration", iterations.app),
        ("outbox", operations.outbox),
        ("database", database.app),
        ("backup", backups.app),
        ("objects", objects.app),
    ):
        app.add_typer(group, name=name)
    return app
