"""Turn answers and accepted samples into candidate manifests, one per arm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import (
    find_rows,
    load_ids,
    load_quarantine,
    load_split,
    load_synthetic,
    write_rows,
)
from activesynth.domain.dataset_rows import RETRIEVED
from activesynth.domain.documents import DatasetManifest, ShardRef
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Metric
from activesynth.domain.records import StepRecord
from activesynth.domain.samples import SampleSet, concatenate
from activesynth.evaluation.near_duplicates import has_near_duplicate, unit_scaled
from activesynth.evaluation.splits import GROWING
from activesynth.steps.chameleon import chameleon, chameleon_inputs
from activesynth.steps.corrections import Corrections, corrections
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.realism import realism, realism_inputs
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.allocation import largest_remainder
from activesynth.targeting.weighting import is_plateau, synthetic_weights

STEP = Step("integrate", version=4)
REAL_FLOOR = 0.5
KEPT = ("static", "chameleon")
"""Further arms that keep a synthetic branch of their own, beside `targeted` and `random`."""


def integrate(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the manifests: `labels_only` and one for every arm.

    All arms share the real rows, bought and corrected labels included; `targeted` and `random` add
    equally many synthetic rows to their own branch.
    """
    turn = open_turn(iteration_id, platform)
    answers_digest = turn.step("annotate").artifacts["answers"]
    selection_digest = turn.step("select").artifacts["selection"]
    retrieved_digest = turn.step("plan").artifacts["retrieved"]
    screened = turn.step("screen").artifacts
    branches = dict(turn.record.branches)
    benefit = _latest_benefit(turn)
    plateau = _is_at_plateau(turn)

    def compute(outputs: Outputs) -> None:
        answers = turn.artifacts.json(answers_digest)
        selection = turn.artifacts.json(selection_digest)
        before = turn.manifest.splits["train"]
        changed = corrections(platform.objects, before, selection["recheck"], answers)
        bought = _bought(turn, answers, turn.artifacts.arrays(retrieved_digest))
        labelled = (*changed.train(platform.objects, before), *_shards(turn, bought))
        fresh, aucs = _fresh(
            turn, screened, selection, answers, changed, benefit, plateau, labelled
        )
        if chameleon_inputs(turn):
            count = len(fresh["untargeted"])
            earlier = branches.get("chameleon")
            fresh["chameleon"] = _chameleon(
                turn, screened, earlier, count, plateau, labelled, outputs
            )
        manifests = _manifests(turn, labelled, changed, fresh, branches)
        for name, manifest in manifests.items():
            outputs.document(name, manifest)
        outputs.facts["labels_bought"] = len(bought)
        outputs.facts["labels_retrieved"] = int((bought.columns["retrieved_for"] != "").sum())
        outputs.facts["labels_corrected"] = len(changed.labels)
        outputs.facts["rows_taken_out"] = len(changed.removed)
        outputs.facts["split_leaks"] = _leaks(turn, bought, fresh)
        outputs.facts["synthetic"] = {arm: len(rows) for arm, rows in fresh.items()}
        outputs.facts["is_plateau"] = plateau
        if aucs:
            outputs.facts["discriminator_auc"] = aucs
        outputs.facts["weight_by_weakness"] = _mean_weights(fresh["targeted"])

    return execute(
        turn,
        STEP,
        inputs={
            "parent": turn.record.parent,
            "answers": answers_digest,
            "selection": selection_digest,
            "retrieved": retrieved_digest,
            **{name: screened[name] for name in sorted(screened)},
            **{f"branch.{arm}": digest for arm, digest in sorted(branches.items())},
            **realism_inputs(turn),
            **chameleon_inputs(turn),
        },
        settings={
            "arms": list(turn.config.evaluation.arms),
            "real_share": turn.config.training.real_share,
            "benefit": benefit,
            "plateau": plateau,
            "near_duplicate": turn.config.splits.near_duplicate,
            # Absent unless asked for: other campaigns keep their keys.
            **({"seed": turn.seed("realism")} if realism_inputs(turn) else {}),
            **({"chameleon": turn.seed("chameleon")} if chameleon_inputs(turn) else {}),
        },
        compute=compute,
    )


