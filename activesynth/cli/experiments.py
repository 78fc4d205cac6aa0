"""Experiments: ``experiment check``, ``run``, ``cell`` and ``report``."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from activesynth.cli.campaigns import campaign_file
from activesynth.cli.output import AsJson, print_json
from activesynth.cli.progress import notice
from activesynth.cli.session import connected, settings

if TYPE_CHECKING:
    from activesynth.domain.experiments import CellRef
    from activesynth.domain.platform import Platform
    from activesynth.experiments.analysis import Analysis
    from activesynth.experiments.cells import Registered

app = typer.Typer(help="Arms x seeds, compared as registered.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The experiment's name.")]
PhaseOption = Annotated[
    Literal["tuning", "confirmation"],
    typer.Option("--phase", help="Tuning scores on gate; confirmation on test, once."),
]
Workers = Annotated[int, typer.Option("--workers", min=1, max=64, help="Cells run side by side.")]


@app.command("check")
def check(name: Name) -> None:
    """Check an experiment file and every campaign it makes; nothing is recorded."""
    from activesynth.bootstrap import catalog
    from activesynth.config.experiment import read_experiment
    from activesynth.experiments.cells import check_experiment

    config = read_experiment(settings().experiments / f"{name}.yaml")
    check_experiment(catalog(), config, campaign_file(config.campaign))
    cells = len(config.variants) * len(config.seeds.confirmation)
    print(f"{name}: {len(config.variants)} variants, {cells} cells to confirm; valid.")


@app.command("run")
def run(
    name: Name,
    phase: PhaseOption = "confirmation",
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Run the cells that are missing, then report. Stopped, it goes on where it was."""
    with connected() as platform:
        registered = _registered(name, platform)
        cells = _missing(registered, phase, platform)
    if cells:
        notice(f"{name}: {len(cells)} cells to run, {workers} at a time.")
        _run_all(cells, workers)
    _report(name, phase, as_json=as_json)


@app.command("cell")
def cell(
    name: Name,
    variant: Annotated[str, typer.Argument(help="The variant.")],
    seed: Annotated[int, typer.Argument(help="The seed.")],
    phase: PhaseOption = "confirmation",
) -> None:
    """Run and score one cell, unless it is scored."""
    from activesynth.experiments.cells import find_cell, run_cell
    from activesynth.operations.ingest import ingest

    with connected() as platform:
        registered = _registered(name, platform)
        found = find_cell(registered, phase, variant, seed)
        if found in _missing(registered, phase, platform):
            run_cell(registered, found, platform, ingest=ingest)


@app.command("report")
def report(name: Name, phase: PhaseOption = "confirmation", as_json: AsJson = False) -> None:
    """Say which claims hold, and write page and CSV."""
    _report(name, phase, as_json=as_json)


def _registered(name: str, platform: Platform) -> Registered:
    from activesynth.experiments.cells import open_experiment

    return open_experiment(name, platform)


def _missing(
    registered: Registered, phase: Literal["tuning", "confirmation"], platform: Platform
) -> list[CellRef]:
    from activesynth.experiments.cells import missing_cells

    return missing_cells(registered, phase, platform)


def _run_all(cells: list[CellRef], workers: int) -> None:
    """Run cells as processes of their own: what torch has started in one must not be forked.

    Raises:
        ActiveSynthError: If a cell failed; the others are run all the same.
    """
    from activesynth.errors import ActiveSynthError

    logs = settings().home / "experiments"
    logs.mkdir(parents=True, exist_ok=True)
    waiting = list(cells)
    running: list[tuple[CellRef, subprocess.Popen[bytes], float]] = []
    failed: list[str] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                following = waiting.pop(0)
                running.append((following, _start(following, logs), time.monotonic()))
            time.sleep(0.2)
            for item in [item for item in running if item[1].poll() is not None]:
                running.remove(item)
                ended, process, started = item
                minutes = (time.monotonic() - started) / 60
                done = len(cells) - len(waiting) - len(running)
                words = "done" if process.returncode == 0 else f"failed ({process.returncode})"
                notice(f"{_label(ended)}: {words} in {minutes:.1f} min, {done} of {len(cells)}")
                if process.returncode:
                    failed.append(f"{_label(ended)}, {_log(ended, logs)}")
    finally:
        for _, process, _ in running:
            process.terminate()
            process.wait()
    if failed:
        raise ActiveSynthError(
            f"{len(failed)} of {len(cells)} cells failed: {'; '.join(failed[:5])}. Their output is "
            "in these files; run the command again to go on.",
            reason="cells_failed",
        )


def _start(cell: CellRef, logs: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "activesynth.cli", "experiment", "cell", cell.experiment]
    command += [cell.variant, str(cell.seed), "--phase", cell.phase]
    with _log(cell, logs).open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


def _label(cell: CellRef) -> str:
    return f"{cell.variant}, seed {cell.seed}"


def _log(cell: CellRef, logs: Path) -> Path:
    return logs / f"{cell.experiment}-{cell.phase}-{cell.variant}-{cell.seed}.log"


def _report(name: str, phase: Literal["tuning", "confirmation"], *, as_json: bool) -> None:
    from dataclasses import asdict

    from activesynth.experiments.analysis import analyse
    from activesynth.experiments.experiment_page import write_experiment

    with connected() as platform:
        registered = _registered(name, platform)
        analysis = analyse(registered, phase, platform)
    page, table = write_experiment(registered, analysis, settings().home / "reports")
    if as_json:
        print_json(asdict(analysis))
        return
    _print(analysis, registered)
    print(f"\n{page}\n{table}")


def _print(analysis: Analysis, registered: Registered) -> None:
    from dataclasses import asdict

    from activesynth.cli.output import print_table
    from activesynth.cli.results import print_fairness
    from activesynth.experiments.experiment_page import last_scores, sentences, unit_of
    from activesynth.experiments.fairness_table import fairness_table

    def mean(values: list[float]) -> str:
        return f"{sum(values) / len(values):.4f}" if values else ""

    metrics = [metric for metric in registered.config.scored if metric != "tail3"]
    print_table(
        ["contender", *metrics],
        [[title, *map(mean, row)] for title, row in last_scores(registered, analysis)],
    )
    seeds = ", ".join(map(str, analysis.seeds))
    unit = unit_of(registered)
    print(f"{len(analysis.seeds)} {unit}s ({seeds}), {analysis.phase}:")
    for _, line in sentences(analysis, unit):
        print(f"  {line}")
    print_fairness(fairness_table(asdict(row) for row in analysis.fairness))
