"""What each page shows, as plain values for its template; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from activesynth.config.campaign import parse_campaign
from activesynth.domain.canonical import Array, decode_arrays
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest
from activesynth.errors import ActiveSynthError, ConfigurationError, MissingArtifactError
from activesynth.experiments.fairness_table import (
    DIFFERENCE_COLUMNS,
    GROUP_COLUMNS,
    fairness_table,
)
from activesynth.experiments.report import campaign_figures, summarise_campaign
from activesynth.experiments.words import plain_words
from activesynth.operations.next_plan import next_plan
from activesynth_airflow.web import charts
from activesynth_airflow.web.door import Door

Facts = dict[str, Any]
SHOWN_VERSIONS = 50


def campaigns(door: Door) -> list[Facts]:
    """Return a row per campaign: what waits for whom comes first."""
    reader = door.platform.reader
    waiting = reader.open_questions()
    rows = [{**row, "open": waiting.get(str(row["campaign"]), 0)} for row in reader.campaigns()]
    return sorted(rows, key=lambda row: (not row["open"], str(row["campaign"])))


def campaign(door: Door, name: str) -> Facts:
    """Return the numbers of a campaign over its iterations.

    Raises:
        ConfigurationError: If there is no such campaign.
    """
    platform = door.platform
    record = platform.lineage.campaign(name)
    config = parse_campaign(record.config, "recorded config")
    summary = summarise_campaign(platform, config)
    weaknesses = platform.reader.weaknesses(name)
    return {
        "campaign": name,
        "record": record,
        "summary": summary,
        "words": plain_words(summary),
        "weaknesses": charts.weakness_table(weaknesses),
        "open": platform.reader.open_questions().get(name, 0),
        "versions": platform.reader.versions(name)[:SHOWN_VERSIONS],
        "figures": {
            **campaign_figures(summary),
            "efficiency": charts.efficiency(summary),
        },
    }


def iteration(door: Door, name: str, number: int) -> Facts:
    """Return one committed iteration beside the one before it.

    Raises:
        ConfigurationError: If there is no such campaign, or no such committed iteration.
    """
    platform = door.platform
    config = parse_campaign(platform.lineage.campaign(name).config, "recorded config")
    summary = summarise_campaign(platform, config)
    turns = {turn.number: turn for turn in summary.iterations}
    if number not in turns:
        raise unknown_iteration(name, number, list(turns))
    turn = turns[number]
    rows = next(r for r in platform.reader.iterations(name) if int(r["iteration"]) == number)
    fairness = fairness_table(platform.reader.metrics(name, number))
    predictions = _predictions(door, name, number)
    return {
        "campaign": name,
        "row": rows,
        "turn": turn,
        "before": turns.get(number - 1),
        "summary": summary,
        "arms": list(turn.arms),
        "weaknesses": [
            row for row in platform.reader.weaknesses(name) if int(row["iteration"]) == number
        ],
        "reasons": sorted(turn.rejected.items(), key=lambda item: -item[1]),
        "fairness": fairness,
        "group_columns": GROUP_COLUMNS,
        "difference_columns": DIFFERENCE_COLUMNS,
        "neighbours": sorted(n for n in turns if abs(n - number) == 1),
        "classes": door.manifest(name).classes,
        "figures": {
            "funnel": [charts.funnel(turn)],
            "seconds": [charts.costs(turn)],
            **(predictions.figures() if predictions else {}),
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
    rows = [row for row in reader.sample(sample) if row["campaign"] == name]
    answers = reader.sample_answers(name, sample)
    # What people are asked about now is shown without anything that others said of it.
    if reader.sample_place(name, sample) is None:
        raise ConfigurationError(
            f"campaign {name!r} has no sample {sample!r} on record that may be looked at; those "
            "of judge, gate and test are shown to nobody.",
            reason="unknown_sample",
            field="sample",
        )
    first = rows[0] if rows else {}
    models = _distinct((str(r["model"]), r) for r in rows if r["model"] is not None)
    manifests = _distinct((str(r["manifest"]), r) for r in rows if r["manifest"] is not None)
    return {
        "campaign": name,
        "sample": sample,
        "first": first,
        "parents": list(first.get("parents") or ()),
        "scores": sorted((first.get("scores") or {}).items()),
        "manifests": manifests,
        "models": models,
        "moved": _moved(door, name, models),
        "answers": answers,
        "classes": door.manifest(name).classes,
    }


def weaknesses(door: Door, name: str) -> Facts:
    """Return what stands declared, every declaration with its reason, and the next plan."""
    return {
        "campaign": name,
        "plan": next_plan(name, door.platform),
        "proposals": door.platform.reader.proposed_plans(name),
        "classes": door.manifest(name).classes,
        "declared": door.platform.lineage.declared_weaknesses(name),
        "declarations": door.platform.reader.declarations(name),
    }


def recalls(door: Door, name: str) -> Facts:
    """Return the recalls of a campaign, newest first."""
    door.platform.lineage.campaign(name)
    found = door.platform.reader.recalls(name)
    return {"campaign": name, "recalls": list(reversed(found))}


def version(door: Door, name: str, digest: str) -> Facts | None:
    """Return a dataset version, or None where the campaign has none of this digest."""
    reader = door.platform.reader
    line = [row for row in reader.ancestry(digest) if row["campaign"] == name]
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


def unknown_iteration(name: str, number: int, known: Sequence[int]) -> ConfigurationError:
    """Return the error for an iteration that is not committed."""
    there = f"0 to {max(known)}" if known else "none yet"
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


def _moved(door: Door, name: str, models: Iterable[Mapping[str, Any]]) -> list[Facts]:
    """Return the headline numbers of the iterations whose models learnt from a sample."""
    numbers = sorted({int(row["model_iteration"]) for row in models})[-5:]
    found = []
    for number in numbers:
        for row in door.platform.reader.metrics(name, number):
            if row["slice"] == "all" and int(row["seed"]) < 0 and "_lift:" in str(row["name"]):
                found.append({**row, "iteration": number})
    return found


def _distinct(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Mapping[str, Any]]:
    return list({key: row for key, row in rows}.values())


def _predictions(door: Door, name: str, number: int) -> charts.Predictions | None:
    """Return what the arms predicted on guide, or None where it is not in the store any more."""
    artifacts = door.platform.reader.step_artifacts(name, number, "evaluate")
    if "probs" not in artifacts:
        return None
    try:
        arrays: Mapping[str, Array] = decode_arrays(door.platform.objects.get(artifacts["probs"]))
        guide = load_split(door.platform.objects, door.manifest(name), "guide")
    except ActiveSynthError:
        return None  # erased or collected: the page shows the rest
    order = {sample: place for place, sample in enumerate(guide.ids.tolist())}
    places = [order.get(sample, -1) for sample in arrays["ids"].tolist()]
    known = np.array([place >= 0 for place in places])
    labels = guide.y[np.array([place for place in places if place >= 0], np.int64)]
    return charts.Predictions(
        classes=door.manifest(name).classes,
        labels=labels,
        probs={arm: probs[..., known, :] for arm, probs in arrays.items() if arm != "ids"},
    )
