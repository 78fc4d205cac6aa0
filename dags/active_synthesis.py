"""One feedback iteration as a DAG run: when and in what order; the steps know the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import (
    Asset,
    AssetAlias,
    Context,
    Param,
    dag,
    get_current_context,
    task,
)

from activesynth.config.campaign import campaign_names
from activesynth.config.settings import Settings
from activesynth_airflow.questions import AskPeople, notifiers

DOC = """
### Find where the model is weak, make data there, and prove what it bought

Each run is **one iteration of one campaign**. It trains, diagnoses, generates, screens, asks for
labels, retrains four arms side by side and promotes the new dataset version or refuses it. A
run starts its own successor until the iterations asked for are done.

Where a run waits at `annotate`, it is listed under *Required Actions*: answer under *Browse,
Campaigns*, or with `activesynth annotate <campaign> --annotator NAME`.
Results: `activesynth show metrics <campaign>`, or Postgres, schema `activesynth`.
"""
NAMES = campaign_names()
GPU: dict[str, Any] = {
    "queue": "gpu",
    "pool": "gpu",
    "executor": Settings.read().gpu_executor,
    "execution_timeout": timedelta(hours=12),
}
VERSIONS = Asset("activesynth://versions")
# A task that names an asset as its outlet tells of it whenever it succeeds, one that names an alias
# only when it says so: not every iteration makes a version.
NEW_VERSIONS = AssetAlias("new_versions")

PARAMS = {
    "campaign": Param(
        "digits" if "digits" in NAMES else NAMES[0] if NAMES else "digits",
        type="string",
        enum=NAMES or ["digits"],
        title="Campaign",
        description="A file in the campaigns folder.",
    ),
    "iterations": Param(
        1,
        type="integer",
        minimum=1,
        maximum=1000,
        title="Iterations",
        description="How many to run, one after the other (1 to 1000).",
    ),
    "labels": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        maximum=100_000,
        title="Labels per iteration",
        description="How many pool rows are asked about; empty: as the campaign says.",
    ),
    "growth": Param(
        None,
        type=["null", "number"],
        exclusiveMinimum=0,
        maximum=5,
        title="Synthetic growth",
        description="Synthetic rows per labelled real row (0.2 is 20 %); empty: as the campaign.",
    ),
    "annotator": Param(
        None,
        type=["null", "string"],
        enum=[None, "oracle", "automatic", "people"],
        values_display={
            "null": "as the campaign says",
            "oracle": "the labels that the source hid (experiments)",
            "automatic": "the model, where it is sure",
            "people": "people",
        },
        title="Who answers",
        description="Of the rows that are asked about, and of samples to review.",
    ),
    "note": Param(
        None,
        type=["null", "string"],
        maxLength=200,
        title="Note",
        description="Why you start this; kept with the iteration.",
    ),
}


@task
def begin() -> str:
    """Ingest the source if need be, and open or rejoin this run's iteration."""
    from activesynth_airflow.doorways import begin_iteration

    context = get_current_context()
    return begin_iteration(str(context["run_id"]), dict(context["params"]))


@task(multiple_outputs=False, **GPU)
def train(iteration_id: str) -> None:
    """Train the encoder and the reference model once, and the base model where missing."""
    from activesynth.steps.train import train as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, platform)


@task(multiple_outputs=False, **GPU)
def embed(iteration_id: str) -> None:
    """Embed, index and cluster the real rows."""
    from activesynth.steps.embed import embed as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, platform)


@task(multiple_outputs=False, **GPU)
def fit_generator(iteration_id: str) -> None:
    """Fit the generator on labelled real rows."""
    from activesynth.steps.fit_generator import fit_generator as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, platform)


@task(multiple_outputs=False, **GPU)
def diagnose(iteration_id: str) -> None:
    """Find where the model is weak."""
    from activesynth.steps.diagnose import diagnose as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, platform)


@task
def plan(iteration_id: str) -> list[int]:
    """Split the budget over the weaknesses; return the shards to generate."""
    from activesynth.steps.generate import shards
    from activesynth.steps.plan import plan as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, platform)
        return shards(iteration_id, platform)


@task(
    map_index_template="shard {{ task.op_kwargs['shard'] }}",
    doc_md="Make one shard of candidates: targeted ones for the plan, untargeted for the control.",
    **GPU,
)
def generate(iteration_id: str, shard: int) -> None:
    """Make one shard of candidates."""
    from activesynth.steps.generate import generate as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, shard, platform)


@task(multiple_outputs=False, **GPU)
def screen(iteration_id: str) -> None:
    """Judge every candidate on both sides."""
    from activesynth.steps.screen import screen as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, platform)


