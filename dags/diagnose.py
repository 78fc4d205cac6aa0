"""The failure mode analyzer as a DAG of its own: diagnose a campaign's model on demand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from activesynth.config.campaign import campaign_names
from activesynth.config.settings import Settings

DOC = """
### Say where a campaign's model is weak, now

Looks at the head model through the split `guide`, as an iteration would, and opens none: nothing
is trained, generated or promoted, and `gate` and `test` are not read. One run keeps one profile,
however often it is cleared. Results: `activesynth show diagnoses <campaign>`, or Postgres, table
`activesynth.diagnoses`.
"""
NAMES = campaign_names()
GPU: dict[str, Any] = {
    "queue": "gpu",
    "pool": "gpu",
    "executor": Settings.read().gpu_executor,
    "execution_timeout": timedelta(hours=12),
}

PARAMS = {
    "campaign": Param(
        "digits" if "digits" in NAMES else NAMES[0] if NAMES else "digits",
        type="string",
        enum=NAMES or ["digits"],
        title="Campaign",
        description="A campaign that has run one iteration or more.",
    ),
}


@task(multiple_outputs=False, **GPU)
def diagnose_head() -> str:
    """Diagnose the head model; return the digest of the weakness profile."""
    from activesynth_airflow.doorways import diagnose_campaign

    context = get_current_context()
    return diagnose_campaign(str(context["run_id"]), dict(context["params"]))


@dag(
    dag_id="diagnose",
    schedule=None,
    catchup=False,
    params=PARAMS,
    doc_md=DOC,
    tags=["activesynth"],
    max_active_runs=16,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
    },
)
def diagnose() -> None:
    """Wire the one task."""
    diagnose_head()


diagnose()
