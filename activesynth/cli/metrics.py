"""``activesynth metrics``: numbers for Prometheus, printed or served."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from activesynth.cli.progress import notice
from activesynth.cli.session import connected


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("metrics")(metrics)


def metrics(
    serve: Annotated[
        str | None,
        typer.Option(
            "--serve", metavar="HOST:PORT", help="Serve /metrics there; without a host, loopback."
        ),
    ] = None,
    is_open: Annotated[
        bool, typer.Option("--open", help="Allow --serve at an address that others can reach.")
    ] = False,
) -> None:
    """Print committed numbers of every campaign in Prometheus' text format, or serve them."""
    from activesynth.operations.metrics import metrics_text
    from activesynth.operations.metrics_server import Address, MetricsServer

    address = None if serve is None else Address.parse(serve, is_open=is_open)
    with connected() as platform:
        if address is None:
            sys.stdout.write(metrics_text(platform.reader))
            return
        with MetricsServer(address, lambda: metrics_text(platform.reader)) as server:
            notice(f"serving {server.url}; interrupt to end.")
            server.serve_forever()
