"""Watch over an iteration: collapse, amplified bias, overfitting, leaks and reads of test."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array, canonical_json, sha256
from activesynth.domain.dataset_access import load_split, load_synthetic
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.records import MetricRow
from activesynth.evaluation.coverage import manifold_scores
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.overfitting import Overfitting, measure_overfitting, row_losses
from activesynth.evaluation.sentinels import Alarm, alarm_rows, watch_count, watch_fall, watch_share
from activesynth.evaluation.tails import tail_mass
from activesynth.statistics.intervals import Interval, wilson
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.feature_audit import featured, featured_guide
from activesynth.steps.screen import embedded_encoder
from activesynth.steps.turn import Turn

logger = logging.getLogger(__name__)

STEP = Step("watch")
FALLING = ("tail_mass", "generator_precision", "verifier_accuracy")
MEASURED = "sentinels"
"""Stands where a split would: these numbers are about the data as a whole."""


def watch(turn: Turn) -> None:
    """Write what the sentinels measured and which alarms are raised; needs `evaluate`'s result."""
    evaluated, integrated = turn.step("evaluate"), turn.step("integrate")
    settings, seed = turn.config.sentinels, turn.campaign_seed("sentinels")
    space, leaks = _space(turn), dict(integrated.facts["split_leaks"])
    added = sum(integrated.facts["synthetic"][branch] for branch in ("targeted", "untargeted"))
    first = _first(turn, space)
    reads = sum(
        read.count
        for read in turn.platform.lineage.split_reads(turn.ref.campaign)
        if read.split == "test"
    )
    models = {arm: _models(turn, arm) for arm in ("real", "targeted")}

    def compute(outputs: Outputs) -> None:
        now = _measure(turn, seed)
        overfitting = _overfitting(turn, models)
        metrics: list[dict[str, Any]] = turn.artifacts.json(evaluated.artifacts["metrics"])

        def blocks(name: str) -> bool:
            return name in settings.blocking

        alarms = [
            watch_fall(name, first.get(what), now.get(what), limit=limit, blocks=blocks(name))
            for name, what, limit in (
                ("tail_mass", "tail_mass", settings.tail_fall),
                ("generator_drift", "generator_precision", settings.generator_fall),
                ("verifier_drift", "verifier_accuracy", settings.verifier_fall),
            )
        ]
        alarms += [
            _bias(metrics, blocks("bias_amplification")),
            _overfitted(overfitting, settings.overfitting, blocks("synthetic_overfitting")),
            # Split as they are, real rows of two splits are never near; synthetic rows can be.
            watch_count("split_leaks", leaks["train"], limit=0, blocks=blocks("split_leaks")),
            watch_share(
                "guarded_copies",
                wilson(leaks["targeted"] + leaks["untargeted"], added),
                limit=settings.guarded_copies,
                blocks=blocks("guarded_copies"),
            ),
            watch_count(
                "test_reads", reads, limit=settings.test_reads, blocks=blocks("test_reads")
            ),
        ]
        for alarm in alarms:
            if alarm.is_raised:
                logger.warning("alarm in iteration %s: %s", turn.ref, alarm)
        rows = [_row(name, space, one) for name, one in now.items()]
        rows += _overfitting_rows(overfitting)
        rows += [row for alarm in alarms for row in alarm_rows(alarm)]
        outputs.json("metrics", [asdict(row) for row in rows])
        outputs.json("alarms", [asdict(alarm) for alarm in alarms])
        outputs.facts["raised"] = [alarm.name for alarm in alarms if alarm.is_raised]

    execute(
        turn,
        STEP,
        inputs={
            **{f"{arm}{r}": d for arm, ds in models.items() for r, d in enumerate(ds)},
            "metrics": evaluated.artifacts["metrics"],
            "probs": evaluated.artifacts["probs"],
            "candidates": turn.step("screen").artifacts["untargeted.samples"],
            "random": integrated.artifacts["random"],
            "judge": turn.step("judge").artifacts["judge"],
            "guide": turn.step("embed").artifacts["guide"],
            "encoder": embedded_encoder(turn),
        },
        settings={
            **settings.model_dump(mode="json"),
            "rows": turn.config.audits.rows,
            "first": {name: asdict(one) for name, one in first.items()},
            "space": space,
            "leaks": leaks,
            "added": added,
            "reads": reads,
        },
        compute=compute,
        seed=seed,
    )


def alarms_of(turn: Turn) -> list[Alarm]:
    """Return what the sentinels of this iteration found."""
    found: list[dict[str, Any]] = turn.artifacts.json(turn.step(STEP.name).artifacts["alarms"])
    return [
        Alarm(**{**one, "measured": Interval(**one["measured"]) if one["measured"] else None})
        for one in found
    ]


def watched_rows(turn: Turn) -> list[MetricRow]:
    """Return the sentinels' numbers and alarms as rows of metrics."""
    found = turn.artifacts.json(turn.step(STEP.name).artifacts["metrics"])
    return [MetricRow(**row) for row in found]


