"""``activesynth demo``: two feedback iterations by a real Airflow, and what they showed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from activesynth.cli.campaigns import campaign_file
from activesynth.cli.platform import bring_up
from activesynth.cli.progress import notice, progress
from activesynth.cli.session import connected, embedded, settings

if TYPE_CHECKING:
    from activesynth.config.campaign import CampaignConfig
    from activesynth.config.settings import Settings
    from activesynth.domain.platform import Platform
    from activesynth.embedded.airflow_client import AirflowClient

CAMPAIGN = "digits"
ITERATIONS = 2

# Digests and ids are hexadecimal and the name is ours: nothing in them needs quoting.
ANCESTRY = """SELECT depth, left(ancestor, 12) AS version, origin, iteration, decision, rows
FROM activesynth.dataset_ancestry
WHERE version = '{version}' ORDER BY depth;"""
PROVENANCE = """SELECT weakness_title, left(generator, 12) AS generator, verdict, verdict_reason,
       scores, model_arm, left(model, 12) AS model, decision
FROM activesynth.sample_provenance
WHERE sample = '{sample}' ORDER BY model_arm, model;"""
METRICS = """SELECT iteration, arm, name, value, low, high FROM activesynth.metrics
WHERE campaign = '{campaign}' AND split = 'guide' AND slice = 'all' AND seed = -1
ORDER BY iteration, name, arm;"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The Airflow that the demo runs on: one that is there, or the embedded one.

    ``database_url`` is None where the environment names the database; ``psql`` opens it; the last
    lines of the demo are ``closing``, how to look on and how to stop.
    """

    client: AirflowClient
    database_url: str | None
    psql: str
    closing: str


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("demo")(demo)


def demo() -> None:
    """Run the next two iterations of the campaign `digits` in Airflow, and show what they did.

    A later demo goes on where the last one ended, as far as `loop.max_iterations` allows; then it
    shows the results again. The Airflow is that of ACTIVESYNTH_AIRFLOW_URL, or the embedded one.
    """
    config = campaign_file(CAMPAIGN)
    found = settings()
    stage = named_stage(found) if found.airflow_url else embedded_stage()
    with connected(address=stage.database_url) as platform:
        start = committed_iterations(platform)
    wanted = range(start, min(start + ITERATIONS, config.loop.max_iterations))
    if wanted:
        run_iterations(stage.client, wanted)
    else:
        notice(
            f"campaign {CAMPAIGN!r} has done the {config.loop.max_iterations} iterations that "
            "`loop.max_iterations` allows; these are its results. Raise it to go on."
        )
    with connected(CAMPAIGN, address=stage.database_url) as platform:
        present(platform, config, stage, wanted)


def embedded_stage() -> Stage:
    """Start the embedded platform where it does not run."""
    info = bring_up()
    return Stage(
        client=embedded().client(),
        database_url=info.database_url,
        psql=".venv/bin/activesynth psql",
        closing=(
            f"Airflow  {info.url}   user {info.user}, password {info.password}\n"
            "`make down` stops everything; data stays. `make demo` again goes on from here."
        ),
    )


def named_stage(found: Settings) -> Stage:
    """Take the Airflow that the environment names; nothing is started.

    Raises:
        ConfigurationError: If there is no password to log in with.
    """
    from activesynth.embedded.airflow_client import AirflowClient
    from activesynth.errors import ConfigurationError

    if found.airflow_password is None:
        raise ConfigurationError(
            "ACTIVESYNTH_AIRFLOW_URL is set and ACTIVESYNTH_AIRFLOW_PASSWORD is not; set it, or "
            "put it into the folder of ACTIVESYNTH_SECRETS.",
            reason="missing_setting",
            field="ACTIVESYNTH_AIRFLOW_PASSWORD",
        )
    return Stage(
        client=AirflowClient(
            str(found.airflow_url),
            found.airflow_user,
            found.airflow_password.get_secret_value(),
        ),
        database_url=None,
        psql="activesynth psql",
        closing=f"Airflow  {found.airflow_url}   user {found.airflow_user}",
    )


def committed_iterations(platform: Platform) -> int:
    """Return how many iterations the demo's campaign has committed, 0 before the first run."""
    names = {str(row["campaign"]) for row in platform.reader.campaigns()}
    return platform.lineage.campaign(CAMPAIGN).iterations if CAMPAIGN in names else 0


def run_iterations(client: AirflowClient, numbers: range) -> None:
    """Start the run of the first iteration and follow it and its successors.

    Raises:
        ActiveSynthError: If a run fails.
    """
    from activesynth.cli.follow import DAG, RunFollower

    first = f"{CAMPAIGN}__it{numbers.start}"
    client.wait_for_dag(DAG)
    client.unpause(DAG)
    if not client.trigger(DAG, first, {"campaign": CAMPAIGN, "iterations": len(numbers)}):
        notice(f"run {first} is there already; going on with it.")
    with progress() as report:
        for number in numbers:
            run_id = f"{CAMPAIGN}__it{number}"
            state = client.run_state(DAG, run_id)
            if state is None:
                notice(f"the loop decided to stop after iteration {number - 1}.")
                return
            if state == "failed":  # some time ago
                client.clear_run(DAG, run_id)
            RunFollower(client, run_id, report).follow()


def present(platform: Platform, config: CampaignConfig, stage: Stage, numbers: range) -> None:
    """Print the results, and where to look next."""
    from activesynth.cli.reports import write
    from activesynth.cli.results import print_campaign, print_final

    print_campaign(platform, config, only=set(numbers) or None)
    path, final = write(platform, config, test=True)
    if final is not None:
        print_final(final)
    print(f"\nReport   {path}")
    print(f"\nAsk PostgreSQL (`{stage.psql}`), for example")
    for title, query in example_queries(platform):
        print(f"\n-- {title}\n{query}")
    print(f"\n{stage.closing}")


def example_queries(platform: Platform) -> list[tuple[str, str]]:
    """Return three queries that give rows in this very database, each with a title."""
    head = platform.lineage.campaign(CAMPAIGN).head or ""
    made = platform.reader.samples(CAMPAIGN, limit=1000)
    used = [row for row in made if row["verdict"] == "accepted" and row["weakness"]]
    sample = str((used or made or [{"sample": ""}])[0]["sample"])
    return [
        ("the ancestry of the head version", ANCESTRY.format(version=head)),
        ("everything about one synthetic sample", PROVENANCE.format(sample=sample)),
        ("metrics per iteration and arm", METRICS.format(campaign=CAMPAIGN)),
    ]
