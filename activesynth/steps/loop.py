"""Drive the steps in one process: the driver that needs no Airflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from activesynth.domain.effects import watched
from activesynth.domain.platform import Platform
from activesynth.errors import WaitingForPeople
from activesynth.steps import generate as generation
from activesynth.steps import retrain as retraining
from activesynth.steps.annotate import annotate
from activesynth.steps.begin import begin
from activesynth.steps.decide import Continuation, decide
from activesynth.steps.diagnose import diagnose
from activesynth.steps.embed import embed
from activesynth.steps.evaluate import evaluate
from activesynth.steps.fit_generator import fit_generator
from activesynth.steps.integrate import integrate
from activesynth.steps.plan import plan
from activesynth.steps.promote import promote
from activesynth.steps.screen import screen
from activesynth.steps.select import select
from activesynth.steps.train import train

Wait = Callable[[WaitingForPeople], None]


def run(
    platform: Platform,
    *,
    conf: Mapping[str, Any],
    run_key: str | None = None,
    wait: Wait | None = None,
) -> list[str]:
    """Run iterations until the loop decides to stop; return their ids.

    Args:
        platform: The ports.
        conf: Trigger parameters, as Airflow's form gives them.
        run_key: Names the first run; by default the campaign's next ``<campaign>__it<n>``, so
            that calling again after an interruption rejoins the same iteration, and runs only
            what was left of the iterations asked for.
        wait: Called when people have to answer, before asking again; without it the error passes
            on to the caller, and a later call goes on from there.

    Raises:
        WaitingForPeople: If answers are missing and ``wait`` is None.
    """
    campaign = str(conf.get("campaign", ""))
    finished: list[str] = []
    following: Continuation | None = (
        _resumed(platform, campaign, conf)
        if run_key is None
        else Continuation(run_key, dict(conf), "")
    )
    while following is not None and following.run_key is not None:
        iteration_id = begin(following.run_key, following.conf, platform)
        following = iterate(iteration_id, platform, wait=wait)
        finished.append(iteration_id)
        if following.run_key is not None:
            # In Airflow this effect is the trigger of the next DAG run.
            with watched(platform.effects, "trigger", following.run_key):
                pass
    return finished


def _resumed(platform: Platform, campaign: str, conf: Mapping[str, Any]) -> Continuation:
    """Return the run to start: the one the last commit decided on, if it was asked for alike."""
    fresh = f"{campaign}__it{platform.lineage.campaign(campaign).iterations}"
    committed = platform.reader.iterations(campaign)
    if not committed or committed[-1]["next_run"] != fresh:
        return Continuation(fresh, dict(conf), "")
    before = dict(committed[-1]["overrides"])
    remaining = int(before.pop("iterations", 1)) - 1
    asked = {key: value for key, value in conf.items() if value is not None}
    if {key: asked[key] for key in asked.keys() - {"campaign", "iterations"}} != before:
        return Continuation(fresh, dict(conf), "")
    return Continuation(fresh, {**before, "campaign": campaign, "iterations": remaining}, "")


def iterate(iteration_id: str, platform: Platform, *, wait: Wait | None = None) -> Continuation:
    """Run every step of one begun iteration in order."""
    train(iteration_id, platform)
    embed(iteration_id, platform)
    fit_generator(iteration_id, platform)
    diagnose(iteration_id, platform)
    plan(iteration_id, platform)
    for shard in generation.shards(iteration_id, platform):
        generation.generate(iteration_id, shard, platform)
    screen(iteration_id, platform)
    select(iteration_id, platform)
    _annotate(iteration_id, platform, wait)
    integrate(iteration_id, platform)
    for arm in retraining.arms(iteration_id, platform):
        retraining.retrain(iteration_id, arm, platform)
    evaluate(iteration_id, platform)
    promote(iteration_id, platform)
    return decide(iteration_id, platform)


def _annotate(iteration_id: str, platform: Platform, wait: Wait | None) -> None:
    while True:
        try:
            annotate(iteration_id, platform)
        except WaitingForPeople as waiting:
            if wait is None:
                raise
            wait(waiting)
        else:
            return