def _is_at_plateau(turn: Turn) -> bool:
    """Tell whether the primary metric of the targeted arm has stopped improving."""
    name = turn.config.evaluation.metric
    metric: Metric = turn.platform.parts.create("metric", name)
    sign = 1.0 if metric.higher_is_better else -1.0
    history = turn.platform.lineage.metric_history(turn.ref.campaign, name, "targeted")
    return is_plateau([sign * value for _, value in history])


def _latest_benefit(turn: Turn) -> dict[str, float]:
    """Return the newest measured benefit of each weakness."""
    history = turn.platform.lineage.benefit_history(turn.ref.campaign)
    return {weakness: value for _, weakness, value in history}


def _bought(turn: Turn, answers: list[dict[str, Any]], retrieved: Mapping[str, Array]) -> SampleSet:
    """Return the pool rows that were labelled, under their new labels, and why they were asked.

    The columns ``retrieved_for`` (a weakness, or an empty text) and ``retrieved_distance`` stay
    with the rows in all later versions.
    """
    objects, manifest = turn.platform.objects, turn.manifest
    labels = {
        answer["sample"]: answer["label"]
        for answer in answers
        if answer["action"] in ("accept", "relabel") and answer["label"] is not None
    }
    gone = load_quarantine(objects, manifest)
    wanted = labels.keys() - set(load_ids(objects, manifest.splits["train"]).tolist()) - gone
    rows = find_rows(objects, manifest.splits["pool"], wanted)
    place = {sample: n for n, sample in enumerate(retrieved["ids"].tolist())}
    found = [place.get(sample) for sample in rows.ids.tolist()]
    why = [
        ("", 0.0) if n is None else (str(retrieved["weakness"][n]), float(retrieved["distance"][n]))
        for n in found
    ]
    columns = {
        **rows.columns,
        "retrieved_for": np.array([weakness for weakness, _ in why], "<U64"),
        RETRIEVED: np.array([distance for _, distance in why], np.float64),
    }
    y = np.array([labels[sample] for sample in rows.ids.tolist()], np.int64)
    return SampleSet(rows.ids, rows.x, y, rows.groups, columns)


def _leaks(turn: Turn, bought: SampleSet, fresh: Mapping[str, SampleSet]) -> dict[str, int]:
    """Count the rows that this iteration adds and that resemble a guarded one, by where they go.

    What train held before was held apart from the guarded splits when it was drawn or arrived.
    """
    objects, manifest = turn.platform.objects, turn.manifest
    guarded = concatenate(
        [load_split(objects, manifest, name) for name in manifest.splits if name not in GROWING]
    )
    # Pictures have a scale of their own, and train need not be looked at.
    is_picture = guarded.x.dtype == np.uint8
    growing = guarded.x if is_picture else load_split(objects, manifest, "train").x
    reference = unit_scaled(guarded.x, growing)
    limit = turn.config.splits.near_duplicate
    return {
        place: int(has_near_duplicate(unit_scaled(rows.x, growing), reference, limit).sum())
        for place, rows in {"train": bought, **fresh}.items()
    }


def _shards(turn: Turn, rows: SampleSet) -> tuple[ShardRef, ...]:
    return write_rows(turn.platform.objects, rows) if len(rows) else ()


