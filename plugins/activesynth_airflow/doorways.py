"""What tasks do beyond calling one step: reading campaign files, waiting, letting go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from activesynth.config.campaign import CampaignConfig, read_campaign
from activesynth.config.settings import Settings
from activesynth.config.trigger import (
    apply_trigger,
    parse_diagnosis,
    parse_experiment_run,
    parse_trigger,
)
from activesynth.domain.exchange import Refused
from activesynth.domain.platform import Platform
from activesynth.domain.records import IterationRef
from activesynth.errors import ConflictError, WaitingForPeople
from activesynth.experiments.analysis import analyse
from activesynth.experiments.cells import find_cell, missing_cells, open_experiment, run_cell
from activesynth.experiments.experiment_page import sentences, write_experiment
from activesynth.operations.diagnose import diagnose
from activesynth.operations.ingest import ingest
from activesynth.operations.reconcile import RunState, reconcile
from activesynth.operations.refresh import RefreshResult, refresh
from activesynth.steps.annotate import annotate
from activesynth.steps.begin import begin, check_parts
from activesynth_airflow.platform import open_platform

logger = logging.getLogger(__name__)
REFUSED_SHOWN = 20


def begin_iteration(run_id: str, params: dict[str, Any]) -> str:
    """Record the campaign file as it is now, ingest its source once, and open the iteration."""
    with open_platform() as platform:
        trigger = parse_trigger(params)
        config = read_campaign(Settings.read().campaigns / f"{trigger.campaign}.yaml")
        _ingest(apply_trigger(config, trigger.model_dump()), config, platform)
        return begin(run_id, params, platform)


def _ingest(as_run: CampaignConfig, config: CampaignConfig, platform: Platform) -> None:
    """Check all parts, ingest once, and log what was left out or is asked for in vain."""
    check_parts(platform.parts, as_run)
    found = ingest(config, platform)
    if found.notice:
        logger.warning(found.notice)
    _log_refused(config.name, found.refused)


def _log_refused(campaign: str, refused: Sequence[Refused]) -> None:
    for item in refused[:REFUSED_SHOWN]:
        logger.warning("left out %s [%s]: %s", item.name, item.reason, item.detail)
    if refused:
        logger.warning(
            "%d items of the source were left out; `activesynth show refused %s` lists those that "
            "the dataset knows of",
            len(refused),
            campaign,
        )


def open_questions(iteration_id: str) -> int:
    """Collect the answers if the iteration can go on; else return how many are missing."""
    with open_platform() as platform:
        try:
            annotate(iteration_id, platform)
        except WaitingForPeople as waiting:
            logger.info("%s", waiting)
            return platform.queue.progress(IterationRef.parse(iteration_id).campaign).open or 1
        return 0


def close_questions(iteration_id: str, person: str) -> None:
    """Have the iteration go on with the answers that it has, as a person decided."""
    with open_platform() as platform:
        platform.queue.close(IterationRef.parse(iteration_id), "person", person)


def give_up_iteration(iteration_id: str, person: str) -> None:
    """Mark the iteration failed, as a person decided; its answers stay on record."""
    with open_platform() as platform:
        platform.lineage.fail_iteration(
            IterationRef.parse(iteration_id), f"given up by {person} while it waited for answers"
        )


def release_iteration(iteration_id: str | None) -> None:
    """Mark an iteration that was not committed failed, so that another run may take it over.

    Raises:
        AirflowFailException: Where it was not committed, so that the run fails visibly.
        AirflowSkipException: Where it was.
    """
    if iteration_id is None:
        raise AirflowFailException("no iteration was opened; the log of `begin` says why.")
    ref = IterationRef.parse(iteration_id)
    with open_platform() as platform:
        if platform.lineage.iteration(ref).state == "committed":
            raise AirflowSkipException(f"iteration {iteration_id} is committed and stays so.")
        platform.lineage.fail_iteration(ref, "a task failed")
    raise AirflowFailException(
        f"iteration {iteration_id} failed; the failed task's log says why. Clear that task to go "
        "on, or trigger the campaign again: recorded steps are reused either way."
    )


def reconcile_runs(state_of: Callable[[str], RunState]) -> list[dict[str, Any]]:
    """Send events and give up dead iterations; return the lost runs to start, id and conf each."""
    with open_platform() as platform:
        done = reconcile(state_of, platform)
    logger.info("%d events left the outbox.", done.events)
    for iteration in done.released:
        logger.warning("iteration %s was given up: its run ended without a commit.", iteration)
    for following in done.to_start:
        logger.warning("run %s was decided on and is not there; starting it.", following.run_key)
    return [
        {"trigger_run_id": following.run_key, "conf": following.conf} for following in done.to_start
    ]


def version_of(iteration_id: str) -> str | None:
    """Return the dataset version an iteration committed; a refusal without labels leaves none."""
    with open_platform() as platform:
        return platform.lineage.iteration(IterationRef.parse(iteration_id)).version


def refresh_campaign(campaign: str, logical_date: str) -> RefreshResult:
    """Refresh one campaign's dataset.

    Raises:
        AirflowSkipException: If an iteration is open, or another version was committed meanwhile.
    """
    with open_platform() as platform:
        config = read_campaign(Settings.read().campaigns / f"{campaign}.yaml")
        _ingest(config, config, platform)
        try:
            done = refresh(campaign, logical_date, platform)
        except ConflictError as error:
            logger.warning(
                "%s The dataset stays as it is; the next refresh takes the new rows in.", error
            )
            raise AirflowSkipException("somebody else holds the campaign") from None
        _log_refused(campaign, done.refused)
        return done


def missing_experiment_cells(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Register the experiment as its file is now; return the cells that are not scored yet."""
    with open_platform() as platform:
        request = parse_experiment_run(params)
        registered = open_experiment(request.experiment, platform)
        return [
            {"variant": cell.variant, "seed": cell.seed}
            for cell in missing_cells(registered, request.phase, platform)
        ]


def run_experiment_cell(params: dict[str, Any], variant: str, seed: int) -> str:
    """Run and score one cell, unless it is scored; return the campaign that ran it."""
    with open_platform() as platform:
        request = parse_experiment_run(params)
        registered = open_experiment(request.experiment, platform)
        cell = find_cell(registered, request.phase, variant, seed)
        if cell in missing_cells(registered, request.phase, platform):
            run_cell(registered, cell, platform, ingest=ingest)
        return registered.campaign(variant, seed).name


def report_experiment(params: dict[str, Any]) -> list[str]:
    """Write page and CSV into the platform's folder; log and return what holds and what not."""
    with open_platform() as platform:
        request = parse_experiment_run(params)
        registered = open_experiment(request.experiment, platform)
        analysis = analyse(registered, request.phase, platform)
        paths = write_experiment(registered, analysis, Settings.read().home / "reports")
    said = [line for _, line in sentences(analysis)]
    for line in [*said, *map(str, paths)]:
        logger.info(line)
    return said


def diagnose_campaign(run_id: str, params: dict[str, Any]) -> str:
    """Diagnose a campaign's model on demand; return the digest of its weakness profile."""
    with open_platform() as platform:
        request = parse_diagnosis(params)
        record = diagnose(request.campaign, run_id, platform)
    logger.info(
        "diagnosed campaign=%s model=%s weaknesses=%d profile=%s",
        record.campaign,
        record.model,
        len(record.document["weaknesses"]),
        record.profile,
    )
    return record.profile