@task(multiple_outputs=False, **GPU)
def select(iteration_id: str) -> None:
    """Choose what people label and which candidates train."""
    from activesynth.steps.select import select as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, platform)


@task
def integrate(iteration_id: str) -> list[str]:
    """Write the candidate manifests; return the arms to train."""
    from activesynth.steps.integrate import integrate as step
    from activesynth.steps.retrain import arms
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, platform)
        return arms(iteration_id, platform)


@task(
    map_index_template="{{ task.op_kwargs['arm'] }}",
    doc_md="Train one arm's replicates on the same budget and under the same seeds as the others.",
    **GPU,
)
def retrain(iteration_id: str, arm: str) -> None:
    """Train one arm's replicates."""
    from activesynth.steps.retrain import retrain as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, arm, platform)


@task(multiple_outputs=False, **GPU)
def evaluate(iteration_id: str) -> None:
    """Score every arm on guide."""
    from activesynth.steps.evaluate import evaluate as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, platform)


@task(multiple_outputs=False, **GPU)
def promote(iteration_id: str) -> None:
    """Decide on the gate split and commit."""
    from activesynth.steps.promote import promote as step
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        step(iteration_id, platform)


@task.short_circuit(outlets=[NEW_VERSIONS], ignore_downstream_trigger_rules=False)
def decide(iteration_id: str) -> dict[str, Any] | None:
    """Send the outbox; go on to the next run where the commit decided on one."""
    from activesynth.steps.decide import decide as step
    from activesynth_airflow.doorways import version_of
    from activesynth_airflow.platform import open_platform

    with open_platform() as platform:
        following = step(iteration_id, platform)
    version = version_of(iteration_id)
    if version is not None:
        told: dict[str, Any] = {"iteration": iteration_id, "version": version}
        get_current_context()["outlet_events"][NEW_VERSIONS].add(VERSIONS, extra=told)
    if following.run_key is None:
        return None
    return {"run_key": following.run_key, "conf": following.conf}


# Not at the first failure: a shard that still runs would take the iteration up again.
@task(trigger_rule="all_done")
def release(iteration_id: str | None) -> None:
    """Let another run take over an iteration that this one did not commit."""
    from activesynth_airflow.doorways import release_iteration

    release_iteration(iteration_id)


def start_over_if_failed(context: Context) -> None:
    """Have the next run cleared where it exists and failed, as one does that came too early.

    It keeps the parameters it was triggered with. A run that goes on or succeeded is left alone.
    """
    following: Any = context["task"]
    failed = context["ti"].get_dr_count(
        dag_id=following.trigger_dag_id, run_ids=[following.trigger_run_id], states=["failed"]
    )
    following.reset_dag_run = failed > 0


@dag(
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
        "execution_timeout": timedelta(hours=2),
    },
)
def active_synthesis() -> None:
    """Wire the steps."""
    following = TriggerDagRunOperator(
        task_id="start_next",
        trigger_dag_id="active_synthesis",
        trigger_run_id="{{ ti.xcom_pull(task_ids='decide')['run_key'] }}",
        conf="{{ ti.xcom_pull(task_ids='decide')['conf'] | tojson }}",  # type: ignore[arg-type]
        skip_when_already_exists=True,
        pre_execute=start_over_if_failed,
        doc_md="Start the run of the next iteration, under the id that the commit decided on.",
    )

    # Typed as what the task receives; while the file is parsed it stands for a later value.
    iteration: Any = begin()
    trained, embedded = train(iteration), embed(iteration)
    fitted, diagnosed = fit_generator(iteration), diagnose(iteration)
    shards = plan(iteration)
    generated = generate.partial(iteration_id=iteration).expand(shard=shards)
    screened, selected = screen(iteration), select(iteration)
    answered: Any = AskPeople(
        task_id="annotate",
        iteration_id=iteration,
        notifiers=notifiers(),
        retries=5,
        doc_md="Collect the answers; while people are missing the task holds no worker.",
    )
    arms = integrate(iteration)
    retrained = retrain.partial(iteration_id=iteration).expand(arm=arms)
    evaluated, promoted, decided = evaluate(iteration), promote(iteration), decide(iteration)
    trained >> embedded >> [fitted, diagnosed]
    diagnosed >> shards
    [fitted, shards] >> generated
    generated >> screened >> selected >> answered >> arms
    retrained >> evaluated >> promoted >> decided >> following
    steps = [trained, embedded, fitted, diagnosed, shards, generated, screened, selected]
    steps += [answered, arms, retrained, evaluated, promoted, decided]
    steps >> release(iteration)


active_synthesis()
