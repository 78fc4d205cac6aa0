"""Judge every candidate on both sides: unrealistic ones go, and so do those too easy to help."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Predictor
from activesynth.domain.records import StepRecord
from activesynth.domain.samples import SampleSet, concatenate
from activesynth.steps.embed import embed_rows
from activesynth.steps.embedding_map import map_rows
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.generate import ARMS, shard_count
from activesynth.steps.generators import campaign_generator, sampled_by
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.screening import ASKED_ROWS, CENSUS_ROWS, Limits, calibrate
from activesynth.targeting.screening import screen as apply_limits
from activesynth.uncertainty.scores import (
    ensemble_variance,
    mutual_information,
    predictive_entropy,
)

STEP = Step("screen", version=3)


def screen(iteration_id: str, platform: Platform) -> StepRecord:
    """Write verdicts, reasons and scores of all candidates of both arms."""
    turn = open_turn(iteration_id, platform)
    # Not all there are: an earlier plan of this iteration may have had more shards.
    shards = [turn.step("generate", number) for number in range(shard_count(turn))]
    model = turn.step("train").artifacts["model"]
    judge = turn.step("judge").artifacts["judge"]
    seed = turn.seed("screen")

    def compute(outputs: Outputs) -> None:
        predictor, verifier = turn.predictor(model), turn.predictor(judge)
        batches = {
            arm: concatenate([turn.artifacts.samples(s.artifacts[arm]) for s in shards])
            for arm in ARMS
        }
        limits = _limits(turn, verifier, batches["untargeted"])
        outputs.facts["limits"] = {
            key: value if isinstance(value, bool) else float(value)
            for key, value in asdict(limits).items()
        }
        for arm, rows in batches.items():
            vectors = _embedded(turn, rows)
            verdicts = _verdicts(turn, rows, vectors, limits, predictor, verifier, seed)
            outputs.samples(f"{arm}.samples", rows)
            outputs.arrays(f"{arm}.verdicts", verdicts)
            if arm == "targeted":
                outputs.arrays("map", map_rows(turn, rows, vectors, verdicts))
            reasons, counts = np.unique(verdicts["reason"], return_counts=True)
            outputs.facts[arm] = {
                reason or "accepted": int(n)
                for reason, n in zip(reasons.tolist(), counts.tolist(), strict=True)
            }

    return execute(
        turn,
        STEP,
        inputs={
            **{f"{arm}{s.shard}": s.artifacts[arm] for s in shards for arm in ARMS},
            "model": model,
            "judge": judge,
            "train": turn.step("embed").artifacts["train"],
            "pool": turn.step("embed").artifacts["pool"],
            "guide": turn.step("embed").artifacts["guide"],
            "scores": turn.step("diagnose").artifacts["scores"],
        },
        settings={
            **turn.config.screening.model_dump(mode="json"),
            "passes": turn.config.uncertainty.passes,
            **sampled_by(turn),
            # Absent for as many rows as are all asked: smaller campaigns keep their keys.
            **({"asked of index": ASKED_ROWS} if _train_rows(turn) > CENSUS_ROWS else {}),
        },
        compute=compute,
        seed=seed,
    )


def _train_rows(turn: Turn) -> int:
    return sum(ref.rows for ref in turn.manifest.splits["train"])


def _limits(turn: Turn, verifier: Predictor, control: SampleSet) -> Limits:
    """Calibrate the limits on real rows, and measure whether the verifier deserves a say."""
    guide = load_split(turn.platform.objects, turn.manifest, "guide")
    embedded = turn.step("embed").artifacts
    card = turn.step("fit_generator").artifacts["generator"]
    generator, state = campaign_generator(turn, card)
    agreement = 1.0
    if len(control):
        agreement = float((verifier.predict_proba(control.x).argmax(axis=1) == control.y).mean())
    settings = turn.config.screening
    return calibrate(
        real_embeddings=turn.artifacts.arrays(embedded["train"])["vectors"],
        guide_embeddings=turn.artifacts.arrays(embedded["guide"])["vectors"],
        guide_confidence=generator.confidence(state, guide.x, guide.y),
        guide_entropy=turn.artifacts.arrays(turn.step("diagnose").artifacts["scores"])["entropy"],
        verifier_accuracy=float((verifier.predict_proba(guide.x).argmax(axis=1) == guide.y).mean()),
        generator_agreement=agreement,
        classes=turn.classes,
        realism_quantile=settings.realism_quantile,
        confidence_quantile=settings.confidence_quantile,
        min_label_probability=settings.min_label_probability,
        duplicate_quantile=settings.duplicate_quantile,
        easy_quantile=settings.easy_quantile,
        nearest=lambda rows, count: _nearest(turn, rows, count)[0],
    )


def _nearest(turn: Turn, vectors: Array, count: int) -> tuple[Array, Array]:
    """Return Euclidean distances and row numbers of the nearest train rows, ``(m, count)`` each."""
    index = turn.platform.objects.get(turn.step("embed").artifacts["index"])
    squared, rows = turn.platform.index.search(index, vectors, count)
    return np.sqrt(np.maximum(squared, 0.0)), rows


def _verdicts(
    turn: Turn,
    rows: SampleSet,
    vectors: Array,
    limits: Limits,
    predictor: Predictor,
    verifier: Predictor,
    seed: int,
) -> dict[str, Array]:
    embedded = turn.step("embed").artifacts
    train = turn.artifacts.arrays(embedded["train"])
    if not len(rows):
        return _no_verdicts()
    distances, nearest = _nearest(turn, vectors, 1)
    distance = distances[:, 0]
    passes = turn.config.uncertainty.passes
    draws = predictor.draws(rows.x, passes=passes, seed=seed)
    entropy = predictive_entropy(draws)
    label_probability = verifier.predict_proba(rows.x)[np.arange(len(rows)), rows.y]
    # A transformed real row is near its anchor on purpose and off the manifold on purpose, and has
    # its anchor's label: the limits are for invented rows. A verifier that had a say in the label
    # would throw out just the copies that nothing recognises yet.
    transformed = rows.columns["perturbation"] != ""
    safe = (limits.max_distance + limits.duplicate_distance) / 2
    accepted, reason = apply_limits(
        limits,
        distances=np.where(transformed, safe, distance),
        confidence=np.where(transformed, 1.0, rows.columns["confidence"]),
        entropy=np.where(transformed, np.inf, entropy),
        label_probability=np.where(transformed, 1.0, label_probability),
    )
    return {
        "accepted": accepted,
        "reason": reason,
        "entropy": entropy,
        "mutual_information": mutual_information(draws),
        "variance": ensemble_variance(draws, len(draws) // passes),
        "distance": distance,
        "nearest": train["ids"][nearest[:, 0]],
        "label_probability": label_probability,
        "cluster": turn.platform.index.assign(
            turn.artifacts.arrays(embedded["codebook"])["centroids"], vectors
        ),
    }


def _no_verdicts() -> dict[str, Array]:
    """Return the arrays of :func:`_verdicts` for no candidates at all."""
    scores = ("entropy", "mutual_information", "variance", "distance", "label_probability")
    return {
        **{name: np.zeros(0) for name in scores},
        "accepted": np.zeros(0, bool),
        "reason": np.zeros(0, "<U16"),
        "nearest": np.zeros(0, "<U32"),
        "cluster": np.zeros(0, np.int64),
    }


def _embedded(turn: Turn, rows: SampleSet) -> Array:
    train = turn.artifacts.arrays(turn.step("embed").artifacts["train"])
    state = turn.state(embedded_encoder(turn))
    return embed_rows(turn, state, rows.x, train["vectors"].shape[1])


def embedded_encoder(turn: Turn) -> str:
    """Return the digest of the frozen encoder's card."""
    return turn.step("train").artifacts["encoder"]
