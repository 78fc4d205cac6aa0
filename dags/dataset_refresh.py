"""The nightly dataset refresh, one DAG for each campaign that asks for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Asset, AssetAlias, get_current_context, task

from activesynth.config.campaign import CampaignConfig, campaign_names, read_named

DOC = """
### Read the source again and take in what is new

New rows enter train (labelled) or the pool; near-duplicates of held-out rows are kept out; a new
dataset version exists only if something changed. Running one date twice changes nothing. While an
iteration is open the refresh is skipped; the next one takes the rows in.
"""


def refresh_dag(config: CampaignConfig) -> DAG:
    """Build the refresh DAG of one campaign."""
    name = config.name
    dataset, changes = Asset(f"activesynth://{name}/dataset"), AssetAlias(f"{name}_dataset_changes")
    with DAG(
        dag_id=f"dataset_refresh__{name}",
        schedule=config.refresh.schedule,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        doc_md=DOC,
        tags=["activesynth", name],
        default_args={
            "retries": 3,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": True,
            "execution_timeout": timedelta(hours=2),
        },
    ) as built:

        @task.short_circuit(task_id="refresh", outlets=[changes])
        def refresh() -> str | None:
            """Refresh; tell who listens if something changed; return the run to start, if any."""
            from activesynth_airflow.doorways import refresh_campaign

            context = get_current_context()
            moment = context.get("logical_date") or context["dag_run"].run_after
            done = refresh_campaign(name, moment.strftime("%Y-%m-%d"))
            if done.created:
                context["outlet_events"][changes].add(dataset, extra={"version": done.version})
            return done.run_key

        start = TriggerDagRunOperator(
            task_id="start_iteration",
            trigger_dag_id="active_synthesis",
            trigger_run_id="{{ ti.xcom_pull(task_ids='refresh') }}",
            conf={"campaign": name},
            skip_when_already_exists=True,
        )
        refresh() >> start
    return built


for _name in campaign_names():
    _config = read_named(_name)
    if _config is not None and _config.refresh.schedule:
        globals()[f"dataset_refresh__{_name}"] = refresh_dag(_config)
