"""Score every arm on guide: overall, per class, per weakness, corrupted, and side by side."""

from __future__ import annotations

import logging
from dataclasses import asdict

import numpy as np

from activesynth.diagnosis.attributes import attribute_groups, slice_members
from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split, load_synthetic
from activesynth.domain.documents import DatasetManifest, Plan, Weakness, WeaknessProfile
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Metric
from activesynth.domain.records import MetricRow, StepRecord
from activesynth.domain.samples import SampleSet
from activesynth.evaluation.amplification import amplification_rows, measure_amplification
from activesynth.evaluation.comparison import compare_arms
from activesynth.evaluation.diversity import (
    cluster_entropy,
    coverage,
    entropy_share,
    quality,
    rare_class_coverage,
)
from activesynth.statistics.intervals import paired_bootstrap
from activesynth.steps.audit import audit
from activesynth.steps.embed import assign, embed_rows
from activesynth.steps.examine import predict_corrupted
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.fairness import fairness_rows
from activesynth.steps.generated import objective_rows
from activesynth.steps.screen import embedded_encoder
from activesynth.steps.turn import Turn, open_turn
from activesynth.steps.watch import watch

logger = logging.getLogger(__name__)

STEP = Step("evaluate", version=4)
TAIL_CLASSES = 3
METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll")


