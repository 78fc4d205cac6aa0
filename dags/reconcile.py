"""Finish or give up what a lost event, a lost trigger or a dead worker left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import dag, get_current_context, task

if TYPE_CHECKING:
    from activesynth.operations.reconcile import RunState

DOC = """
### Nothing waits for ever

Every quarter of an hour: events that have not left are sent; an iteration whose run ended without
a commit is given up, so that another run may take it over; a run that a commit decided on
and nobody started is started, under the id that the commit gave it. Runs that go on, and
iterations that were started by the command line, are left alone. Running it twice changes nothing.
"""
LOOP = "active_synthesis"


@task
def look() -> list[dict[str, Any]]:
    """Send events, give up dead iterations, and return the runs to start."""
    from activesynth_airflow.doorways import reconcile_runs

    instance = get_current_context()["ti"]

    def state_of(run_key: str) -> RunState:
        def count(**states: Any) -> int:
            return int(instance.get_dr_count(dag_id=LOOP, run_ids=[run_key], **states))

        if count() == 0:
            return "unknown"
        return "active" if count(states=["queued", "running"]) else "ended"

    return reconcile_runs(state_of)


@dag(
    dag_id="reconcile",
    schedule=timedelta(minutes=15),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    doc_md=DOC,
    tags=["activesynth"],
    max_active_runs=1,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": timedelta(minutes=10),
    },
)
def reconcile() -> None:
    """Wire the two tasks."""
    TriggerDagRunOperator.partial(
        task_id="start_lost",
        trigger_dag_id=LOOP,
        skip_when_already_exists=True,
        doc_md="Start a run whose trigger was lost.",
    ).expand_kwargs(look())


reconcile()
