"""Decide on the gate split, unless the gate is off, and make the iteration visible at once."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from activesynth.domain.canonical import Array, canonical_json, sha256
from activesynth.domain.dataset_access import load_split
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Metric
from activesynth.domain.records import Decision, IterationCommit, MetricRow, StepRecord
from activesynth.errors import ConflictError
from activesynth.evaluation.gate import GateDecision, decide_gate
from activesynth.evaluation.sentinels import heed
from activesynth.steps.bundle import build_bundle
from activesynth.steps.decide import next_run
from activesynth.steps.evaluate import metrics, predict_all
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.integrate import KEPT
from activesynth.steps.turn import Turn, open_turn
from activesynth.steps.watch import alarms_of

STEP = Step("promote", version=3)


def promote(iteration_id: str, platform: Platform) -> StepRecord:
    """Score `gate` once, commit the iteration promoted or refused, and return the record.

    This is the only step that scores a model on the gate split. With `gate.enabled` false nothing
    is scored and the iteration is committed as not gated: bought labels join the head version, as
    after a refusal, and nothing else does.

    Raises:
        ConflictError: If the head moved meanwhile or another attempt took the iteration over.
    """
    turn = open_turn(iteration_id, platform)
    record = _score(turn)
    if turn.record.state != "committed":
        platform.lineage.commit_iteration(_commit(turn, record))
    return record


def _score(turn: Turn) -> StepRecord:
    models = {arm: _digests(turn, arm) for arm in turn.config.evaluation.arms}
    head = turn.step("train").artifacts["model"]
    gate = turn.config.gate
    _refuse_unevaluated(turn, models)
    if not gate.enabled:
        return _not_gated(turn, models, head)
    seed = turn.seed("gate")
    # The purpose names the models: another attempt with other models is another read.
    compared = sha256(canonical_json([head, *(d for ds in models.values() for d in ds)]))[:16]
    reads = turn.platform.lineage.count_split_read(
        turn.ref.campaign, "gate", f"iteration {turn.ref.number}, {compared}", turn.ref.number
    )
    exhausted = reads > gate.max_reads

    def compute(outputs: Outputs) -> None:
        if exhausted:
            reason = (
                f"refused: the gate split was read {reads} times, more than `gate.max_reads` = "
                f"{gate.max_reads}, and was not read again; go on in a new campaign with new "
                "gate data"
            )
            outputs.json("decision", {"promoted": False, "reason": reason, "bounds": []})
            outputs.facts.update(promoted=False, reason=reason, split_reads=reads)
            return
        rows = load_split(turn.platform.objects, turn.manifest, "gate")
        probs = {arm: predict_all(turn, digests, rows.x) for arm, digests in models.items()}
        probs["head"] = predict_all(turn, [head], rows.x)
        named = {metric.name: metric for metric in metrics(turn, tuple(gate.guarded))}
        decision = decide_gate(
            rows.y,
            rows.groups,
            probs,
            metric=named[turn.config.evaluation.metric],
            guarded=gate.guarded,
            metrics=named,
            margin=gate.margin,
            alpha=gate.alpha,
            t=turn.ref.number + 1,
            control=turn.config.evaluation.control,
            resamples=turn.config.evaluation.resamples,
            seed=seed,
        )
        promoted, reason = decision.is_promoted, decision.reason
        if turn.step("retrain", _targeted(turn)).facts["synthetic_rows"] == 0:
            promoted, reason = False, f"there is no synthetic data to promote; {reason}"
        loss = _deployed_loss(turn, named, rows.y, probs)
        if promoted and loss > gate.margin:
            promoted = False
            reason = (
                f"refused: the replicate that would be deployed is {loss:.4f} worse than head, "
                f"beyond the margin of {gate.margin:.4f}, though the replicates' mean is not; "
                f"{reason}"
            )
        promoted, reason = heed(alarms_of(turn), promoted, reason)
        outputs.json("decision", _plain(decision, promoted, reason))
        outputs.facts["promoted"] = promoted
        outputs.facts["reason"] = reason
        outputs.facts["split_reads"] = reads

    return execute(
        turn,
        STEP,
        inputs={
            **{f"{arm}{r}": d for arm, ds in models.items() for r, d in enumerate(ds)},
            "head": head,
            "alarms": turn.step("watch").artifacts["alarms"],
            **{f"gate{n}": ref.blob for n, ref in enumerate(turn.manifest.splits["gate"])},
        },
        settings={
            **gate.model_dump(mode="json"),
            "evaluation": turn.config.evaluation.model_dump(mode="json"),
            "exhausted": exhausted,
            "t": turn.ref.number + 1,
        },
        compute=compute,
        seed=seed,
    )


def _not_gated(turn: Turn, models: dict[str, list[str]], head: str) -> StepRecord:
    """Record that nothing was compared, with how little the rows at hand could have shown."""
    seen = turn.step("begin").facts
    lift = 100 * float(seen["detectable_lift"])

    def compute(outputs: Outputs) -> None:
        reason = (
            f"not gated: `gate.enabled` is false; with {seen['gate_rows']} rows in gate and "
            f"{seen['guide_rows']} in guide a lift under about {lift:.1f} points would most likely "
            "stay unseen, so nothing was compared and nothing promoted"
        )
        decision = {"promoted": False, "gated": False, "reason": reason, "bounds": []}
        outputs.json("decision", decision)
        outputs.facts.update(promoted=False, reason=reason)

    return execute(
        turn,
        STEP,
        inputs={
            **{f"{arm}{r}": d for arm, ds in models.items() for r, d in enumerate(ds)},
            "head": head,
        },
        settings={"enabled": False, "begin": dict(seen)},
        compute=compute,
    )


def _refuse_unevaluated(turn: Turn, models: dict[str, list[str]]) -> None:
    """Refuse models that `evaluate` did not see: a late delivery replaced them since.

    Raises:
        ConflictError: If there are any; the metrics would tell of other models.
    """
    seen = set(turn.step("evaluate").inputs)
    unseen = [arm for arm, digests in models.items() if not seen.issuperset(digests)]
    if unseen:
        raise ConflictError(
            f"the models of the arms {', '.join(unseen)} in iteration {turn.ref} are not those "
            "that `evaluate` scored; clear the task `evaluate` and what follows it."
        )


def _deployed_loss(
    turn: Turn, named: dict[str, Metric], y: Array, probs: dict[str, Array]
) -> float:
    """Return by how much replicate 0 of `targeted`, which would serve, is worse than the head."""
    metric = named[turn.config.evaluation.metric]
    sign = 1.0 if metric.higher_is_better else -1.0
    return sign * (metric(y, probs["head"][0]) - metric(y, probs["targeted"][0]))


def _targeted(turn: Turn) -> int:
    return turn.config.evaluation.arms.index("targeted")


def _digests(turn: Turn, arm: str) -> list[str]:
    artifacts = turn.step("retrain", turn.config.evaluation.arms.index(arm)).artifacts
    return [artifacts[f"model{r}"] for r in range(turn.config.training.replicates)]


def _plain(decision: GateDecision, promoted: bool, reason: str) -> dict[str, Any]:
    return {
        "promoted": promoted,
        "reason": reason,
        "bounds": [asdict(bound) for bound in decision.bounds],
        "superiority": asdict(decision.superiority),
        "superiority_alpha": decision.superiority_alpha,
        "is_superior": decision.is_superior,
    }


def _gate_metrics(turn: Turn, decision: dict[str, Any]) -> list[MetricRow]:
    """Keep the gate's numbers as metric rows; they appear with the decision, never before."""
    rows = [
        MetricRow(
            "targeted",
            "gate",
            "all",
            f"{bound['name']}_difference:{bound['against']}",
            bound["value"],
            bound["low"],
        )
        for bound in decision["bounds"]
    ]
    if "superiority" not in decision:
        return rows
    lift = decision["superiority"]
    name = f"{turn.config.evaluation.metric}_lift:{turn.config.evaluation.control}"
    rows.append(
        MetricRow(
            "targeted", "gate", "all", name, lift["value"], lift["low"], lift["high"], lift["n"]
        )
    )
    return rows


