"""Audit an iteration on guide beside its metrics: corruption, attack, fidelity, memorisation."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split, load_synthetic
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.ports import DifferentiablePredictor
from activesynth.domain.records import MetricRow
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConfigurationError, InputError
from activesynth.evaluation.attack import LEVELS, attacked_accuracy
from activesynth.evaluation.feature_audits import drawn
from activesynth.evaluation.metrics import Accuracy
from activesynth.evaluation.robustness import measure_robustness
from activesynth.evaluation.robustness_rows import robustness_rows
from activesynth.nn.memory import OutOfMemoryError, lack_of_memory
from activesynth.statistics.intervals import Interval, bootstrap
from activesynth.steps.execution import Outputs, Step, execute
from activesynth.steps.feature_audit import audit_fidelity, audit_memorisation
from activesynth.steps.screen import embedded_encoder
from activesynth.steps.served import SERVED, served_model
from activesynth.steps.turn import Turn

logger = logging.getLogger(__name__)

STEP = Step("audit")
REACH = 2.5
"""How far all steps of an attack go together, in radii of its ball (Madry et al. 2018)."""
_CORRUPTION = re.compile(r"(?:^|:)corruption:(\w+)")
# What may go wrong in an audit without a fault of the store or the database: those are tried again.
# Nor is a lack of memory harmless: another machine, or another moment, has enough.
_HARMLESS = (
    *(InputError, ConfigurationError),
    *(ArithmeticError, ValueError, RuntimeError),
)

Audit = Callable[[Turn], list[MetricRow]]


def audit(turn: Turn) -> None:
    """Run the audits that the campaign asks for, each kept on its own.

    One that cannot be made says so in a row and in the log, and holds nothing up.
    """
    for name in turn.config.audits.run:
        _audit(turn, name)


def audited_rows(turn: Turn) -> list[MetricRow]:
    """Return the rows of the audits that the campaign asks for."""
    numbers = [list(AUDITS).index(name) for name in turn.config.audits.run]
    records = [turn.step(STEP.name, number) for number in numbers]
    found = [turn.artifacts.json(record.artifacts["metrics"]) for record in records]
    return [MetricRow(**row) for rows in found for row in rows]


def _audit(turn: Turn, name: str) -> None:
    settings, shard = turn.config.audits, list(AUDITS).index(name)
    integrated = turn.step("integrate").artifacts
    models = {arm: served_model(turn, arm) for arm in settings.arms}

    def compute(outputs: Outputs) -> None:
        try:
            rows = AUDITS[name](turn)
        except _HARMLESS as error:
            is_named = isinstance(error, OutOfMemoryError)
            if is_named or lack_of_memory(error, f"audit `{name}`") is not None:
                raise  # recorded, it would stand as an answer where there is memory enough
            why = error.reason if isinstance(error, InputError | ConfigurationError) else "failed"
            logger.warning("audit %s of iteration %s was not made: %s", name, turn.ref, error)
            rows = [MetricRow("base", "guide", f"audit:{name}", f"audit_refused:{why}", 1.0)]
            outputs.facts["refused"] = str(error)
        outputs.json("metrics", [asdict(row) for row in rows])

    execute(
        turn,
        STEP,
        inputs={
            **models,
            **{f"guide{n}": ref.blob for n, ref in enumerate(turn.manifest.splits["guide"])},
            **{f"branch.{arm}": integrated[arm] for arm in ("targeted", "random")},
            "parent": turn.record.parent,
            "encoder": embedded_encoder(turn),
        },
        settings={
            **settings.model_dump(mode="json", exclude={"run"}),
            "resamples": turn.config.evaluation.resamples,
        },
        compute=compute,
        shard=shard,
        seed=turn.campaign_seed("audit"),
    )


def _audit_robustness(turn: Turn) -> list[MetricRow]:
    """Score corrupted copies; the same families count as known for every arm."""
    guide = _some_guide(turn)
    trained = trained_corruptions(turn)
    rows: list[MetricRow] = []
    for arm in turn.config.audits.arms:
        found = measure_robustness(
            turn.predictor(served_model(turn, arm)).predict_proba,
            guide.x,
            guide.y,
            guide.groups,
            trained=trained,
            resamples=turn.config.evaluation.resamples,
            seed=turn.campaign_seed("audit"),
        )
        rows += robustness_rows(found, arm=arm, split="guide", seed=SERVED)
    return rows


def trained_corruptions(turn: Turn) -> tuple[str, ...]:
    """Return the kinds of corruption that the `targeted` branch was made for, sorted.

    Augmentation by the trainer itself (small rotations, erased patches) is the same in every arm
    and makes no family known.
    """
    branch = _branch(turn, "targeted")
    names = [] if branch is None else np.unique(branch.columns["weakness"]).tolist()
    matches = (_CORRUPTION.search(str(name)) for name in names)
    return tuple(sorted({match.group(1) for match in matches if match}))


def _audit_attack(turn: Turn) -> list[MetricRow]:
    """Score images changed along the model's own gradients, beside the same images unchanged."""
    guide, settings = _some_guide(turn), turn.config.audits
    seed, resamples = turn.campaign_seed("audit"), turn.config.evaluation.resamples
    epsilon = settings.attack_levels / LEVELS
    part = f"attack:pgd{settings.attack_steps}@{settings.attack_levels}/{LEVELS}"
    rows: list[MetricRow] = []
    for arm in settings.arms:
        predictor = turn.predictor(served_model(turn, arm))
        if not isinstance(predictor, DifferentiablePredictor):
            raise ConfigurationError(
                f"the models of trainer {turn.config.trainer.name!r} offer no gradients; leave "
                "`attack` out of `audits.run`.",
                reason="no_gradients",
                field="audits.run",
            )
        found = {
            part: attacked_accuracy(
                predictor,
                guide.x,
                guide.y,
                guide.groups,
                seed=seed,
                resamples=resamples,
                epsilon=epsilon,
                step=REACH * epsilon / settings.attack_steps,
                steps=settings.attack_steps,
            ),
            "attack:none": bootstrap(
                Accuracy(),
                guide.y,
                predictor.predict_proba(guide.x)[None],
                guide.groups,
                resamples=resamples,
                seed=seed,
            ),
        }
        rows += [_accuracy(arm, name, one) for name, one in found.items()]
    return rows


def _accuracy(arm: str, part: str, found: Interval) -> MetricRow:
    return MetricRow(
        arm, "guide", part, "accuracy", found.value, found.low, found.high, found.n, SERVED
    )


def _some_guide(turn: Turn) -> SampleSet:
    """Return at most ``audits.rows`` rows of guide, the same ones in every iteration."""
    guide = load_split(turn.platform.objects, turn.manifest, "guide")
    chosen: Array = drawn(len(guide), turn.config.audits.rows, turn.campaign_seed("audit rows"))
    return guide.take(chosen)


def _branch(turn: Turn, arm: str) -> SampleSet | None:
    digest = turn.step("integrate").artifacts[arm]
    return load_synthetic(turn.platform.objects, turn.artifacts.document(digest, DatasetManifest))


AUDITS: dict[str, Audit] = {
    "robustness": _audit_robustness,
    "attack": _audit_attack,
    "fidelity": audit_fidelity,
    "memorisation": audit_memorisation,
}
"""By name, in an order that never changes: an audit's place is its shard."""
