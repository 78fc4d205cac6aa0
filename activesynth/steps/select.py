"""Choose what people are asked about, and which candidates train."""

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
from activesynth.steps.fit_generator import out_of_fold
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.sampling import draw_in_proportion
from activesynth.targeting.suspects import label_quality, most_suspect

STEP = Step("select", version=4)


def select(iteration_id: str, platform: Platform) -> StepRecord:
    """Write the selection: pool ids, ids to review and to recheck, synthetic ids of both arms."""
    turn = open_turn(iteration_id, platform)
    model = turn.step("train").artifacts["model"]
    judge = turn.step("judge").artifacts["judge"]
    screened = turn.step("screen").artifacts
    planned = turn.step("plan").artifacts
    embedded = turn.step("embed").artifacts
    checked = _checked(turn)
    seed = turn.seed("select")

    def compute(outputs: Outputs) -> None:
        plan = turn.artifacts.document(planned["plan"], Plan)
        retrieved = turn.artifacts.arrays(planned["retrieved"])["ids"].tolist()
        targeted, shortfall = _targeted(turn, screened, plan, seed)
        control = _untargeted(turn, screened, len(targeted), seed)
        pool = [*retrieved, *_ask(turn, model, retrieved, seed)]
        review = _review(targeted, turn.config.selection.review, seed)
        suspects = suspect_labels(turn, model)
        outputs.arrays("suspects", suspects)
        recheck = _recheck(suspects, checked, turn.config.selection.recheck)
        outputs.arrays(
            "predictions", _predictions(turn, model, judge, screened, pool + review, recheck)
        )
        outputs.json(
            "selection",
            {
                "label": pool,
                "review": review,
                "recheck": recheck,
                "targeted": targeted,
                "untargeted": control,
            },
        )
        outputs.facts["label"] = len(pool)
        outputs.facts["retrieved"] = len(retrieved)
        outputs.facts["review"] = len(review)
        outputs.facts["recheck"] = len(recheck)
        outputs.facts["label_issues"] = int(suspects["is_issue"].sum())
        outputs.facts["targeted"] = len(targeted)
        outputs.facts["untargeted"] = len(control)
        outputs.facts["shortfall"] = shortfall

    return execute(
        turn,
        STEP,
        inputs={
            "model": model,
            "judge": judge,
            "plan": planned["plan"],
            "retrieved": planned["retrieved"],
            "pool": embedded["pool"],
            **{f"train{n}": ref.blob for n, ref in enumerate(turn.manifest.splits["train"])},
            **{name: screened[name] for name in sorted(screened)},
        },
        settings={
            **turn.config.selection.model_dump(mode="json"),
            "passes": turn.config.uncertainty.passes,
            "checked": checked,
        },
        compute=compute,
        seed=seed,
    )


def suspect_labels(turn: Turn, model: str) -> dict[str, Array]:
    """Score the label of every train row by members that did not train on it.

    Returns:
        ``ids``, ``label``, ``suggested``, ``score`` and ``is_issue``, ``(n,)``, and the
        probabilities ``probs``, ``(n, classes)``.
    """
    train = load_split(turn.platform.objects, turn.manifest, "train")
    probs = out_of_fold(turn, model, train)
    quality = label_quality(train.y, probs)
    return {
        "ids": train.ids,
        "label": train.y,
        "suggested": quality.suggested,
        "score": quality.score,
        "is_issue": quality.is_issue,
        "probs": probs,
    }


def _checked(turn: Turn) -> list[str]:
    """Return the train rows whose label somebody has looked at before; skipped is not looked at."""
    rows = turn.platform.reader.rechecks(turn.ref.campaign)
    return sorted({str(row["sample"]) for row in rows if row["action"] != "skip"})


def _recheck(suspects: dict[str, Array], checked: list[str], count: int) -> list[str]:
    is_open = ~np.isin(suspects["ids"], checked)
    ids = suspects["ids"][is_open]
    order = most_suspect(
        suspects["score"][is_open],
        suspects["label"][is_open] != suspects["suggested"][is_open],
        ids,
        count,
    )
    return list(ids[order].tolist())


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


def _ask(turn: Turn, model: str, retrieved: list[str], seed: int) -> list[str]:
    """Choose the pool rows whose label is worth most beside those that were retrieved."""
    settings = turn.config.selection
    pool = load_split(turn.platform.objects, turn.manifest, "pool")
    embedded = turn.step("embed").artifacts
    vectors = turn.artifacts.arrays(embedded["pool"])["vectors"]
    is_retrieved = np.isin(pool.ids, retrieved) if retrieved else np.zeros(len(pool), bool)
    known = vectors[is_retrieved]
    pool, vectors = pool.take(~is_retrieved), vectors[~is_retrieved]
    count = settings.labels - len(retrieved)
    if not len(pool) or count < 1:
        return []
    predictor = turn.predictor(model)
    context = SelectionContext(
        probs=predictor.predict_proba(pool.x),
        draws=predictor.draws(pool.x, passes=turn.config.uncertainty.passes, seed=seed),
        embeddings=vectors,
        centroids=turn.artifacts.arrays(embedded["codebook"])["centroids"],
        labelled=np.concatenate([turn.artifacts.arrays(embedded["train"])["vectors"], known]),
    )
    strategy: QueryStrategy = turn.platform.parts.create(
        "strategy", settings.strategy, settings.parameters
    )
    chosen = strategy.select(context, count, seed=seed)
    return list(pool.ids[chosen].tolist())


def _predictions(
    turn: Turn, model: str, judge: str, screened: Any, ids: list[str], recheck: list[str]
) -> dict[str, Array]:
    """Predict what somebody is asked about, so that answering needs no model any more."""
    asked = [*ids, *recheck]
    if not asked:
        nothing = np.zeros((0, turn.classes))
        return {"ids": np.zeros(0, "<U32"), "probs": nothing, "reference": nothing}
    places = [ref.blob for ref in turn.manifest.splits["pool"]]
    places.append(screened["targeted.samples"])
    places += [ref.blob for ref in turn.manifest.splits["train"]] if recheck else []
    wanted, found = set(asked), dict[str, Array]()
    for place in places:
        rows = turn.artifacts.samples(place)
        here = enumerate(rows.ids.tolist())
        found |= {name: rows.x[row].copy() for row, name in here if name in wanted}
    x = np.stack([found[sample] for sample in asked])
    return {
        "ids": np.array(asked),
        "probs": turn.predictor(model).predict_proba(x),
        "reference": turn.predictor(judge).predict_proba(x),
    }


def _review(targeted: list[str], count: int, seed: int) -> list[str]:
    order = np.random.default_rng(seed).permutation(len(targeted))[:count]
    return [targeted[row] for row in sorted(order.tolist())]
