"""Gather what an iteration leaves in the database, from its artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_synthetic
from activesynth.domain.dataset_rows import member_rows, real_rows, synthetic_members
from activesynth.domain.documents import DatasetManifest, Plan, SweepPoint, WeaknessProfile
from activesynth.domain.records import (
    Bundle,
    Event,
    MemberRow,
    MetricRow,
    ModelRow,
    PlanRow,
    SampleRow,
    Streamed,
    VersionRow,
)
from activesynth.steps.audit import audited_rows
from activesynth.steps.corrections import REASON
from activesynth.steps.costs import measured_costs
from activesynth.steps.generate import ARMS
from activesynth.steps.integrate import KEPT
from activesynth.steps.turn import Turn
from activesynth.steps.watch import watched_rows

SCORES = (
    "entropy",
    "mutual_information",
    "variance",
    "distance",
    "label_probability",
)


def build_bundle(turn: Turn, version: str | None, promoted: bool, gate: list[MetricRow]) -> Bundle:
    """Return all rows of the iteration; ``version`` is the manifest to commit, if any."""
    profile = turn.artifacts.document(turn.step("diagnose").artifacts["profile"], WeaknessProfile)
    plan = turn.artifacts.document(turn.step("plan").artifacts["plan"], Plan)
    measured = turn.artifacts.json(turn.step("evaluate").artifacts["metrics"])
    metrics = [MetricRow(**row) for row in measured]
    return Bundle(
        version=_version(turn, version, promoted),
        samples=Streamed(lambda: chain(_bought(turn), _samples(turn))),
        members=Streamed(lambda: _members(turn, version)),
        weaknesses=profile.weaknesses,
        plan=tuple(
            PlanRow(item.weakness, item.count, item.expected_gain, item.evidence)
            for item in plan.items
        ),
        models=tuple(_models(turn)),
        metrics=(
            *metrics,
            *audited_rows(turn),
            *watched_rows(turn),
            *_base_metrics(turn, profile),
            *_sampler(turn),
            *measured_costs(turn, plan, profile),
            *gate,
        ),
        events=(
            Event(
                key=f"{turn.ref.campaign}:{turn.ref.number}:committed",
                kind="iteration.committed",
                payload={
                    "campaign": turn.ref.campaign,
                    "iteration": turn.ref.number,
                    "version": version,
                    "promoted": promoted,
                },
            ),
        ),
    )


def _version(turn: Turn, digest: str | None, promoted: bool) -> VersionRow | None:
    if digest is None:
        return None
    manifest = turn.artifacts.document(digest, DatasetManifest)
    rows = {split: sum(r.rows for r in refs) for split, refs in manifest.splits.items()}
    rows["synthetic"] = sum(ref.rows for ref in manifest.synthetic)
    return VersionRow(digest, turn.record.parent, "promoted" if promoted else "labels_only", rows)


def _base_metrics(turn: Turn, profile: WeaknessProfile) -> list[MetricRow]:
    guide = sum(ref.rows for ref in turn.manifest.splits["guide"])
    gate = sum(ref.rows for ref in turn.manifest.splits["gate"])
    integrated = turn.step("integrate").facts
    bought = integrated["labels_bought"]
    corrected = integrated["labels_corrected"] + integrated["rows_taken_out"]
    detectable = float(turn.step("begin").facts["detectable_lift"])
    judged = ("gate", gate) if gate else ("guide", guide)
    return [
        MetricRow("base", judged[0], "all", "detectable_lift", detectable, n=judged[1]),
        MetricRow("base", "train", "all", "labels_bought", float(bought), n=int(bought)),
        MetricRow("base", "train", "all", "labels_corrected", float(corrected), n=int(corrected)),
        *(
            MetricRow(arm, split, "all", "split_leaks", float(integrated["split_leaks"][place]))
            for arm, split, place in (
                ("base", "train", "train"),
                ("targeted", "synthetic", "targeted"),
                ("random", "synthetic", "untargeted"),
            )
        ),
        *(
            MetricRow(arm, "synthetic", "all", "synthetic_rows", float(count), n=int(count))
            for arm, count in (
                ("targeted", integrated["synthetic"]["targeted"]),
                ("random", integrated["synthetic"]["untargeted"]),
            )
        ),
        *_retrieved(turn),
        MetricRow("base", "guide", "all", "tau", profile.tau, n=guide),
        MetricRow(
            "base",
            "guide",
            "all",
            "uncertain_share",
            profile.uncertain_share,
            profile.uncertain_low,
            profile.uncertain_high,
            guide,
        ),
        *(row for point in profile.sweep for row in _swept(point, guide)),
    ]


def _swept(point: SweepPoint, guide: int) -> list[MetricRow]:
    """Keep the uncertain region at one threshold of the sweep."""
    part, outside = f"tau:{point.tau:.4g}", guide - point.n_inside
    sides = {
        "swept_share": (point.share, point.low, point.high, guide),
        "swept_error_inside": (
            point.error_inside,
            point.error_inside_low,
            point.error_inside_high,
            point.n_inside,
        ),
        "swept_error_outside": (
            point.error_outside,
            point.error_outside_low,
            point.error_outside_high,
            outside,
        ),
    }
    return [
        MetricRow("base", "guide", part, name, value, low, high, n)
        for name, (value, low, high, n) in sides.items()
    ]


def _retrieved(turn: Turn) -> list[MetricRow]:
    """Keep how many pool rows were asked about for each weakness, and how far away they lay."""
    found = turn.artifacts.arrays(turn.step("plan").artifacts["retrieved"])
    rows = []
    for weakness in np.unique(found["weakness"]).tolist():
        distances = found["distance"][found["weakness"] == weakness]
        n = len(distances)
        far = float(distances.mean())
        rows += [
            MetricRow("base", "pool", str(weakness), "retrieved", float(n), n=n),
            MetricRow("base", "pool", str(weakness), "retrieved_distance", far, n=n),
        ]
    return rows


def _sampler(turn: Turn) -> list[MetricRow]:
    """Keep how much the adaptive sampler favoured each weakness, for the next plan."""
    arm = turn.config.evaluation.arms.index("targeted")
    factors = turn.step("retrain", arm).facts["sampler"]
    return [
        MetricRow("targeted", "train", weakness, "sampler_factor", float(factor))
        for weakness, factor in sorted(factors.items())
    ]


def _samples(turn: Turn) -> Iterator[SampleRow]:
    """Yield every candidate with its scores and its final verdict."""
    screened = turn.step("screen").artifacts
    used = _used(turn)
    labels = _trained_labels(turn)
    reviewed = _rejected_by_people(turn)
    for arm in ARMS:
        digest = screened[f"{arm}.samples"]
        samples = turn.artifacts.samples(digest)
        verdicts = turn.artifacts.arrays(screened[f"{arm}.verdicts"])
        for row in range(len(samples)):
            sample = str(samples.ids[row])
            reason = str(verdicts["reason"][row])
            if sample in used:
                verdict, why = "accepted", f"trains the {used[sample]} arm"
            elif sample in reviewed:
                verdict, why = "rejected", "annotator"
            elif reason:
                verdict, why = "rejected", reason
            else:
                verdict, why = "rejected", "not_selected"
            anchor = str(samples.columns["anchor"][row])
            yield SampleRow(
                id=sample,
                origin="synthetic",
                shard=digest,
                row=row,
                label=labels.get(sample, int(samples.y[row])),
                generator=str(samples.columns["generator"][row]),
                weakness=str(samples.columns["weakness"][row]) or None,
                seed=int(samples.columns["seed"][row]),
                scores=_scores(samples.columns["confidence"], verdicts, row),
                verdict=verdict,
                verdict_reason=why,
                parents=(anchor or str(verdicts["nearest"][row]),),
            )


def _bought(turn: Turn) -> Iterator[SampleRow]:
    """Yield the real rows whose label was bought or corrected, and their new place.

    A row that was taken out keeps its last place, with the verdict of who did so.
    """
    labelled = turn.artifacts.document(
        turn.step("integrate").artifacts["labels_only"], DatasetManifest
    ).splits["train"]
    fresh = [ref for ref in labelled if ref not in turn.manifest.splits["train"]]
    out = set(_rejected_by_people(turn))
    for row in real_rows(turn.platform.objects, fresh):
        out.discard(row.id)
        yield row
    before = real_rows(turn.platform.objects, turn.manifest.splits["train"]) if out else ()
    for row in before:
        if row.id in out:
            yield replace(row, verdict="rejected", verdict_reason=REASON)


def _trained_labels(turn: Turn) -> dict[str, int]:
    """Return the labels under which synthetic rows train, after people's corrections."""
    integrated = turn.step("integrate").artifacts
    labels: dict[str, int] = {}
    for arm in _branches(turn):
        manifest = turn.artifacts.document(integrated[arm], DatasetManifest)
        rows = load_synthetic(turn.platform.objects, manifest)
        if rows is not None:
            labels.update(zip(rows.ids.tolist(), rows.y.tolist(), strict=True))
    return labels


