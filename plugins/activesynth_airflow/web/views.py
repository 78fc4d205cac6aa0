"""What each page shows, as plain values for its template; nothing here writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from croniter import croniter

from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.domain.documents import DatasetManifest
from activesynth.errors import ConfigurationError, MissingArtifactError
from activesynth.experiments.fairness_table import (
    DIFFERENCE_COLUMNS,
    GROUP_COLUMNS,
    fairness_table,
)
from activesynth.experiments.report import campaign_figures, script_json, summarise_campaign
from activesynth.experiments.summary import CampaignSummary
from activesynth.experiments.words import plain_words
from activesynth.operations.next_plan import next_plan
from activesynth_airflow.web import charts
from activesynth_airflow.web.door import Door
from activesynth_airflow.web.pictured import drawn_map, guide_figures

Facts = dict[str, Any]
SHOWN_VERSIONS = 50
SHOWN_ITERATIONS = 30
SHOWN_WEAKNESSES = 30
SHOWN_SENTENCES = 12
SHOWN_DECLARATIONS = 100
"""How much a page lists; what there is beyond is counted, or found from there."""


def campaigns(door: Door) -> list[Facts]:
    """Return a row per campaign: what waits for whom comes first."""
    reader = door.platform.reader
    waiting, schedules = reader.open_questions(), reader.schedules()
    now = door.platform.clock.now()
    rows = [
        {
            **row,
            "open": waiting.get(str(row["campaign"]), 0),
            "next_refresh": next_time(schedules.get(str(row["campaign"])), now),
        }
        for row in reader.campaigns()
    ]
    return sorted(rows, key=lambda row: (not row["open"], str(row["campaign"])))


def next_time(schedule: str | None, now: datetime) -> datetime | None:
    """Return when a schedule is due next after ``now``, which is in UTC; None without one."""
    if schedule is None:
        return None
    fields = {"@quarterly": "0 0 1 */3 *"}.get(schedule, schedule)  # known to Airflow alone
    found: datetime = croniter(fields, now).get_next(datetime)
    return found


def campaign(door: Door, name: str, before: int | None = None) -> Facts:
    """Return the numbers of a campaign over its iterations, and of those a page.

    Args:
        door: What was opened.
        name: The campaign.
        before: Show iterations below this number; the newest unless given.

    Raises:
        ConfigurationError: If there is no such campaign.
    """
    platform = door.platform
    record = platform.lineage.campaign(name)
    config = parse_campaign(record.config, "recorded config")
    # Nothing committed ever changes but by what this state tells.
    state = ("campaign", name, platform.reader.campaign_state(name))
    facts = door.pages.get(state, lambda: _achieved(door, config))
    summary: CampaignSummary = facts["summary"]
    older = [turn for turn in summary.iterations if before is None or turn.number < before]
    return {
        **facts,
        "campaign": name,
        "record": record,
        "turns": older[-SHOWN_ITERATIONS:],
        "is_newest": before is None,
        "older": len(older) - SHOWN_ITERATIONS,
        "open": platform.reader.open_questions().get(name, 0),
        "versions": platform.reader.versions(name, SHOWN_VERSIONS),
    }


def _achieved(door: Door, config: CampaignConfig) -> Facts:
    """Return all that pages say of the committed iterations of a campaign together."""
    summary = summarise_campaign(door.platform, config)
    newest = replace(summary, iterations=summary.iterations[-SHOWN_ITERATIONS:])
    figures = campaign_figures(summary)
    lines = charts.weakness_table(door.platform.reader.weaknesses(config.name))
    words = plain_words(summary)
    last = summary.iterations[-1].number if summary.iterations else None
    picture = drawn_map(door, config.name, last)
    return {
        "summary": summary,
        "map_iteration": last if picture.figures else None,
        "map_clusters": picture.clusters,
        "words": {name: getattr(words, name)[-SHOWN_SENTENCES:] for name in words.__slots__},
        "untold": {
            name: max(0, len(getattr(words, name)) - SHOWN_SENTENCES) for name in words.__slots__
        },
        "weaknesses": [
            {**line, "states": line["states"][-SHOWN_ITERATIONS:]}
            for line in lines[:SHOWN_WEAKNESSES]
        ],
        "more_weaknesses": max(0, len(lines) - SHOWN_WEAKNESSES),
        "figures": script_json(
            {
                "arms": figures["arms"],
                "lift": figures["lift"],
                "state": figures["state"],
                "efficiency": charts.efficiency(summary),
                "map": picture.figures,
                "fairness": charts.fairness(door.platform.reader.fairness(config.name)),
                "seconds": campaign_figures(newest)["seconds"],
            }
        ),
    }


def iteration(door: Door, name: str, number: int) -> Facts:
    """Return one committed iteration beside the one before it.

    Raises:
        ConfigurationError: If there is no such campaign, or no such committed iteration.
    """
    platform = door.platform
    record = platform.lineage.campaign(name)
    config = parse_campaign(record.config, "recorded config")
    around = platform.reader.iterations(name, after=number - 2, limit=3)
    near = {int(row["iteration"]): row for row in around if int(row["iteration"]) <= number + 1}
    if number not in near:
        raise unknown_iteration(name, number, record.iterations)
    summary = summarise_campaign(platform, config, [n for n in near if n <= number])
    turns = {turn.number: turn for turn in summary.iterations}
    turn = turns[number]
    return {
        "campaign": name,
        "row": near[number],
        "turn": turn,
        "before": turns.get(number - 1),
        "summary": summary,
        "arms": list(turn.arms),
        "weaknesses": platform.reader.weaknesses_of(name, number),
        "reasons": sorted(turn.rejected.items(), key=lambda item: -item[1]),
        "fairness": fairness_table(platform.reader.metrics(name, number)),
        "group_columns": GROUP_COLUMNS,
        "difference_columns": DIFFERENCE_COLUMNS,
        "neighbours": sorted(n for n in near if n != number),
        "classes": door.manifest(name).classes,
        "figures": {
            "funnel": [charts.funnel(turn)],
            "seconds": [charts.costs(turn)],
            **guide_figures(door, name, number),
        },
    }


def running(door: Door, row: Mapping[str, Any]) -> Facts:
    """Return what there is of an iteration that is not committed: its state, and who waits."""
    name = str(row["campaign"])
    return {
        "campaign": name,
        "row": row,
        "open": door.platform.reader.open_questions().get(name, 0),
    }


def sample(door: Door, name: str, sample: str) -> Facts:
    """Return everything on record about a sample.

    Raises:
        ConfigurationError: If the campaign has no such sample.
    """
    reader = door.platform.reader
    # What people are asked about now is shown without anything that others said of it.
    if reader.sample_place(name, sample) is None:
        raise ConfigurationError(
            f"campaign {name!r} has no sample {sample!r} on record that may be looked at; those "
            "of judge, gate and test are shown to nobody.",
            reason="unknown_sample",
            field="sample",
        )
    first = reader.sample_row(name, sample) or {}
    manifests, in_all = reader.sample_manifests(name, sample, SHOWN_VERSIONS)
    models, models_in_all = reader.sample_models(name, sample, SHOWN_VERSIONS)
    newest = sorted({int(row["model_iteration"]) for row in models})[-5:]
    return {
        "campaign": name,
        "sample": sample,
        "first": first,
        "parents": list(first.get("parents") or ()),
        "scores": sorted((first.get("scores") or {}).items()),
        "manifests": manifests,
        "more_manifests": in_all - len(manifests),
        "models": models,
        "more_models": models_in_all - len(models),
        "moved": reader.lifts(name, newest),
        "answers": reader.sample_answers(name, sample),
        "classes": door.manifest(name).classes,
    }


def weaknesses(door: Door, name: str) -> Facts:
    """Return what stands declared, the newest declarations with reasons, and the next plan."""
    return {
        "campaign": name,
        "plan": next_plan(name, door.platform),
        "proposals": door.platform.reader.proposed_plans(name),
        "classes": door.manifest(name).classes,
        "declared": door.platform.lineage.declared_weaknesses(name),
        "declarations": door.platform.reader.newest_declarations(name, SHOWN_DECLARATIONS),
    }


def recalls(door: Door, name: str) -> Facts:
    """Return the newest recalls of a campaign, newest first."""
    door.platform.lineage.campaign(name)
    found = door.platform.reader.newest_recalls(name, SHOWN_VERSIONS + 1)
    is_cut = len(found) > SHOWN_VERSIONS
    return {"campaign": name, "recalls": found[:SHOWN_VERSIONS], "is_cut": is_cut}


def version(door: Door, name: str, digest: str) -> Facts | None:
    """Return a dataset version, or None where the campaign has none of this digest."""
    reader = door.platform.reader
    line = reader.ancestors(name, digest, SHOWN_VERSIONS)
    if not line:
        return None
    return {
        "campaign": name,
        "digest": digest,
        "line": line,
        "members": reader.version_members(name, digest),
        "models": reader.models_of(name, digest),
        "manifest": _manifest(door, digest),
    }


def unknown_iteration(name: str, number: int, committed: int) -> ConfigurationError:
    """Return the error for an iteration that is not committed."""
    there = f"0 to {committed - 1}" if committed else "none yet"
    return ConfigurationError(
        f"campaign {name!r} has no committed iteration {number}; there are: {there}.",
        reason="unknown_iteration",
        field="iteration",
    )


def _manifest(door: Door, digest: str) -> DatasetManifest | None:
    try:
        return DatasetManifest.decode(door.platform.objects.get(digest))
    except MissingArtifactError:
        return None
