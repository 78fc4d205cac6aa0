"""Gather what an iteration leaves in the database, from its artifacts."""

from __future__ import annotations

from typing import Any

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_rows, load_synthetic
from activesynth.domain.documents import DatasetManifest, Plan, WeaknessProfile
from activesynth.domain.records import (
    Bundle,
    Event,
    MemberRow,
    MetricRow,
    ModelRow,
    PlanRow,
    SampleRow,
    VersionRow,
)
from activesynth.steps.generate import ARMS
from activesynth.steps.turn import Turn

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
        samples=tuple(_samples(turn)),
        members=tuple(_members(turn, version)),
        weaknesses=profile.weaknesses,
        plan=tuple(
            PlanRow(item.weakness, item.count, item.expected_gain, item.evidence)
            for item in plan.items
        ),
        models=tuple(_models(turn)),
        metrics=tuple(metrics + _base_metrics(turn, profile) + _sampler(turn) + gate),
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
    bought = turn.step("integrate").facts["labels_bought"]
    detectable = float(turn.step("begin").facts["detectable_lift"])
    return [
        MetricRow("base", "gate", "all", "detectable_lift", detectable, n=gate),
        MetricRow("base", "train", "all", "labels_bought", float(bought), n=int(bought)),
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
    ]


def _sampler(turn: Turn) -> list[MetricRow]:
    """Keep how much the adaptive sampler favoured each weakness, for the next plan."""
    arm = turn.config.evaluation.arms.index("targeted")
    factors = turn.step("retrain", arm).facts["sampler"]
    return [
        MetricRow("targeted", "train", weakness, "sampler_factor", float(factor))
        for weakness, factor in sorted(factors.items())
    ]


def _samples(turn: Turn) -> list[SampleRow]:
    """Return every candidate with its scores and its final verdict."""
    screened = turn.step("screen").artifacts
    used = _used(turn)
    reviewed = _rejected_by_people(turn)
    rows = []
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
            rows.append(
                SampleRow(
                    id=sample,
                    origin="synthetic",
                    shard=digest,
                    row=row,
                    label=int(samples.y[row]),
                    generator=str(samples.columns["generator"][row]),
                    weakness=str(samples.columns["weakness"][row]) or None,
                    seed=int(samples.columns["seed"][row]),
                    scores=_scores(samples.columns["confidence"], verdicts, row),
                    verdict=verdict,
                    verdict_reason=why,
                    parents=(anchor or str(verdicts["nearest"][row]),),
                )
            )
    return rows


def _scores(confidence: Array, verdicts: dict[str, Array], row: int) -> dict[str, float]:
    scores = {name: float(verdicts[name][row]) for name in SCORES}
    scores["confidence"] = float(confidence[row])
    return scores


def _used(turn: Turn) -> dict[str, str]:
    """Return which candidates train which arm."""
    integrated = turn.step("integrate").artifacts
    used: dict[str, str] = {}
    for arm in ("targeted", "random"):
        manifest = turn.artifacts.document(integrated[arm], DatasetManifest)
        rows = load_synthetic(turn.platform.objects, manifest)
        if rows is not None:
            used.update(dict.fromkeys(rows.ids.tolist(), arm))
    return used


def _rejected_by_people(turn: Turn) -> set[str]:
    answers: list[dict[str, Any]] = turn.artifacts.json(turn.step("annotate").artifacts["answers"])
    return {answer["sample"] for answer in answers if answer["action"] == "reject"}


def _members(turn: Turn, version: str | None) -> list[MemberRow]:
    """List what the version holds, and what the arms trained on beyond the shared real rows."""
    integrated = turn.step("integrate").artifacts
    rows: dict[tuple[str, str], MemberRow] = {}
    for manifest_digest in {integrated["targeted"], integrated["random"], version} - {None}:
        manifest = turn.artifacts.document(str(manifest_digest), DatasetManifest)
        objects = turn.platform.objects
        synthetic = load_synthetic(objects, manifest)
        if synthetic is not None:
            for sample, weight in zip(
                synthetic.ids.tolist(), synthetic.columns["weight"].tolist(), strict=True
            ):
                rows[str(manifest_digest), sample] = MemberRow(
                    str(manifest_digest), sample, "synthetic", float(weight)
                )
        if manifest_digest == version:
            train = load_rows(objects, manifest.splits["train"])
            for sample in train.ids.tolist():
                rows[str(version), sample] = MemberRow(str(version), sample, "train", 1.0)
    return [rows[key] for key in sorted(rows)]


def _models(turn: Turn) -> list[ModelRow]:
    integrated = turn.step("integrate").artifacts
    trained = turn.step("train")
    rows = [
        ModelRow(turn.step("judge").artifacts["judge"], "judge", "", 0, None),
        ModelRow(trained.artifacts["model"], "base", "base", 0, turn.record.parent),
    ]
    for shard, arm in enumerate(turn.config.evaluation.arms):
        artifacts = turn.step("retrain", shard).artifacts
        rows += [
            ModelRow(artifacts[f"model{r}"], "arm", arm, r, integrated[arm])
            for r in range(turn.config.training.replicates)
        ]
    return rows
