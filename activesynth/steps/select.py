"""Choose which pool rows people label, and which candidates train."""

from __future__ import annotations

from typing import Any

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import Plan
from activesynth.domain.exchange import SelectionContext
from activesynth.domain.platform import Platform
from activesynth.domain.ports import QueryStrategy
from activesynth.domain.records import StepRecord
from activesynth.domain.samples import SampleSet
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.sampling import draw_in_proportion

STEP = Step("select", version=2)


def select(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the selection: pool ids, ids to review, and the synthetic ids of both arms."""
    turn = open_turn(iteration_id, platform)
    model = turn.step("train").artifacts["model"]
    judge = turn.step("judge").artifacts["judge"]
    screened = turn.step("screen").artifacts
    plan_digest = turn.step("plan").artifacts["plan"]
    embedded = turn.step("embed").artifacts
    seed = turn.seed("select")

    def compute(outputs: Outputs) -> None:
        plan = turn.artifacts.document(plan_digest, Plan)
        targeted, shortfall = _targeted(turn, screened, plan, seed)
        control = _untargeted(turn, screened, len(targeted), seed)
        pool = _ask(turn, model, seed)
        review = _review(targeted, turn.config.selection.review, seed)
        outputs.arrays("predictions", _predictions(turn, model, judge, screened, pool + review))
        outputs.json(
            "selection",
            {"label": pool, "review": review, "targeted": targeted, "untargeted": control},
        )
        outputs.facts["label"] = len(pool)
        outputs.facts["review"] = len(review)
        outputs.facts["targeted"] = len(targeted)
        outputs.facts["untargeted"] = len(control)
        outputs.facts["shortfall"] = shortfall

    return execute(
        turn,
        STEP,
        inputs={
            "model": model,
            "judge": judge,
            "plan": plan_digest,
            "pool": embedded["pool"],
            **{name: screened[name] for name in sorted(screened)},
        },
        settings={
            **turn.config.selection.model_dump(mode="json"),
            "passes": turn.config.uncertainty.passes,
        },
        compute=compute,
        seed=seed,
    )


def _candidates(turn: Turn, screened: Any, arm: str) -> tuple[SampleSet, dict[str, Array]]:
    rows = turn.artifacts.samples(screened[f"{arm}.samples"])
    return rows, turn.artifacts.arrays(screened[f"{arm}.verdicts"])


def _targeted(turn: Turn, screened: Any, plan: Plan, seed: int) -> tuple[list[str], dict[str, int]]:
    """Draw each weakness's share in proportion to uncertainty; say where too few passed."""
    rows, verdicts = _candidates(turn, screened, "targeted")
    chosen: list[str] = []
    shortfall: dict[str, int] = {}
    for number, item in enumerate(plan.items):
        passed = np.flatnonzero(verdicts["accepted"] & (rows.columns["weakness"] == item.weakness))
        count = min(item.count, len(passed))
        if count < item.count:
            shortfall[item.weakness] = item.count - count
        drawn = draw_in_proportion(verdicts["entropy"][passed], count, seed=seed + number)
        chosen.extend(rows.ids[passed[drawn]].tolist())
    return chosen, shortfall


def _untargeted(turn: Turn, screened: Any, count: int, seed: int) -> list[str]:
    """Draw as many for the control, evenly over classes, blind to the model's weaknesses."""
    rows, verdicts = _candidates(turn, screened, "untargeted")
    order = np.random.default_rng(seed).permutation(np.flatnonzero(verdicts["accepted"]))
    taken_of_class: dict[int, int] = {}
    turns = []
    for row in order.tolist():
        label = int(rows.y[row])
        taken_of_class[label] = taken_of_class.get(label, 0) + 1
        turns.append(taken_of_class[label])
    in_turn = order[np.argsort(np.array(turns, dtype=np.int64), kind="stable")]
    return list(rows.ids[in_turn[:count]].tolist())


def _ask(turn: Turn, model: str, seed: int) -> list[str]:
    """Choose the pool rows whose label is worth most."""
    settings = turn.config.selection
    pool = load_split(turn.platform.objects, turn.manifest, "pool")
    if not len(pool) or settings.labels == 0:
        return []
    embedded = turn.step("embed").artifacts
    predictor = turn.predictor(model)
    context = SelectionContext(
        probs=predictor.predict_proba(pool.x),
        draws=predictor.draws(pool.x, passes=turn.config.uncertainty.passes, seed=seed),
        embeddings=turn.artifacts.arrays(embedded["pool"])["vectors"],
        centroids=turn.artifacts.arrays(embedded["codebook"])["centroids"],
        labelled=turn.artifacts.arrays(embedded["train"])["vectors"],
    )
    strategy: QueryStrategy = turn.platform.parts.create(
        "strategy", settings.strategy, settings.parameters
    )
    chosen = strategy.select(context, settings.labels, seed=seed)
    return list(pool.ids[chosen].tolist())


def _predictions(
    turn: Turn, model: str, judge: str, screened: Any, ids: list[str]
) -> dict[str, Array]:
    """Predict what somebody is asked about, so that answering needs no model any more."""
    pool = load_split(turn.platform.objects, turn.manifest, "pool")
    candidates, _ = _candidates(turn, screened, "targeted")
    position = {
        sample: row for row, sample in enumerate([*pool.ids.tolist(), *candidates.ids.tolist()])
    }
    x = np.concatenate([pool.x, candidates.x])[[position[sample] for sample in ids]]
    if not ids:
        nothing = np.zeros((0, turn.classes))
        return {"ids": np.zeros(0, "<U32"), "probs": nothing, "reference": nothing}
    return {
        "ids": np.array(ids),
        "probs": turn.predictor(model).predict_proba(x),
        "reference": turn.predictor(judge).predict_proba(x),
    }


def _review(targeted: list[str], count: int, seed: int) -> list[str]:
    order = np.random.default_rng(seed).permutation(len(targeted))[:count]
    return [targeted[row] for row in sorted(order.tolist())]
