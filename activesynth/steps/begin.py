"""Open or rejoin the iteration of a run, and say what it can show and what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from activesynth.config.campaign import CampaignConfig
from activesynth.config.trigger import Trigger, parse_trigger
from activesynth.domain.dataset_access import load_split
from activesynth.domain.platform import Platform
from activesynth.domain.registry import Catalog
from activesynth.errors import ConfigurationError
from activesynth.statistics.corrections import effective_rows, smallest_detectable_lift
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn

STEP = Step("begin")
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
    check_parts(platform.parts, CampaignConfig.model_validate(_config(platform, trigger)))
    overrides = trigger.model_dump(exclude={"campaign"}, exclude_none=True)
    record = platform.lineage.open_iteration(trigger.campaign, run_key, overrides)
    turn = open_turn(str(record.ref), platform)
    _refuse_overspending(turn)

    def compute(outputs: Outputs) -> None:
        rows = {
            split: load_split(platform.objects, turn.manifest, split)
            for split in ("train", "pool", "guide", "gate")
        }
        for split, part in rows.items():
            outputs.facts[f"{split}_rows"] = len(part)
        outputs.facts["classes_in_train"] = len(np.unique(rows["train"].y))
        outputs.facts["detectable_lift"] = smallest_detectable_lift(
            max(2, int(effective_rows(rows["gate"].y))), TYPICAL_DISAGREEMENT
        )

    execute(turn, STEP, inputs={"parent": record.parent}, settings={}, compute=compute)
    return str(record.ref)


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


def _config(platform: Platform, trigger: Trigger) -> dict[str, Any]:
    from activesynth.config.campaign import parse_campaign
    from activesynth.config.trigger import apply_trigger

    recorded = platform.lineage.campaign(trigger.campaign).config
    config = parse_campaign(recorded, f"campaign {trigger.campaign!r}")
    return apply_trigger(config, trigger.model_dump()).model_dump()


def _refuse_overspending(turn: Turn) -> None:
    """Compare what the campaign has cost so far, and its last iteration, with its cap."""
    costs = turn.platform.reader.step_costs(turn.ref.campaign)
    spent = sum(float(row["seconds"]) for row in costs) / 60.0
    last = max((int(row["iteration"]) for row in costs), default=-1)
    expected = sum(float(row["seconds"]) for row in costs if row["iteration"] == last) / 60.0
    cap = turn.config.loop.max_minutes
    if turn.record.state != "committed" and spent + expected > cap:
        turn.platform.lineage.fail_iteration(turn.ref, "budget spent")
        raise ConfigurationError(
            f"campaign {turn.ref.campaign!r} has used {spent:.1f} minutes and another iteration "
            f"takes about {expected:.1f}, over `loop.max_minutes` = {cap:g}; raise it to go on."
        )
