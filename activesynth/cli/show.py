"""``activesynth show``: committed facts, as a table or as JSON."""

from __future__ import annotations

from typing import Annotated

import typer

from activesynth.cli.output import AsJson, print_rows
from activesynth.cli.session import connected
from activesynth.errors import ConfigurationError

# What a table shows; JSON holds every column.
CAMPAIGNS = (
    *("campaign", "state", "iterations", "head", "last_decision"),
    *("lift_metric", "lift_control", "lift", "lift_low", "lift_high"),
)
ITERATIONS = ("iteration", "decision", "reason", "version", "seconds", "committed_at")
WEAKNESSES = (
    *(
        "iteration",
        "rank",
        "title",
        "state",
        "gap",
        "low",
        "high",
        "n",
        "planned",
        "accepted",
        "rejected",
    ),
    *("benefit", "benefit_low", "benefit_high"),
)
SAMPLES = ("sample", "iteration", "label", "verdict", "verdict_reason", "weakness_title", "seed")
SAMPLE = (
    *("iteration", "weakness_title", "generator", "verdict", "verdict_reason", "split", "weight"),
    *("manifest", "model_arm", "model_replicate", "model", "decision"),
)
VERSIONS = ("depth", "ancestor", "origin", "iteration", "decision", "rows", "committed_at")
DIAGNOSES = ("run_key", "recorded_at", "version", "model", "weaknesses", "first")
REFUSED = ("name", "reason", "detail")
COSTS = ("iteration", "step", "shards", "reused", "seconds", "device", "peak_memory_mb")

RETRIEVED = ("iteration", "sample", "weakness_title", "distance", "label", "action", "annotator")

app = typer.Typer(help="Committed facts, read from the database.", no_args_is_help=True)

Campaign = Annotated[str, typer.Argument(help="The campaign's name.")]
Iteration = Annotated[
    int | None, typer.Option("--iteration", min=0, help="Only this iteration; all unless given.")
]


@app.command("campaigns")
def campaigns(as_json: AsJson = False) -> None:
    """Show every campaign with its head version and last lift."""
    with connected() as platform:
        rows = platform.reader.campaigns()
    print_rows(rows, as_json=as_json, empty="no campaign has been run yet.", columns=CAMPAIGNS)


@app.command("iterations")
def iterations(campaign: Campaign, as_json: AsJson = False) -> None:
    """Show the committed iterations of a campaign: decision, reason, version, seconds."""
    with connected(campaign) as platform:
        rows = platform.reader.iterations(campaign)
    empty = f"campaign {campaign!r} has no committed iteration."
    print_rows(rows, as_json=as_json, empty=empty, columns=ITERATIONS)


@app.command("weaknesses")
def weaknesses(campaign: Campaign, as_json: AsJson = False) -> None:
    """Show the history of every weakness: gap, interval, number of rows, state."""
    with connected(campaign) as platform:
        rows = platform.reader.weaknesses(campaign)
    empty = f"campaign {campaign!r} has no weakness on record."
    print_rows(rows, as_json=as_json, empty=empty, columns=WEAKNESSES)


@app.command("diagnoses")
def diagnoses(campaign: Campaign, as_json: AsJson = False) -> None:
    """Show the diagnoses made on demand; JSON holds the whole profiles."""
    with connected(campaign) as platform:
        rows = platform.reader.diagnoses(campaign)
    empty = f"campaign {campaign!r} has no diagnoses made on demand."
    print_rows(rows, as_json=as_json, empty=empty, columns=DIAGNOSES)