def _commit(turn: Turn, scored: StepRecord) -> IterationCommit:
    decision = turn.artifacts.json(scored.artifacts["decision"])
    integrated = turn.step("integrate")
    promoted = bool(decision["promoted"])
    base = turn.step("train").artifacts["model"]
    learnt = sum(
        int(integrated.facts[name])
        for name in ("labels_bought", "labels_corrected", "rows_taken_out")
    )
    branches = dict(turn.record.branches)
    head_model: str | None
    if promoted:
        version, head_model = integrated.artifacts["targeted"], _digests(turn, "targeted")[0]
        kept = [arm for arm in ("random", *KEPT) if arm in integrated.artifacts]
        branches.update({arm: integrated.artifacts[arm] for arm in kept})
    elif learnt:
        # The labels, bought and corrected, survive whatever was decided; the next iteration trains
        # its base model on them.
        version, head_model = integrated.artifacts["labels_only"], None
    else:
        version, head_model = None, base
    run, reason = next_run(turn)
    # Decisions from before the gate could be off do not say that it was on.
    otherwise: Decision = "refused" if decision.get("gated", True) else "not_gated"
    return IterationCommit(
        ref=turn.ref,
        parent=turn.record.parent,
        decision="promoted" if promoted else otherwise,
        reason=f"{decision['reason'].rstrip('.')}. {reason}.",
        head_model=head_model,
        branches=branches,
        next_run=run,
        bundle=build_bundle(turn, version, promoted, _gate_metrics(turn, decision)),
    )