def _fresh(
    turn: Turn,
    screened: Mapping[str, str],
    selection: Any,
    answers: list[dict[str, Any]],
    changed: Corrections,
    benefit: Mapping[str, float],
    plateau: bool,
    labelled: tuple[ShardRef, ...],
) -> tuple[dict[str, SampleSet], dict[str, float]]:
    """Return this iteration's synthetic rows of both branches, equally many in each.

    Beside them the AUC of the discriminator by branch, where the campaign asks for one.
    """
    rejected = {a["sample"] for a in answers if a["action"] == "reject"}
    candidates = turn.artifacts.samples(screened["targeted.samples"])
    is_copy = changed.copies(candidates.columns["anchor"], candidates.groups)
    rejected.update(candidates.ids[is_copy].tolist())
    relabelled = {
        a["sample"]: a["label"]
        for a in answers
        if a["action"] == "relabel" and a["label"] is not None
    }
    targeted = [sample for sample in selection["targeted"] if sample not in rejected]
    count = min(len(targeted), len(selection["untargeted"]))
    real_count = sum(ref.rows for ref in labelled)
    result, aucs = {}, {}
    for arm, ids in (("targeted", targeted), ("untargeted", selection["untargeted"])):
        rows = turn.artifacts.samples(screened[f"{arm}.samples"])
        verdicts = turn.artifacts.arrays(screened[f"{arm}.verdicts"])
        cut = _cut(rows, ids, count) if arm == "targeted" else ids[:count]
        kept = np.flatnonzero(np.isin(rows.ids, cut)) if cut else np.zeros(0, np.int64)
        chosen = rows.take(kept)
        labels = [
            relabelled.get(sample, int(y))
            for sample, y in zip(chosen.ids.tolist(), chosen.y.tolist(), strict=True)
        ]
        quality = _quality(chosen, verdicts["label_probability"][kept])
        if realism_inputs(turn):
            looks, aucs[arm] = realism(turn, chosen)
            quality = quality * looks
        result[arm] = _weighted(
            chosen.with_labels(np.array(labels, np.int64)),
            quality,
            verdicts["nearest"][kept] if len(kept) else np.zeros(0, "<U32"),
            benefit if arm == "targeted" else {},
            plateau,
            real_count,
            turn.config.training.real_share,
        )
    return result, aucs


def _chameleon(
    turn: Turn,
    screened: Mapping[str, str],
    branch: str | None,
    count: int,
    plateau: bool,
    labelled: tuple[ShardRef, ...],
    outputs: Outputs,
) -> SampleSet:
    """Return this iteration's rows of the arm `chameleon`, as many as the others have."""
    candidates = turn.artifacts.samples(screened["untargeted.samples"])
    verdicts = turn.artifacts.arrays(screened["untargeted.verdicts"])
    earlier = None
    if branch is not None:
        manifest = turn.artifacts.document(branch, DatasetManifest)
        earlier = load_synthetic(turn.platform.objects, manifest)
    found = chameleon(turn, candidates, earlier, count)
    outputs.facts["chameleon"] = {"rejected": found.rejected, "filled": found.filled}
    rows = np.sort(found.rows)
    return _weighted(
        candidates.take(rows),
        _quality(candidates.take(rows), verdicts["label_probability"][rows]),
        verdicts["nearest"][rows],
        {},
        plateau,
        sum(ref.rows for ref in labelled),
        turn.config.training.real_share,
    )


def _quality(rows: SampleSet, label_probability: Array) -> Array:
    """Return how far each row and its label are to be trusted, ``(m,)`` in ``[0, 1]``.

    A transformed real row has its anchor's label, so no verifier's doubt counts against it: by that
    doubt the harshest copies would weigh least. It counts as the middle one of the invented rows.
    """
    quality: Array = rows.columns["confidence"] * label_probability
    invented = rows.columns["perturbation"] == ""
    middle = float(np.median(quality[invented])) if invented.any() else 1.0
    return np.where(invented, quality, middle)


def _cut(rows: SampleSet, ids: list[str], count: int) -> list[str]:
    """Keep ``count`` ids so that every weakness gives up its part, not the last ones all theirs."""
    weakness_of = dict(zip(rows.ids.tolist(), rows.columns["weakness"].tolist(), strict=True))
    by_weakness: dict[str, list[str]] = {}
    for sample in ids:
        by_weakness.setdefault(weakness_of[sample], []).append(sample)
    shares = np.array([len(chosen) for chosen in by_weakness.values()], np.float64)
    if not count:
        return []
    counts = largest_remainder(shares / shares.sum(), count)
    return [
        sample
        for chosen, kept in zip(by_weakness.values(), counts.tolist(), strict=True)
        for sample in chosen[:kept]
    ]


