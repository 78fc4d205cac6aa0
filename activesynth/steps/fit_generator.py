"""Fit the campaign's generator on labelled real rows, once, before any shard is generated."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.exchange import GeneratorData
from activesynth.domain.platform import Platform
from activesynth.domain.records import StepRecord
from activesynth.domain.samples import SampleSet
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.weighting import class_balanced
from activesynth.uncertainty.region import levels
from activesynth.uncertainty.scores import predictive_entropy

STEP = Step("fit_generator")


def fit_generator(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the generator; conditions are class, cluster and out-of-fold uncertainty level."""
    turn = open_turn(iteration_id, platform)
    model = turn.step("train").artifacts["model"]
    embedded = turn.step("embed").artifacts
    part = turn.config.generator
    seed = turn.campaign_seed("generator")

    def compute(outputs: Outputs) -> None:
        rows = load_split(platform.objects, turn.manifest, "train")
        centroids = turn.artifacts.arrays(embedded["codebook"])["centroids"]
        data = GeneratorData(
            samples=rows,
            clusters=turn.artifacts.arrays(embedded["train"])["clusters"],
            levels=levels(predictive_entropy(out_of_fold(turn, model, rows)[None])),
            weight=np.sqrt(class_balanced(rows.y, turn.classes)),
            classes=turn.classes,
            cluster_count=len(centroids),
        )
        generator = platform.parts.create("generator", part.name, part.parameters)
        state = generator.fit(
            data,
            seed=seed,
            progress=lambda done, total: turn.report("fit_generator", done, total),
        )
        outputs.model(
            "generator", state, part=part.name, role="generator", parameters=part.parameters
        )

    return execute(
        turn,
        STEP,
        inputs={
            **{f"train{n}": ref.blob for n, ref in enumerate(turn.manifest.splits["train"])},
            "model": model,
            "codebook": embedded["codebook"],
        },
        settings=part.model_dump(mode="json"),
        compute=compute,
        seed=seed,
    )


def out_of_fold(turn: Turn, model: str, rows: SampleSet) -> Array:
    """Return class probabilities of ``rows`` by members that did not train on them.

    Rows that the model never trained on (added by a refresh) are predicted by all members.
    """
    card = turn.card(model)
    state = turn.state(model)
    probs: Array = turn.trainer.load(state).predict_proba(rows.x)
    manifest = turn.artifacts.document(str(card.facts["trained_on"]), DatasetManifest)
    trained = load_split(turn.platform.objects, manifest, "train").ids
    position = {sample: row for row, sample in enumerate(trained.tolist())}
    held_out = state.tensors["out_of_fold"]
    for row, sample in enumerate(rows.ids.tolist()):
        if sample in position:
            probs[row] = held_out[position[sample]]
    return probs
