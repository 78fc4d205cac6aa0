"""Fit the campaign's generator on labelled real rows, or take the artifact that it names."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import SPLITS, DatasetManifest
from activesynth.domain.exchange import GeneratorData
from activesynth.domain.experiments import GeneratorRecord
from activesynth.domain.platform import Platform
from activesynth.domain.records import StepRecord
from activesynth.domain.samples import SampleSet
from activesynth.errors import InputError
from activesynth.evaluation.near_duplicates import has_near_duplicate, unit_scaled
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.weighting import class_balanced
from activesynth.uncertainty.region import levels
from activesynth.uncertainty.scores import predictive_entropy

STEP = Step("fit_generator")
GROWING = ("train", "pool")


def fit_generator(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the generator; conditions are class, cluster and out-of-fold uncertainty level."""
    turn = open_turn(iteration_id, platform)
    if turn.config.generator.artifact is not None:
        return _taken(turn, platform.lineage.generator(turn.config.generator.artifact))
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
        settings=part.model_dump(mode="json", exclude={"artifact"}),
        compute=compute,
        seed=seed,
    )


def _taken(turn: Turn, record: GeneratorRecord) -> StepRecord:
    """Name the artifact as this campaign's generator, once its corpus is known to be apart."""
    card = turn.card(record.card)
    root = turn.root()

    def compute(outputs: Outputs) -> None:
        near_duplicate = float(card.facts["corpus"]["near_duplicate"])
        shared = _overlap(turn, record, near_duplicate)
        guarded = {split: n for split, n in shared.items() if split not in GROWING and n}
        if guarded:
            told = ", ".join(f"{n} of {split}" for split, n in guarded.items())
            raise InputError(
                f"`generator.artifact`: the corpus of {record.name!r} holds rows of this campaign, "
                f"or copies nearer than {near_duplicate:g}: {told}. What it makes would carry the "
                "answers into training; start a campaign of another name, which leaves them out.",
                reason="corpus_overlap",
                field="generator.artifact",
            )
        outputs.link("generator", record.card)
        outputs.link("generator.tensors", card.tensors)
        outputs.facts["overlap"] = shared
        outputs.facts["corpus"] = dict(card.facts["corpus"])

    return execute(
        turn,
        STEP,
        inputs={"generator": record.card, "corpus": record.corpus, "root": root},
        settings={"artifact": record.name},
        compute=compute,
    )


def _overlap(turn: Turn, record: GeneratorRecord, near_duplicate: float) -> dict[str, int]:
    """Count, per split, the rows that the corpus holds or comes near to.

    Of `test`, as of all splits, only the inputs are compared, so no look at it is counted.
    """
    manifest = turn.artifacts.document(record.corpus, DatasetManifest)
    corpus = load_split(turn.platform.objects, manifest, "train")
    scaled = unit_scaled(corpus.x)
    found = {}
    for done, split in enumerate(SPLITS):
        turn.report("compare with the corpus", done, len(SPLITS))
        rows = load_split(turn.platform.objects, turn.manifest, split)
        near = np.isin(rows.ids, corpus.ids)
        if len(rows) and rows.x.shape[1:] == corpus.x.shape[1:]:
            own = unit_scaled(rows.x, corpus.x)
            near |= has_near_duplicate(own, scaled, near_duplicate)
        found[split] = int(near.sum())
    return found


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
