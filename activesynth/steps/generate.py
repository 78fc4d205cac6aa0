"""Make candidates: targeted ones for the plan, untargeted ones for the control arm."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array, content_id, derive_seed
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import MAX_WEAKNESS_ID, Plan, WeaknessProfile
from activesynth.domain.exchange import GenerationRequest, State, SyntheticBatch
from activesynth.domain.platform import Platform
from activesynth.domain.ports import SampleGenerator
from activesynth.domain.records import StepRecord
from activesynth.domain.samples import SampleSet
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.generators import campaign_generator, sampled_by
from activesynth.steps.steering import Steering, pick_anchors, steer, steering_settings
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.requests import Order, candidates, expand, untargeted

STEP = Step("generate", version=4)
ARMS = ("targeted", "untargeted")
MAX_SHARDS = 256
"""Tasks that one step is mapped over at most; Airflow refuses more than 1024."""


def shards(iteration_id: str, platform: Platform) -> list[int]:
    """Return the shard numbers that :func:`generate` is mapped over, once there is a plan."""
    return list(range(shard_count(open_turn(iteration_id, platform))))


def shard_count(turn: Turn) -> int:
    """Return how many shards there are: more than asked for where those would be too long.

    A shard is what is lost when its task dies, so it holds ``plan.shard_rows`` candidates of an
    arm at most.
    """
    settings = turn.config.plan
    plan = turn.artifacts.document(turn.step("plan").artifacts["plan"], Plan)
    needed = -(-candidates(plan, settings.oversample) // settings.shard_rows)
    return min(max(settings.shards, needed), MAX_SHARDS)


def generate(iteration_id: str, shard: int, platform: Platform) -> StepRecord:
    """Write one shard of candidates; every sample has its own seed, independent of the shard."""
    turn = open_turn(iteration_id, platform)
    plan_digest = turn.step("plan").artifacts["plan"]
    profile_digest = turn.step("diagnose").artifacts["profile"]
    generator = turn.step("fit_generator").artifacts["generator"]
    seed = turn.seed("generate")
    count = shard_count(turn)
    model = turn.step("train").artifacts["model"]
    steering_depends_on = steering_settings(turn)

    def compute(outputs: Outputs) -> None:
        plan = turn.artifacts.document(plan_digest, Plan)
        profile = turn.artifacts.document(profile_digest, WeaknessProfile)
        real = load_split(platform.objects, turn.manifest, "train")
        oversample = turn.config.plan.oversample
        wanted = expand(
            plan,
            profile,
            classes=turn.classes,
            oversample=oversample,
            train_counts=np.bincount(real.y, minlength=turn.classes),
            seed=seed,
        )
        # The control gets as many candidates, spread evenly over classes.
        control = untargeted(len(wanted.labels), turn.classes)
        # Steering is part of targeting: the control arm never gets it.
        steerings = (steer(turn, model, real), Steering(real))
        parts = [
            make_rows(turn, order, arm, shard, count, generator, steering)
            for arm, order, steering in zip(ARMS, (wanted, control), steerings, strict=True)
        ]
        for arm, rows in zip(ARMS, parts, strict=True):
            outputs.samples(arm, rows)
            outputs.facts[arm] = len(rows)

    return execute(
        turn,
        STEP,
        inputs={
            "plan": plan_digest,
            "profile": profile_digest,
            "generator": generator,
            "parent": turn.record.parent,
            **({"model": model} if steering_depends_on else {}),
        },
        settings={
            "oversample": turn.config.plan.oversample,
            "shards": count,
            **sampled_by(turn),
            **steering_depends_on,
        },
        compute=compute,
        shard=shard,
        seed=seed,
    )


def make_rows(
    turn: Turn, order: Order, arm: str, shard: int, shards: int, card: str, steering: Steering
) -> SampleSet:
    """Generate every ``shards``-th row of an order, beginning with row ``shard``."""
    rows = np.arange(len(order.labels))[shard::shards]
    seeds = np.array(
        [derive_seed(turn.seed("generate", arm), row) for row in rows.tolist()], np.uint64
    )
    real = steering.real
    transforms = order.perturbations[rows] != ""
    steered = steering.rows(order)[rows]
    x = np.zeros((len(rows), *real.x.shape[1:]), real.x.dtype)
    y = np.zeros(len(rows), np.int64)
    confidence = np.zeros(len(rows))
    anchors = np.full(len(rows), "", dtype="<U32")
    # A copy of a real row shares that row's group: no member that leaves the group out may see it.
    groups = np.array([f"synthetic:{arm}:{seed}" for seed in seeds.tolist()], dtype=object)
    for kind, those in (
        ("class", ~transforms & ~steered),
        ("class", steered),
        ("corruption", transforms),
    ):
        chosen = np.flatnonzero(those)
        if not len(chosen):
            continue
        request = _request(order, rows[chosen], seeds[chosen], kind, real)
        if steered[chosen[0]]:
            request = steering.apply(request)
        batch = _run(turn, kind, card, request, shard)
        x[chosen], y[chosen], confidence[chosen] = batch.x, batch.y, batch.confidence
        if request.anchors is not None:
            anchors[chosen] = request.anchors.ids
            groups[chosen] = request.anchors.groups
    ids = np.array(
        [content_id(x[k], salt=f"{card}:{arm}:{seeds[k]}") for k in range(len(rows))], "<U32"
    )
    return SampleSet(
        ids,
        x,
        y,
        groups.astype(str) if len(groups) else np.zeros(0, "<U1"),
        {
            "weakness": order.weakness[rows].astype(f"<U{MAX_WEAKNESS_ID}"),
            "generator": np.full(len(rows), card),
            "seed": seeds,
            "confidence": confidence.astype(np.float64),
            "anchor": anchors,
            "perturbation": order.perturbations[rows].astype("<U32"),
            "severity": order.severities[rows].astype(np.float64),
        },
    )


def _request(
    order: Order, index: Array, seeds: Array, kind: str, real: SampleSet
) -> GenerationRequest:
    transformed = kind == "corruption"
    return GenerationRequest(
        labels=order.labels[index],
        clusters=order.clusters[index],
        levels=order.levels[index],
        seeds=seeds,
        anchors=pick_anchors(real, order.labels[index], seeds) if transformed else None,
        perturbations=order.perturbations[index] if transformed else None,
        severities=order.severities[index] if transformed else None,
    )


def _run(
    turn: Turn, kind: str, card: str, request: GenerationRequest, shard: int
) -> SyntheticBatch:
    part = turn.config.generator
    name = turn.modality.generator_for(kind, part.name)
    generator: SampleGenerator
    if name == part.name:
        generator, state = campaign_generator(turn, card)
    else:
        generator, state = turn.platform.parts.create("generator", name), State({})
    batch: SyntheticBatch = generator.generate(
        state,
        request,
        progress=lambda done, total: turn.report(f"generate shard {shard}", done, total),
    )
    return batch
