"""Score every arm on guide: overall, per class, per weakness, corrupted, and side by side."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split, load_synthetic
from activesynth.domain.documents import DatasetManifest, Plan, Weakness, WeaknessProfile
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Metric
from activesynth.domain.records import MetricRow, StepRecord
from activesynth.domain.samples import SampleSet
from activesynth.evaluation.comparison import compare_arms
from activesynth.evaluation.diversity import (
    cluster_entropy,
    coverage,
    entropy_share,
    quality,
    rare_class_coverage,
)
from activesynth.statistics.intervals import paired_bootstrap
from activesynth.steps.diagnose import predict_corrupted
from activesynth.steps.embed import assign, embed_rows
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.screen import embedded_encoder
from activesynth.steps.turn import Turn, open_turn

STEP = Step("evaluate", version=2)
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
        masks = _masks(profile.weaknesses, guide.y, scores, profile.found_on)
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
        outputs.json("metrics", [asdict(row) for row in rows])
        outputs.arrays("probs", {**probs, "ids": guide.ids})

    return execute(
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
    weaknesses: tuple[Weakness, ...], y: Array, scores: dict[str, Array], found_on: str
) -> dict[str, Array]:
    """Return the rows of each weakness on the half that did not find it."""
    other_half = confirming(scores, found_on)
    masks: dict[str, Array] = {}
    for weakness in weaknesses:
        if weakness.kind == "class":
            rows = y == int(weakness.key)
        elif weakness.kind == "cluster":
            rows = scores["clusters"] == int(weakness.key)
        elif weakness.kind == "uncertain":
            rows = scores["is_uncertain"]
        else:
            continue
        mask = rows & other_half
        if mask.any():
            masks[weakness.id] = mask
    return masks


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
    probs = _predict_corrupted(turn, models, guide)
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
        if weakness.kind != "corruption" or weakness.key not in probs["targeted"]:
            continue
        targeted, control = (
            _stacked(probs[arm][weakness.key], other_half) for arm in ("targeted", "reweighted")
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
    turn: Turn, models: dict[str, list[str]], rows: SampleSet
) -> dict[str, dict[str, Array]]:
    """Predict with every replicate: arm to name to ``(replicates, severities, n, classes)``."""
    predictors = [turn.predictor(digest) for digests in models.values() for digest in digests]
    found = predict_corrupted(turn, predictors, rows)
    result: dict[str, dict[str, Array]] = {}
    first = 0
    for arm, digests in models.items():
        mine = slice(first, first + len(digests))
        result[arm] = {name: probs[mine] for name, probs in found.items()}
        first += len(digests)
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
