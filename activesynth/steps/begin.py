"""Open or rejoin the iteration of a run, and say what it can show and what it may cost."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.config.trigger import Trigger, apply_trigger, parse_trigger
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.registry import Catalog
from activesynth.errors import ActiveSynthError, ConfigurationError, TransientError
from activesynth.statistics.corrections import (
    alpha_at,
    effective_rows,
    smallest_detectable_lift,
)
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.fairness import check_fairness
from activesynth.steps.generators import check_artifact
from activesynth.steps.turn import Turn, open_turn

logger = logging.getLogger(__name__)

STEP = Step("begin", version=2)
# Two models of one campaign disagree on about a tenth of the rows; used for power only.
TYPICAL_DISAGREEMENT = 0.1


def begin(run_key: str, conf: Mapping[str, Any], platform: Platform) -> str:
    """Return the iteration id that all other steps of this run are given.

    Any run id is mapped to the campaign's next iteration; the same run id rejoins its own.

    Raises:
        ConfigurationError: If the trigger or the campaign cannot be run, or its budget is spent.
        ConflictError: If another run has an iteration of this campaign open.
    """
    trigger = parse_trigger(conf)
    config = _config(platform, trigger)
    check_parts(platform.parts, config)
    done = platform.reader.iterations(trigger.campaign)
    if run_key not in {str(row["run_key"]) for row in done}:
        _refuse_overspending(platform, config, len(done))
        _refuse_unfit_rows(platform, config)
    overrides = trigger.model_dump(exclude={"campaign"}, exclude_none=True)
    record = platform.lineage.open_iteration(trigger.campaign, run_key, overrides)
    turn = open_turn(str(record.ref), platform)
    try:
        _look_around(turn)
    except TransientError:
        raise
    except ActiveSynthError as error:
        # Nobody will come back to an iteration that could not begin: leave it to the next run.
        platform.lineage.fail_iteration(record.ref, str(error))
        raise
    return str(record.ref)


def _refuse_unfit_rows(platform: Platform, config: CampaignConfig) -> None:
    """Hold what the campaign asks of its rows against those that were drawn.

    Raises:
        ConfigurationError: ``no_gate_rows``, ``unknown_attribute`` or ``unknown_favourable``.
    """
    head = platform.lineage.campaign(config.name).head
    if head is None:
        return
    manifest = DatasetManifest.decode(platform.objects.get(head))
    if config.gate.enabled and not sum(ref.rows for ref in manifest.splits["gate"]):
        raise ConfigurationError(
            f"campaign {config.name!r} has no rows in `gate`: `splits.gate` was 0 when its splits "
            "were drawn; leave `gate.enabled` false, or copy its file under another name with a "
            "share for `splits.gate`.",
            reason="no_gate_rows",
            field="gate.enabled",
        )
    if config.evaluation.fairness.attribute is not None:
        guide = load_split(platform.objects, manifest, "guide")
        check_fairness(config.evaluation.fairness, manifest.classes, guide)


def _look_around(turn: Turn) -> None:
    """Record how many rows there are, and the smallest lift that the gate could show."""
    check_artifact(turn)
    alpha = alpha_at(turn.ref.number + 1, turn.config.gate.alpha)

    def compute(outputs: Outputs) -> None:
        rows = {
            split: load_split(turn.platform.objects, turn.manifest, split)
            for split in ("train", "pool", "guide", "gate")
        }
        for split, part in rows.items():
            outputs.facts[f"{split}_rows"] = len(part)
        outputs.facts["classes_in_train"] = len(np.unique(rows["train"].y))
        # Without a gate split, guide is where arms are compared at all.
        judged = rows["gate"] if len(rows["gate"]) else rows["guide"]
        # Rows of one group are no independent evidence: a group counts once.
        _, first = np.unique(judged.groups, return_index=True)
        worth = max(2, int(effective_rows(judged.y[first])))
        outputs.facts["detectable_lift"] = smallest_detectable_lift(
            worth, TYPICAL_DISAGREEMENT, alpha
        )

    record = execute(
        turn,
        STEP,
        inputs={"parent": turn.record.parent},
        settings={"alpha": alpha},
        compute=compute,
    )
    spent, expected = _minutes(turn.platform, turn.ref.campaign)
    logger.info(
        "begin iteration=%s smallest_detectable_lift=%.3f expected_minutes=%s spent_minutes=%.1f "
        "cap_minutes=%g",
        turn.ref,
        record.facts["detectable_lift"],
        "unknown" if expected is None else f"{expected:.1f}",
        spent,
        turn.config.loop.max_minutes,
    )


def check_parts(parts: Catalog, config: CampaignConfig) -> None:
    """Look every named part up and check its parameters before any work is done.

    Raises:
        ConfigurationError: Naming the part or parameter that is wrong.
    """
    for kind, part in (
        ("trainer", config.trainer),
        ("generator", config.generator),
        ("source", config.source),
    ):
        parts.check(kind, part.name, part.parameters)
    parts.check("modality", config.modality, {})
    parts.check("strategy", config.selection.strategy, config.selection.parameters)
    parts.check("annotator", config.annotation.annotator, config.annotation.parameters)
    for name in config.diagnosis.corruptions:
        parts.check("corruption", name, {})
    for name in {config.evaluation.metric, *config.gate.guarded}:
        parts.check("metric", name, {})
    for name in config.evaluation.arms:
        parts.check("arm", name, {})


def _config(platform: Platform, trigger: Trigger) -> CampaignConfig:
    recorded = platform.lineage.campaign(trigger.campaign).config
    config = parse_campaign(recorded, f"campaign {trigger.campaign!r}")
    return apply_trigger(config, trigger.model_dump())


def _minutes(platform: Platform, campaign: str) -> tuple[float, float | None]:
    """Return the minutes spent so far, and those of the last iteration, which this may cost."""
    costs = platform.reader.step_costs(campaign)
    spent = sum(float(row["seconds"]) for row in costs) / 60.0
    if not costs:
        return 0.0, None
    last = max(int(row["iteration"]) for row in costs)
    return spent, sum(float(r["seconds"]) for r in costs if r["iteration"] == last) / 60.0


def _refuse_overspending(platform: Platform, config: CampaignConfig, done: int) -> None:
    """Hold the campaign to its caps before an iteration is opened."""
    campaign, loop = config.name, config.loop
    spent, expected = _minutes(platform, campaign)
    if spent + (expected or 0.0) > loop.max_minutes:
        raise ConfigurationError(
            f"campaign {campaign!r} has used {spent:.1f} minutes and another iteration takes "
            f"about {expected or 0.0:.1f}, over `loop.max_minutes` = {loop.max_minutes:g}; raise "
            "it to go on.",
            reason="max_minutes",
            field="loop.max_minutes",
        )
    if done >= loop.max_iterations:
        raise ConfigurationError(
            f"campaign {campaign!r} has done {done} iterations, and `loop.max_iterations` is "
            f"{loop.max_iterations}; raise it to go on.",
            reason="max_iterations",
            field="loop.max_iterations",
        )
    wanted = labels_bought(platform, campaign) + config.selection.labels
    if config.selection.labels and wanted > loop.max_labels:
        raise ConfigurationError(
            f"campaign {campaign!r} would have bought {wanted} labels after this iteration, over "
            f"`loop.max_labels` = {loop.max_labels}; raise it, or ask for fewer labels.",
            reason="max_labels",
            field="loop.max_labels",
        )


def labels_bought(platform: Platform, campaign: str) -> int:
    """Return how many labels the committed iterations bought."""
    rows = platform.reader.metrics(campaign)
    return int(sum(float(row["value"]) for row in rows if row["name"] == "labels_bought"))
