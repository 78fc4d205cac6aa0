"""Experiments as a DAG: every variant and seed a task of its own, then the verdicts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from activesynth.config.experiment import experiment_names
from activesynth.config.settings import Settings

DOC = """
### Compare arms over seeds, as written down

Each cell (a variant and a seed of `experiments/<name>.yaml`) runs a campaign of its own to its end
and scores its arms: on `gate` in the phase tuning, on `test` in the phase confirmation. Cells that
are scored are left out, so a run that failed goes on where it was when it is cleared or triggered
again. The task `report` says which claims hold; page and CSV lie in the platform's folder
`reports`. Postgres: `activesynth.experiments`, `experiment_cells`, `experiment_scores`.
"""
NAMES = experiment_names()
GPU: dict[str, Any] = {
    "queue": "gpu",
    "pool": "gpu",
    "executor": Settings.read().gpu_executor,
    "execution_timeout": timedelta(hours=24),
}

PARAMS = {
    "experiment": Param(
        NAMES[0] if NAMES else "none",
        type="string",
        enum=NAMES or ["none"],
        title="Experiment",
        description="A file in the folder of experiments.",
    ),
    "phase": Param(
        "tuning",
        type="string",
        enum=["tuning", "confirmation"],
        title="Phase",
        description="Confirmation reads the guarded test split; afterwards the plan is fixed.",
    ),
}


def _params() -> dict[str, Any]:
    return dict(get_current_context()["params"])


@task(multiple_outputs=False)
def cells() -> list[dict[str, Any]]:
    """Register the experiment and list the cells that are missing."""
    from activesynth_airflow.doorways import missing_experiment_cells

    return missing_experiment_cells(_params())


@task(multiple_outputs=False, **GPU)
def cell(variant: str, seed: int) -> str:
    """Run and score one cell; return its campaign."""
    from activesynth_airflow.doorways import run_experiment_cell

    return run_experiment_cell(_params(), variant, seed)


@task(multiple_outputs=False, trigger_rule="none_failed")
def report() -> list[str]:
    """Write the report; return a sentence for every claim."""
    from activesynth_airflow.doorways import report_experiment

    return report_experiment(_params())


@dag(
    dag_id="experiment",
    schedule=None,
    catchup=False,
    params=PARAMS,
    doc_md=DOC,
    tags=["activesynth"],
    max_active_runs=4,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
    },
)
def experiment() -> None:
    """Wire listing, cells and report."""
    cell.expand_kwargs(cells()) >> report()


experiment()