@app.command("samples")
def samples(
    campaign: Campaign,
    iteration: Iteration = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many rows.")] = 50,
    after: Annotated[str, typer.Option(help="Go on after this sample id.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show synthetic samples with verdict, reason, weakness and scores, ordered by id."""
    with connected(campaign) as platform:
        rows = platform.reader.samples(campaign, iteration=iteration, limit=limit, after=after)
    empty = f"campaign {campaign!r} has no synthetic samples."
    print_rows(rows, as_json=as_json, empty=empty, columns=SAMPLES)


@app.command("retrieved")
def retrieved(campaign: Campaign, iteration: Iteration = None, as_json: AsJson = False) -> None:
    """Show the pool rows that were asked about because they lie near a weakness's failures."""
    with connected(campaign) as platform:
        found = platform.reader.retrieved(campaign)
    rows = [row for row in found if iteration is None or row["iteration"] == iteration]
    empty = f"campaign {campaign!r} has no labels of rows that were retrieved for a weakness."
    print_rows(rows, as_json=as_json, empty=empty, columns=RETRIEVED)


@app.command("suspects")
def suspects(
    campaign: Campaign,
    iteration: Annotated[
        int | None, typer.Option("--iteration", min=0, help="Which; the last one unless given.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the labels in train that look wrong, most suspect first, and what people said."""
    from activesynth.operations.suspects import suspects as doubted

    with connected(campaign) as platform:
        rows = doubted(campaign, platform, iteration=iteration)[:limit]
    empty = f"campaign {campaign!r} has no committed iteration in which a label was doubted."
    print_rows(rows, as_json=as_json, empty=empty)


@app.command("agreement")
def agreement(campaign: Campaign, as_json: AsJson = False) -> None:
    """Show how far people agree on the items that two of them answered, beyond chance."""
    from activesynth.operations.agreement import agreement as agreed

    with connected(campaign) as platform:
        rows = agreed(campaign, platform)
    empty = (
        f"campaign {campaign!r} has no committed item with two opinions; "
        "`annotation.second_opinions` asks for them."
    )
    print_rows(rows, as_json=as_json, empty=empty)


@app.command("sample")
def sample(
    sample_id: Annotated[str, typer.Argument(help="The sample's id.")], as_json: AsJson = False
) -> None:
    """Show everything about one sample: weakness, generator, verdict, versions and models."""
    with connected() as platform:
        rows = platform.reader.sample(sample_id)
    if not rows:
        raise ConfigurationError(
            f"no sample {sample_id!r}; `activesynth show samples CAMPAIGN` lists the ids.",
            reason="unknown_sample",
            field="sample",
        )
    print_rows(rows, as_json=as_json, empty="", columns=SAMPLE)


@app.command("lineage")
def lineage(
    campaign: Campaign,
    version: Annotated[
        str | None, typer.Option("--version", help="A version's digest; the head unless given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a dataset version and its ancestors up to the root."""
    with connected(campaign) as platform:
        start = version or platform.lineage.campaign(campaign).head
        rows = platform.reader.ancestry(start) if start else []
    if version and not rows:
        raise ConfigurationError(
            f"no committed version {version!r}; `activesynth show lineage {campaign}` lists them.",
            reason="unknown_version",
            field="version",
        )
    empty = f"campaign {campaign!r} has no dataset version yet."
    print_rows(rows, as_json=as_json, empty=empty, columns=VERSIONS)


@app.command("metrics")
def metrics(
    campaign: Campaign,
    iteration: Iteration = None,
    name: Annotated[str | None, typer.Option("--name", help="Only this metric.")] = None,
    arm: Annotated[str | None, typer.Option("--arm", help="Only this arm.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show every number with its interval, by iteration, arm, split and slice."""
    with connected(campaign) as platform:
        found = platform.reader.metrics(campaign, iteration)
    rows = [
        row
        for row in found
        if (name is None or row["name"] == name) and (arm is None or row["arm"] == arm)
    ]
    print_rows(rows, as_json=as_json, empty=f"campaign {campaign!r} has no such metrics.")


@app.command("models")
def models(campaign: Campaign, iteration: Iteration = None, as_json: AsJson = False) -> None:
    """Show the models that iterations trained; `export model --model DIGEST` writes one."""
    with connected(campaign) as platform:
        found = platform.reader.models(campaign)
    rows = [row for row in found if iteration is None or row["iteration"] == iteration]
    empty = f"campaign {campaign!r} has no models on record."
    print_rows(rows, as_json=as_json, empty=empty)


@app.command("costs")
def costs(campaign: Campaign, as_json: AsJson = False) -> None:
    """Show seconds, device and peak memory per iteration and step."""
    with connected(campaign) as platform:
        rows = platform.reader.step_costs(campaign)
    empty = f"campaign {campaign!r} has no recorded steps."
    print_rows(rows, as_json=as_json, empty=empty, columns=COSTS)


@app.command("refused")
def refused(campaign: Campaign, as_json: AsJson = False) -> None:
    """Show the items of the source that were left out of the dataset, and why."""
    from dataclasses import asdict

    from activesynth.domain.dataset_access import load_refused
    from activesynth.domain.documents import DatasetManifest

    with connected(campaign) as platform:
        head = platform.lineage.campaign(campaign).head
        manifest = DatasetManifest.decode(platform.objects.get(head)) if head else None
        items = load_refused(platform.objects, manifest) if manifest else []
    empty = f"no item of campaign {campaign!r} was refused."
    print_rows([asdict(item) for item in items], as_json=as_json, empty=empty, columns=REFUSED)
