"""Train every arm on the same budget, side by side, under the same seeds."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split, load_synthetic
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.exchange import ArmContext, State, TrainingSet
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Arm, Predictor
from activesynth.domain.records import StepRecord
from activesynth.domain.samples import SampleSet
from activesynth.steps.embed import assign, embed_rows
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.fit_generator import out_of_fold
from activesynth.steps.integrate import KEPT
from activesynth.steps.screen import embedded_encoder
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.weighting import struggle_weights

STEP = Step("retrain", version=2)
SAMPLER_BOUND = 2.0


def arms(iteration_id: str, platform: Platform) -> list[str]:
    """Return the arms that :func:`retrain` is mapped over."""
    return list(open_turn(iteration_id, platform).config.evaluation.arms)


def retrain(iteration_id: str, arm: str, platform: Platform) -> StepRecord:
    """Train one arm's replicates; replicate r has the same seed in every arm."""
    turn = open_turn(iteration_id, platform)
    manifests = turn.step("integrate").artifacts
    model = turn.step("train").artifacts["model"]
    encoder = embedded_encoder(turn)
    part = turn.config.trainer
    replicates = turn.config.training.replicates
    seed = turn.seed("retrain")

    def compute(outputs: Outputs) -> None:
        base = turn.predictor(model)
        context = _context(turn, arm, base, model)
        part_of_arm: Arm = turn.platform.parts.create("arm", arm)
        rows = part_of_arm.build(context)
        data = TrainingSet(rows.samples, rows.weight, rows.is_synthetic, None, turn.classes)
        start = turn.state(encoder)
        prior = np.zeros((len(data.samples), turn.classes))
        real = ~data.is_synthetic
        prior[real] = base.predict_proba(data.samples.x[real])
        data = TrainingSet(data.samples, data.weight, data.is_synthetic, prior, data.classes)
        for replicate in range(replicates):
            state = turn.trainer.fit(
                data,
                start,
                seed=turn.seed("retrain", replicate),
                progress=lambda done, total, r=replicate: turn.report(  # type: ignore[misc]
                    f"retrain {arm}", r * total + done, replicates * total
                ),
            )
            facts = {**state.facts, "trained_on": manifests[arm], "arm": arm}
            outputs.model(
                f"model{replicate}",
                State(state.tensors, facts),
                part=part.name,
                role="arm",
                parameters=part.parameters,
            )
        outputs.facts["real_rows"] = int(real.sum())
        outputs.facts["synthetic_rows"] = int((~real).sum())
        share = float(data.weight[~real].sum() / data.weight.sum())
        outputs.facts["synthetic_share"] = share
        outputs.facts["sampler"] = _sampler_by_weakness(context)
        outputs.facts.update(rows.facts)

    return execute(
        turn,
        STEP,
        inputs={
            "manifest": manifests[arm],
            "targeted": manifests["targeted"],
            "encoder": encoder,
            "model": model,
        },
        settings={
            **part.model_dump(mode="json"),
            # The quality of rows is in the manifests' weights already.
            **turn.config.training.model_dump(mode="json", exclude={"quality"}),
            "arm": arm,
            **_looked_up(turn, arm),
        },
        compute=compute,
        shard=turn.config.evaluation.arms.index(arm),
        seed=seed,
    )


def _looked_up(turn: Turn, arm: str) -> dict[str, list[str]]:
    """Return what an arm reads of the campaign beside data and training."""
    return {"corruptions": list(turn.config.diagnosis.corruptions)} if arm == "corrupted" else {}


def _context(turn: Turn, arm: str, base: Predictor, model: str) -> ArmContext:
    """Gather what an arm may look at; but for its own branch it is the same for all of them."""
    digests = turn.step("integrate").artifacts
    targeted = turn.artifacts.document(digests["targeted"], DatasetManifest)
    control = turn.artifacts.document(digests["random"], DatasetManifest)
    branch = turn.artifacts.document(digests[arm], DatasetManifest)
    objects = turn.platform.objects
    real = load_split(objects, targeted, "train")
    synthetic = load_synthetic(objects, targeted)
    real_clusters = _clusters(turn, real)
    clusters = None if synthetic is None else _clusters(turn, synthetic)
    errors = _errors(out_of_fold(turn, model, real), real)
    labels, everywhere = real.y, real_clusters
    if synthetic is not None and clusters is not None:
        # The base model has not trained on this iteration's rows; on older ones of its own branch
        # it errs less, so they are drawn less.
        errors = np.concatenate([errors, _errors(base.predict_proba(synthetic.x), synthetic)])
        labels = np.concatenate([labels, synthetic.y])
        everywhere = np.concatenate([everywhere, clusters])
    return ArmContext(
        real=real,
        targeted=synthetic,
        untargeted=load_synthetic(objects, control),
        real_clusters=real_clusters,
        targeted_clusters=clusters,
        classes=turn.classes,
        real_share=turn.config.training.real_share,
        struggle=struggle_weights(
            errors, labels, everywhere, classes=turn.classes, bound=SAMPLER_BOUND
        ),
        own=load_synthetic(objects, branch) if arm in KEPT else None,
        seed=turn.seed("arms"),
        corruptions=turn.config.diagnosis.corruptions,
    )


def _errors(probs: Array, rows: SampleSet) -> Array:
    """Return one minus the probability of the label, ``(n,)``."""
    errors: Array = 1.0 - probs[np.arange(len(rows)), rows.y]
    return errors


def _sampler_by_weakness(context: ArmContext) -> dict[str, float]:
    """Return the sampler's mean factor on each weakness's rows: what the next plan listens to."""
    if context.targeted is None or context.struggle is None:
        return {}
    names = context.targeted.columns["weakness"]
    factors = context.struggle[len(context.real) :]
    return {str(name): float(factors[names == name].mean()) for name in np.unique(names).tolist()}


def _clusters(turn: Turn, rows: SampleSet) -> Array:
    codebook = turn.step("embed").artifacts["codebook"]
    centroids = turn.artifacts.arrays(codebook)["centroids"]
    vectors = embed_rows(turn, turn.state(embedded_encoder(turn)), rows.x, centroids.shape[1])
    return assign(turn, centroids, vectors)