def _space(turn: Turn) -> str:
    """Name what the falling numbers are measured with: after a change they do not compare."""
    guide = [ref.blob for ref in turn.manifest.splits["guide"]]
    return f"space:{sha256(canonical_json([embedded_encoder(turn), *guide]))[:12]}"


def _first(turn: Turn, space: str) -> dict[str, Interval]:
    """Return the falling numbers of the first committed iteration that measured them."""
    first: dict[str, Interval] = {}
    rows = turn.platform.reader.metrics(turn.ref.campaign)
    for row in sorted(rows, key=lambda row: int(row["iteration"])):
        if row["split"] != MEASURED or row["slice"] != space or row["name"] not in FALLING:
            continue
        if int(row["iteration"]) < turn.ref.number:
            value, low, high = (float(row[part]) for part in ("value", "low", "high"))
            first.setdefault(str(row["name"]), Interval(value, low, high, int(row["n"])))
    return first


def _measure(turn: Turn, seed: int) -> dict[str, Interval]:
    """Score the generator by its untargeted candidates, before the screen, and the verifier."""
    found: dict[str, Interval] = {}
    guide = load_split(turn.platform.objects, turn.manifest, "guide")
    judge = turn.predictor(turn.step("judge").artifacts["judge"])
    right = judge.predict_proba(guide.x).argmax(axis=1) == guide.y
    found["verifier_accuracy"] = wilson(int(right.sum()), len(right))
    candidates = turn.artifacts.samples(turn.step("screen").artifacts["untargeted.samples"])
    if not len(candidates):
        return found
    limit = turn.config.audits.rows
    made = featured(turn, candidates).some(limit, seed)
    real = featured_guide(turn)
    tail = tail_mass(real.vectors, real.y, made.vectors, made.y)
    if not isinstance(tail, NotEstimable):
        found["tail_mass"] = tail
    manifold = manifold_scores(real.some(limit, seed).vectors, made.vectors)
    if not isinstance(manifold, NotEstimable):
        precise = round(manifold.precision * len(made))
        found["generator_precision"] = wilson(precise, len(made))
    return found


def _overfitting(turn: Turn, models: dict[str, list[str]]) -> Overfitting | NotEstimable:
    """Compare the losses of `real` and `targeted` on guide and on rows of the control's branch."""
    objects = turn.platform.objects
    guide = load_split(objects, turn.manifest, "guide")
    probs = turn.artifacts.arrays(turn.step("evaluate").artifacts["probs"])
    branch = turn.artifacts.document(turn.step("integrate").artifacts["random"], DatasetManifest)
    unseen = load_synthetic(objects, branch)
    if unseen is None:
        return NotEstimable("overfitting to synthetic rows", 0, 1)
    unseen = unseen.take(np.arange(len(unseen))[-turn.config.audits.rows :])

    def gain(y: Array, look: Callable[[str], Array]) -> Array:
        losses: Array = row_losses(y, look("real")) - row_losses(y, look("targeted"))
        return losses

    def predicted(arm: str) -> Array:
        return np.stack([turn.predictor(d).predict_proba(unseen.x) for d in models[arm]])

    return measure_overfitting(
        gain(guide.y, lambda arm: probs[arm]),
        guide.groups,
        gain(unseen.y, predicted),
        unseen.groups,
    )


def _bias(metrics: list[dict[str, Any]], blocks: bool) -> Alarm:
    """Take over what `evaluate` found about rare classes and clusters, the worse of the two."""
    losses = {
        row["slice"]: Interval(row["value"], row["low"], row["high"], row["n"])
        for row in metrics
        if row["name"] == "bias_amplification"
    }
    raised = {row["slice"] for row in metrics if row["name"] == "bias_alarm" and row["value"] > 0}
    name = "bias_amplification"
    if not losses:
        return Alarm(name, None, 0.0, is_raised=False, blocks=blocks)
    worst = max(losses, key=lambda part: (part in raised, losses[part].value))
    return Alarm(name, losses[worst], 0.0, bool(raised), blocks)


def _overfitted(found: Overfitting | NotEstimable, limit: float, blocks: bool) -> Alarm:
    name = "synthetic_overfitting"
    if isinstance(found, NotEstimable):
        return Alarm(name, None, limit, is_raised=False, blocks=blocks)
    return Alarm(name, found.gap, limit, found.exceeds(limit), blocks)


def _overfitting_rows(found: Overfitting | NotEstimable) -> list[MetricRow]:
    if isinstance(found, NotEstimable):
        return []
    return [
        _row("loss_gain_on_real", "all", found.real),
        _row("loss_gain_on_synthetic", "all", found.synthetic),
    ]


def _row(name: str, part: str, found: Interval) -> MetricRow:
    return MetricRow("base", MEASURED, part, name, found.value, found.low, found.high, found.n)


def _models(turn: Turn, arm: str) -> list[str]:
    artifacts = turn.step("retrain", turn.config.evaluation.arms.index(arm)).artifacts
    return [artifacts[f"model{r}"] for r in range(turn.config.training.replicates)]