def evaluate(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the metric rows of all arms on guide, and their predictions."""
    turn = open_turn(iteration_id, platform)
    models = {
        arm: _model_digests(turn, number) for number, arm in enumerate(turn.config.evaluation.arms)
    }
    scores_digest = turn.step("diagnose").artifacts["scores"]
    profile_digest = turn.step("diagnose").artifacts["profile"]
    plan_digest = turn.step("plan").artifacts["plan"]
    seed = turn.seed("evaluate")
    tail = _fixed_tail(turn)

    def compute(outputs: Outputs) -> None:
        guide = load_split(platform.objects, turn.manifest, "guide")
        scores = turn.artifacts.arrays(scores_digest)
        profile = turn.artifacts.document(profile_digest, WeaknessProfile)
        probs = {arm: predict_all(turn, digests, guide.x) for arm, digests in models.items()}
        masks = _masks(profile.weaknesses, guide, scores, profile.found_on)
        rows = compare_arms(
            guide.y,
            guide.groups,
            probs,
            metrics=metrics(turn, METRICS),
            control=turn.config.evaluation.control,
            resamples=turn.config.evaluation.resamples,
            seed=seed,
            split="guide",
            weakness_rows=masks,
            tail=tail,
        )
        planned = {item.weakness for item in turn.artifacts.document(plan_digest, Plan).items}
        # Without data made for a weakness there is no benefit to measure.
        rows = [row for row in rows if row.name != "benefit" or row.slice in planned]
        named = [w for w in profile.weaknesses if w.id in planned]
        rows += _corrupted(turn, models, named, confirming(scores, profile.found_on), seed)
        rows += _diversity(turn)
        rows += objective_rows(turn, scores)
        rows += fairness_rows(turn, guide, probs, seed)
        outputs.json("metrics", [asdict(row) for row in rows])
        outputs.arrays("probs", {**probs, "ids": guide.ids})

    record = execute(
        turn,
        STEP,
        inputs={
            **{f"{arm}{r}": d for arm, ds in models.items() for r, d in enumerate(ds)},
            "scores": scores_digest,
            "profile": profile_digest,
            "plan": plan_digest,
            "integrate": turn.step("integrate").artifacts["targeted"],
        },
        settings={
            **turn.config.evaluation.model_dump(mode="json"),
            "diagnosis": turn.config.diagnosis.model_dump(mode="json"),
            "tail": tail,
        },
        compute=compute,
        seed=seed,
    )
    audit(turn)
    watch(turn)
    return record


def _fixed_tail(turn: Turn) -> list[int] | None:
    """Return the three classes that were worst for `real` at iteration 0, or None there."""
    if turn.ref.number == 0:
        return None
    recalls = sorted(
        (float(row["value"]), int(str(row["slice"]).removeprefix("class:")))
        for row in turn.platform.reader.metrics(turn.ref.campaign, 0)
        if row["arm"] == "real"
        and row["name"] == "recall"
        and row["seed"] == -1
        and str(row["slice"]).startswith("class:")
    )
    return [label for _, label in recalls[:TAIL_CLASSES]] or None


def metrics(turn: Turn, names: tuple[str, ...]) -> list[Metric]:
    """Build the named metrics, the campaign's primary one first."""
    ordered = dict.fromkeys((turn.config.evaluation.metric, *names))
    return [turn.platform.parts.create("metric", name) for name in ordered]


def predict_all(turn: Turn, digests: list[str], x: Array) -> Array:
    """Return probabilities of every replicate, ``(replicates, n, classes)``."""
    return np.stack([turn.predictor(digest).predict_proba(x) for digest in digests])


def _model_digests(turn: Turn, shard: int) -> list[str]:
    artifacts = turn.step("retrain", shard).artifacts
    return [artifacts[f"model{r}"] for r in range(turn.config.training.replicates)]


def confirming(scores: dict[str, Array], found_on: str) -> Array:
    """Return the guide rows of the half that did not search, ``(n,)`` bool."""
    is_a: Array = scores["is_a"]
    return ~is_a if found_on == "A" else is_a


def _masks(
    weaknesses: tuple[Weakness, ...], guide: SampleSet, scores: dict[str, Array], found_on: str
) -> dict[str, Array]:
    """Return the rows of each weakness on the half that did not find it."""
    other_half = confirming(scores, found_on)
    attributes = attribute_groups(guide.columns)
    masks: dict[str, Array] = {}
    for weakness in weaknesses:
        rows = rows_of(weakness, guide.y, scores, attributes)
        if rows is not None and (rows & other_half).any():
            masks[weakness.id] = rows & other_half
    return masks


def rows_of(
    weakness: Weakness, y: Array, scores: dict[str, Array], attributes: dict[str, Array]
) -> Array | None:
    """Return the guide rows of a weakness; None of a corruption, and of a slice that is gone."""
    rows: Array | None = None
    if weakness.target_kind == "class":
        rows = y == int(weakness.target_key)
    elif weakness.target_kind == "cluster":
        rows = scores["clusters"] == int(weakness.target_key)
    elif weakness.target_kind == "uncertain":
        rows = scores["is_uncertain"]
    elif weakness.target_kind == "slice":
        rows = slice_members(weakness.target_key, y, attributes)
    return rows


def _corrupted(
    turn: Turn,
    models: dict[str, list[str]],
    weaknesses: list[Weakness],
    other_half: Array,
    seed: int,
) -> list[MetricRow]:
    """Score every arm on corrupted guide rows, and what was gained over `reweighted` there."""
    guide = load_split(turn.platform.objects, turn.manifest, "guide")
    severities = turn.config.diagnosis.severities
    probs = _predict_corrupted(turn, models, guide, weaknesses)
    rows = []
    for arm, by_name in probs.items():
        right = {
            name: (p.argmax(axis=3) == guide.y).mean(axis=(0, 2)) for name, p in by_name.items()
        }
        for name, shares in right.items():
            rows += [
                MetricRow(
                    arm,
                    "guide",
                    f"corruption:{name}@{severity:g}",
                    "accuracy",
                    float(share),
                    n=len(guide),
                )
                for severity, share in zip(severities, shares, strict=True)
            ]
        if right:
            mean = float(np.mean(list(right.values())))
            rows.append(MetricRow(arm, "guide", "corrupted", "accuracy", mean, n=len(guide)))
    accuracy: Metric = turn.platform.parts.create("metric", "accuracy")
    for weakness in weaknesses:
        if weakness.target_kind != "corruption":
            continue
        targeted, control = (
            _stacked(probs[arm][weakness.target_key], other_half)
            for arm in ("targeted", "reweighted")
        )
        gain = paired_bootstrap(
            accuracy,
            np.tile(guide.y[other_half], len(severities)),
            targeted,
            control,
            np.tile(guide.groups[other_half], len(severities)),
            resamples=turn.config.evaluation.resamples,
            seed=seed,
        )
        rows.append(
            MetricRow(
                "targeted",
                "guide",
                weakness.id,
                "benefit",
                gain.value,
                gain.low,
                gain.high,
                int(other_half.sum()),
            )
        )
    return rows


def _predict_corrupted(
    turn: Turn, models: dict[str, list[str]], rows: SampleSet, weaknesses: list[Weakness]
) -> dict[str, dict[str, Array]]:
    """Predict with every replicate of every arm, also what people declared.

    Returns:
        By arm and corruption, ``(replicates, severities, n, classes)``.
    """
    names = dict.fromkeys(turn.config.diagnosis.corruptions)
    names |= {w.target_key: None for w in weaknesses if w.target_kind == "corruption"}
    predictors = [turn.predictor(digest) for digests in models.values() for digest in digests]
    found = predict_corrupted(turn, predictors, rows, list(names))
    result: dict[str, dict[str, Array]] = {}
    start = 0
    for arm, digests in models.items():
        end = start + len(digests)
        result[arm] = {name: probs[start:end] for name, probs in found.items()}
        start = end
    return result


def _stacked(probs: Array, rows: Array) -> Array:
    """Return ``(replicates, severities * rows, classes)``: each severity is one more look."""
    chosen = probs[:, :, rows]
    stacked: Array = chosen.reshape(len(chosen), -1, chosen.shape[3])
    return stacked


def _diversity(turn: Turn) -> list[MetricRow]:
    """Score what the data itself looks like, before and after, on the frozen codebook."""
    embedded = turn.step("embed").artifacts
    centroids = turn.artifacts.arrays(embedded["codebook"])["centroids"]
    count = len(centroids)
    manifest = turn.artifacts.document(
        turn.step("integrate").artifacts["targeted"], DatasetManifest
    )
    objects = turn.platform.objects
    real = load_split(objects, manifest, "train")
    synthetic = load_synthetic(objects, manifest)
    encoder = turn.state(embedded_encoder(turn))
    groups = {"real": real.x}
    if synthetic is not None:
        groups["targeted"] = np.concatenate([real.x, synthetic.x])
    rows = []
    for arm, x in groups.items():
        clusters = assign(turn, centroids, embed_rows(turn, encoder, x, centroids.shape[1]))
        diversity = cluster_entropy(clusters, count)
        values = {
            "cluster_entropy": diversity,
            "entropy_share": entropy_share(diversity, count),
            "coverage": coverage(clusters, count),
        }
        rows += [
            MetricRow(arm, "train", "all", name, value, n=len(x)) for name, value in values.items()
        ]
    if synthetic is not None:
        rows += _amplification(turn, real, synthetic, clusters, count)
        # The judge may have had a say in the screen, so this is agreement and no proof of quality.
        judge = turn.predictor(turn.step("judge").artifacts["judge"])
        agreement = quality(judge.predict_proba(synthetic.x), synthetic.y)
        rare = rare_class_coverage(real.y, synthetic.y, turn.classes)
        rows.append(
            MetricRow(
                "targeted", "synthetic", "all", "judge_agreement", agreement, n=len(synthetic)
            )
        )
        rows.append(
            MetricRow("targeted", "synthetic", "all", "rare_class_coverage", rare, n=len(synthetic))
        )
    return rows


def _amplification(
    turn: Turn, real: SampleSet, synthetic: SampleSet, clusters: Array, count: int
) -> list[MetricRow]:
    """Warn where synthetic rows make rare clusters or classes rarer still.

    ``clusters`` are those of the real rows followed by the synthetic ones.
    """
    delta, rows = turn.config.clusters.delta, len(real)
    looks = {
        "rare_clusters": measure_amplification(clusters[:rows], clusters[rows:], count, delta),
        "rare_classes": measure_amplification(real.y, synthetic.y, turn.classes, 0.0),
    }
    found: list[MetricRow] = []
    for name, one in looks.items():
        if one is None:
            continue
        found += amplification_rows(one, name)
        if one.is_alarming:
            logger.warning(
                "bias amplification: %s %s hold %.1f %% of the real rows and %.1f %% with the "
                "synthetic rows added (loss %.3f [%.3f, %.3f]); raise `plan.explore`, or look at "
                "what `screen` rejects there.",
                name.replace("_", " "),
                list(one.groups),
                100 * one.real.value,
                100 * one.mixed.value,
                one.loss.gap,
                one.loss.low,
                one.loss.high,
            )
    return found