def _scores(confidence: Array, verdicts: dict[str, Array], row: int) -> dict[str, float]:
    scores = {name: float(verdicts[name][row]) for name in SCORES}
    scores["confidence"] = float(confidence[row])
    return scores


def _branches(turn: Turn) -> list[str]:
    """Return the arms that keep a synthetic branch, the standing ones first."""
    return ["targeted", "random", *(arm for arm in KEPT if arm in turn.config.evaluation.arms)]


def _used(turn: Turn) -> dict[str, str]:
    """Return which candidates train which arm."""
    integrated = turn.step("integrate").artifacts
    used: dict[str, str] = {}
    for arm in reversed(_branches(turn)):  # a row of two branches is told of the standing one
        manifest = turn.artifacts.document(integrated[arm], DatasetManifest)
        rows = load_synthetic(turn.platform.objects, manifest)
        if rows is not None:
            used.update(dict.fromkeys(rows.ids.tolist(), arm))
    return used


def _rejected_by_people(turn: Turn) -> set[str]:
    answers: list[dict[str, Any]] = turn.artifacts.json(turn.step("annotate").artifacts["answers"])
    return {answer["sample"] for answer in answers if answer["action"] == "reject"}


def _members(turn: Turn, version: str | None) -> Iterator[MemberRow]:
    """Tell what the version holds, and the synthetic rows that the arms trained on."""
    integrated = turn.step("integrate").artifacts
    branches = {integrated[arm] for arm in _branches(turn)}
    for digest in sorted(branches | {version or ""} - {""}):
        manifest = turn.artifacts.document(digest, DatasetManifest)
        told = member_rows if digest == version else synthetic_members
        yield from told(turn.platform.objects, manifest)


def _models(turn: Turn) -> list[ModelRow]:
    integrated = turn.step("integrate").artifacts
    base = turn.step("train").artifacts["model"]
    rows = [
        ModelRow(turn.step("judge").artifacts["judge"], "judge", "", 0, None),
        ModelRow(base, "base", "base", 0, str(turn.card(base).facts["trained_on"])),
    ]
    for shard, arm in enumerate(turn.config.evaluation.arms):
        artifacts = turn.step("retrain", shard).artifacts
        rows += [
            ModelRow(artifacts[f"model{r}"], "arm", arm, r, integrated[arm])
            for r in range(turn.config.training.replicates)
        ]
    return rows