def _weighted(
    rows: SampleSet,
    quality: Array,
    nearest: Array,
    benefit: Mapping[str, float],
    plateau: bool,
    real_count: int,
    real_share: float,
) -> SampleSet:
    """Give every synthetic row its weight, from its quality and its weakness's benefit."""
    undamped, weight = (
        synthetic_weights(
            quality,
            measured,
            rows.columns["weakness"],
            is_damped,
            real_count=real_count,
            real_share=real_share,
            floor=REAL_FLOOR,
        )
        for measured, is_damped in (({}, False), (benefit, plateau))
    )
    anchor = rows.columns["anchor"]
    columns = {
        "weight": np.asarray(weight, np.float64),
        # Kept apart, because a branch at its cap would otherwise be scaled back up to it.
        "damping": np.divide(weight, undamped, out=np.ones(len(rows)), where=undamped > 0),
        "weakness": rows.columns["weakness"],
        "generator": rows.columns["generator"],
        "seed": rows.columns["seed"],
        "parents": np.where(anchor != "", anchor, nearest).astype("<U32"),
    }
    return SampleSet(rows.ids, rows.x, rows.y, rows.groups, columns)


def _manifests(
    turn: Turn,
    labelled: tuple[ShardRef, ...],
    changed: Corrections,
    fresh: Mapping[str, SampleSet],
    branches: Mapping[str, str],
) -> dict[str, DatasetManifest]:
    objects, before = turn.platform.objects, turn.manifest
    gone = changed.quarantine(objects, before.splits["train"])
    kept = changed.without_copies(objects, before.synthetic)
    control: tuple[ShardRef, ...] = ()
    if "random" in branches:
        control = turn.artifacts.document(branches["random"], DatasetManifest).synthetic
        control = changed.without_copies(objects, control)
    head = before.model_copy(
        update={
            "parent": turn.record.parent,
            "splits": {**before.splits, "train": labelled},
            "synthetic": kept,
            "quarantine": (*before.quarantine, *gone),
        }
    )
    bare = head.model_copy(update={"synthetic": ()})
    manifests = {
        "labels_only": head,
        "targeted": head.model_copy(
            update={"synthetic": (*kept, *_shards(turn, fresh["targeted"]))}
        ),
        "random": head.model_copy(
            update={"synthetic": (*control, *_shards(turn, fresh["untargeted"]))}
        ),
    }
    if "static" in turn.config.evaluation.arms:
        made = _shards(turn, fresh["untargeted"])  # by the first iteration that was promoted
        if "static" in branches:
            first = turn.artifacts.document(branches["static"], DatasetManifest).synthetic
            made = changed.without_copies(objects, first)
        manifests["static"] = head.model_copy(update={"synthetic": made})
    if "chameleon" in fresh:
        made = ()
        if "chameleon" in branches:
            made = turn.artifacts.document(branches["chameleon"], DatasetManifest).synthetic
            made = changed.without_copies(objects, made)
        made = (*made, *_shards(turn, fresh["chameleon"]))
        manifests["chameleon"] = head.model_copy(update={"synthetic": made})
    for arm in turn.config.evaluation.arms:
        # Arms without synthetic rows of their own are built from the targeted manifest's
        # marginals or from the real rows alone; they train on no synthetic row.
        manifests.setdefault(arm, bare)
    return manifests


def _mean_weights(rows: SampleSet) -> dict[str, float]:
    """Summarise the weights per weakness: what the next plan may learn from."""
    names = rows.columns["weakness"]
    return {
        str(name): float(rows.columns["weight"][names == name].mean())
        for name in np.unique(names).tolist()
    }
