"""The one look at the guarded `test` split: the head's model beside the controls, for people.

What is found here is printed and goes nowhere else: no metric row, no artifact. A planner or a gate
that saw it would turn `test` into one more split to tune on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from activesynth.config.campaign import CampaignConfig
from activesynth.domain.canonical import Array, canonical_json, derive_seed, sha256
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest, ModelCard
from activesynth.domain.exchange import State
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Metric, Trainer
from activesynth.domain.records import CampaignRecord
from activesynth.errors import ConfigurationError
from activesynth.experiments.summary import ARM_METRICS, ARM_ORDER, TARGETED, Estimate
from activesynth.experiments.words import interval
from activesynth.statistics.intervals import Interval, bootstrap, paired_bootstrap
from activesynth.steps.artifacts import Artifacts

SPLIT = "test"
HEAD = "head"


@dataclass(frozen=True, slots=True)
class Compared:
    """The models to score: digests of their cards, by name; ``head`` holds one.

    ``is_promoted`` is False when the gate refused the last iteration and its labels are kept, so
    that the campaign has no model of its own until the next one trains it; ``head`` is then the
    model that the last iteration started from.
    """

    iteration: int
    models: Mapping[str, tuple[str, ...]]
    is_promoted: bool

    @property
    def purpose(self) -> str:
        """Name the read: equal models are one comparison, however often it is printed."""
        return f"report {sha256(canonical_json({k: list(v) for k, v in self.models.items()}))}"


@dataclass(frozen=True, slots=True)
class FinalTest:
    """What `test` says.

    Attributes:
        compared: Which models.
        rows: Rows of `test`.
        reads: How many comparisons `test` has served in this epoch, this one among them.
        metric: The primary metric; ``higher_is_better`` says which way it points.
        higher_is_better: See there.
        scores: Name of model or arm to metric to estimate, each arm over all its replicates.
        differences: By control arm, the head's primary metric minus the arm's, paired.
    """

    compared: Compared
    rows: int
    reads: int
    metric: str
    higher_is_better: bool
    scores: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[str, Estimate]


def score_test(platform: Platform, config: CampaignConfig) -> FinalTest | None:
    """Score the head's model and the last iteration's controls, counting the read before it.

    Returns:
        None where no iteration is committed: there is nothing to score, and nothing is read.

    Raises:
        ConfigurationError: If the campaign has no rows in `test`.
    """
    record = platform.lineage.campaign(config.name)
    compared = compared_models(platform, record)
    if compared is None or record.head is None:
        return None
    manifest = DatasetManifest.decode(platform.objects.get(record.head))
    if not sum(ref.rows for ref in manifest.splits.get(SPLIT, ())):
        raise ConfigurationError(
            f"campaign {config.name!r} has no rows in `test`: `splits.test` was 0 when its splits "
            "were drawn; report without --test, or start another campaign with a share for it."
        )
    reads = platform.lineage.count_split_read(config.name, SPLIT, compared.purpose, None)
    rows = load_split(platform.objects, manifest, SPLIT)
    probs = {
        name: np.stack([_predict(platform, digest, rows.x) for digest in digests])
        for name, digests in compared.models.items()
    }
    named = list(dict.fromkeys((config.evaluation.metric, *ARM_METRICS)))
    metrics: list[Metric] = [platform.parts.create("metric", name) for name in named]
    seed, resamples = derive_seed("test", config.seed), config.evaluation.resamples
    scores = {
        name: {
            metric.name: _estimate(
                bootstrap(metric, rows.y, one, rows.groups, resamples=resamples, seed=seed)
            )
            for metric in metrics
        }
        for name, one in probs.items()
    }
    primary, head = metrics[0], probs[HEAD]
    differences = {
        name: _estimate(
            paired_bootstrap(
                primary, rows.y, head, one, rows.groups, resamples=resamples, seed=seed
            )
        )
        for name, one in probs.items()
        if name != HEAD
    }
    better = primary.higher_is_better
    return FinalTest(compared, len(rows), reads, primary.name, better, scores, differences)


def compared_models(platform: Platform, record: CampaignRecord) -> Compared | None:
    """Name the models of the last committed iteration, or None before the first one."""
    rows = platform.reader.models(record.name)
    last = max((int(row["iteration"]) for row in rows), default=None)
    if last is None:
        return None
    of_last = [row for row in rows if row["iteration"] == last]
    base = next(str(row["digest"]) for row in of_last if row["role"] == "base")
    models: dict[str, tuple[str, ...]] = {HEAD: (record.head_model or base,)}
    trained = [row for row in of_last if row["role"] == "arm"]
    for arm in dict.fromkeys((*ARM_ORDER, *(str(row["arm"]) for row in trained))):
        digests = tuple(str(row["digest"]) for row in trained if row["arm"] == arm)
        if digests and arm != TARGETED:
            models[arm] = digests
    return Compared(last, models, record.head_model is not None)


def final_words(final: FinalTest) -> Sequence[str]:
    """Say in sentences what `test` shows; an interval that includes zero shows nothing."""
    model = (
        "the head's model"
        if final.compared.is_promoted
        else "the model that the last iteration started from (the new one was not promoted, and "
        "the next iteration trains another on the kept labels)"
    )
    head = final.scores[HEAD][final.metric]
    lines = [
        f"On {final.rows} rows that neither steered nor decided anything, {model} has "
        f"{final.metric} {interval(head)}."
    ]
    for arm, found in final.differences.items():
        runs = len(final.compared.models[arm])
        lines.append(
            f"Compared with `{arm}` of iteration {final.compared.iteration} ({runs} training "
            f"run{'s' if runs != 1 else ''}) the difference is {interval(found)}: "
            f"{_verdict(found, final.higher_is_better)}."
        )
    lines.append(
        f"test was read {final.reads} time{'s' if final.reads != 1 else ''}. Printing the same "
        "comparison again does not count again; but once you choose by these numbers, they flatter."
    )
    return lines


def _verdict(found: Estimate, higher_is_better: bool) -> str:
    if not (found.is_shown or found.is_shown_negative):
        return "not shown, for the interval includes zero"
    return "better, shown" if found.is_shown == higher_is_better else "worse, shown"


def _predict(platform: Platform, digest: str, x: Array) -> Array:
    """Predict with the trainer that a card names: the campaign may have another one by now."""
    artifacts = Artifacts(platform.objects)
    card = artifacts.document(digest, ModelCard)
    trainer: Trainer = platform.parts.create("trainer", card.part, card.parameters)
    return trainer.load(State(artifacts.tensors(card.tensors), card.facts)).predict_proba(x)


def _estimate(found: Interval) -> Estimate:
    return Estimate(found.value, found.low, found.high, found.n)
