"""Train what an iteration starts from: encoder, reference model and base ensemble."""

from __future__ import annotations

import numpy as np

from activesynth.domain.dataset_access import load_split, load_synthetic
from activesynth.domain.exchange import ArmContext, State, TrainingSet
from activesynth.domain.platform import Platform
from activesynth.domain.records import StepRecord
from activesynth.domain.samples import concatenate
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.weighting import class_balanced

ENCODER = Step("encoder")
JUDGE = Step("judge")
BASE = Step("train", version=2)


def train(iteration_id: str, platform: Platform) -> StepRecord:
    """Provide the base model: the head's promoted one, or a new one where there is none."""
    turn = open_turn(iteration_id, platform)
    encoder = _encoder(turn)
    _judge(turn)
    return _base(turn, encoder)


def _encoder(turn: Turn) -> str:
    """Learn the embedding without labels, once per campaign: on the root's train and pool."""
    root = turn.root()
    part = turn.config.trainer

    def compute(outputs: Outputs) -> None:
        manifest, objects = turn.root_manifest(), turn.platform.objects
        rows = concatenate(
            [load_split(objects, manifest, "train"), load_split(objects, manifest, "pool")]
        )
        state = turn.trainer.pretrain(
            rows.x,
            seed=turn.campaign_seed("encoder"),
            progress=lambda done, total: turn.report("encoder", done, total),
        )
        outputs.model("encoder", state, part=part.name, role="encoder", parameters=part.parameters)

    record = execute(
        turn,
        ENCODER,
        inputs={"root": root},
        settings=part.model_dump(mode="json"),
        compute=compute,
        seed=turn.campaign_seed("encoder"),
    )
    return record.artifacts["encoder"]


def _judge(turn: Turn) -> None:
    """Train the reference model on `judge` alone, so that it shares no row with the loop."""
    part = turn.config.trainer
    refs = turn.manifest.splits["judge"]

    def compute(outputs: Outputs) -> None:
        rows = load_split(turn.platform.objects, turn.manifest, "judge")
        data = TrainingSet(
            rows,
            class_balanced(rows.y, turn.classes),
            np.zeros(len(rows), dtype=bool),
            None,
            turn.classes,
        )
        state = turn.trainer.fit(
            data,
            None,
            seed=turn.campaign_seed("judge"),
            progress=lambda done, total: turn.report("judge", done, total),
        )
        outputs.model("judge", state, part=part.name, role="judge", parameters=part.parameters)

    execute(
        turn,
        JUDGE,
        inputs={f"judge{n}": ref.blob for n, ref in enumerate(refs)},
        settings={**part.model_dump(mode="json"), "classes": list(turn.manifest.classes)},
        compute=compute,
        seed=turn.campaign_seed("judge"),
    )


def _base(turn: Turn, encoder: str) -> StepRecord:
    """Take the head's model, or train one on the head version as the `targeted` arm would."""
    parent, head = turn.record.parent, turn.record.parent_model
    part = turn.config.trainer

    def compute(outputs: Outputs) -> None:
        outputs.link("encoder", encoder)
        if head is not None:
            outputs.link("model", head)
            outputs.facts["is_inherited"] = True
            return
        outputs.facts["is_inherited"] = False
        objects = turn.platform.objects
        real = load_split(objects, turn.manifest, "train")
        synthetic = load_synthetic(objects, turn.manifest)
        zeros = np.zeros(len(real), dtype=np.int64)
        arm = turn.platform.parts.create("arm", "targeted")
        rows = arm.build(
            ArmContext(
                real, synthetic, None, zeros, None, turn.classes, turn.config.training.real_share
            )
        )
        data = TrainingSet(rows.samples, rows.weight, rows.is_synthetic, None, turn.classes)
        state = turn.trainer.fit(
            data,
            turn.state(encoder),
            seed=turn.seed("train"),
            progress=lambda done, total: turn.report("train", done, total),
        )
        facts = {**state.facts, "trained_on": parent}
        outputs.model(
            "model",
            State(state.tensors, facts),
            part=part.name,
            role="base",
            parameters=part.parameters,
        )

    return execute(
        turn,
        BASE,
        inputs={"parent": parent, "encoder": encoder, **({"head": head} if head else {})},
        settings={
            **part.model_dump(mode="json"),
            "real_share": turn.config.training.real_share,
        },
        compute=compute,
        seed=turn.seed("train"),
    )
