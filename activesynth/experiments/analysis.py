"""Which claims of an experiment hold: paired over seeds and test rows, with honest intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.stats import t as student_t

from activesynth.config.experiment import SHIFTED, Claim, Contender, LabelSaving, Phase
from activesynth.domain.canonical import Array, decode_arrays, derive_seed
from activesynth.domain.experiments import ScoreRow
from activesynth.domain.platform import Platform
from activesynth.domain.records import MetricRow
from activesynth.errors import ConfigurationError
from activesynth.evaluation.recalls import RecallTerms, from_recalls
from activesynth.experiments.cells import Registered, manifest_of
from activesynth.experiments.contender_fairness import contender_fairness
from activesynth.experiments.folds import joined_cells, joined_scores
from activesynth.perturbations.suite import SEVERITIES
from activesynth.statistics.resampling import Resampler

RESAMPLES = 4000
CONFIDENCE = 0.95
Verdict = Literal["holds", "not shown", "refuted", "undecided"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one claim.

    ``value`` is the mean over seeds of the paired difference, ``low`` and ``high`` its 95 %
    interval over seeds and, in confirmation, test rows: its own for the primary claim,
    simultaneous over all secondary ones. ``by_seed`` are the differences, in order of the seeds.
    """

    claim: Claim
    is_primary: bool
    value: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Saving:
    """Share of bought labels saved, mean over seeds, with Student's interval over seeds.

    The intervals of all savings of an experiment hold together, by Bonferroni's correction.

    ``1 - labels of the one / labels of the other`` to the lower of the two final scores: that of
    the other, but for the seeds counted in ``not_reached``, whose contender ended below it.
    """

    asked: LabelSaving
    value: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    not_reached: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Analysis:
    """The outcomes, the seeds behind them and those still missing, and the classes of ``tail3``.

    Of a cross-validation ``seeds``, ``missing`` and the scores' seeds are repeats. ``fairness``
    tells of the contenders, by title, where the campaign names an attribute.
    """

    phase: Phase
    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    outcomes: tuple[Outcome, ...]
    savings: tuple[Saving, ...]
    tail: tuple[int, ...]
    scores: tuple[ScoreRow, ...]
    fairness: tuple[MetricRow, ...] = ()


def analyse(registered: Registered, phase: Phase, platform: Platform) -> Analysis:
    """Judge every claim on the seeds that all variants have finished.

    Raises:
        ConfigurationError: If no seed is finished.
    """
    config = registered.config
    cells: dict[tuple[str, int], dict[str, Array]] = {}
    for record in platform.lineage.cells(config.name, registered.digest, phase):
        key = (record.cell.variant, record.cell.seed)
        cells[key] = decode_arrays(platform.objects.get(record.predictions))
    scores = tuple(platform.lineage.scores(config.name, registered.digest, phase))
    asked: Sequence[int] = getattr(config.seeds, phase)
    if config.folds is not None:
        cells = joined_cells(cells, config.folds)
        scores = joined_scores(scores, cells, config.folds)
        asked = list(dict.fromkeys(seed // config.folds for seed in asked))
    seeds = tuple(
        seed for seed in asked if all((variant, seed) in cells for variant in config.variants)
    )
    if not seeds:
        raise ConfigurationError(
            f"experiment {config.name!r} has no finished {phase} "
            f"{'seed' if config.folds is None else 'repeat'} yet; run "
            f"`activesynth experiment run {config.name}` first.",
            reason="nothing_to_report",
            field="experiment",
        )
    tail = _tail([cells[variant, seed] for variant in config.variants for seed in seeds])
    measure = Measure(config.contenders, cells, seeds, tail, config.iterations - 1)
    outcomes = judge(config.claims, measure)
    savings = tuple(
        label_saving(asked, config.contenders, scores, seeds, family=len(config.savings))
        for asked in config.savings
    )
    missing = tuple(seed for seed in asked if seed not in seeds)
    if missing:
        outcomes = tuple(replace(found, verdict="undecided") for found in outcomes)
        savings = tuple(replace(found, verdict="undecided") for found in savings)
    name = registered.campaign(next(iter(config.variants)), config.seeds.confirmation[0]).name
    fairness: tuple[MetricRow, ...] = ()
    if phase == "confirmation":
        classes = manifest_of(name, platform).classes
        fairness = contender_fairness(registered, cells, seeds, classes)
    tails = tuple(tail.tolist())
    return Analysis(phase, seeds, missing, outcomes, savings, tails, scores, fairness)


def _tail(cells: Sequence[Mapping[str, Array]]) -> Array:
    """Return the three classes that `real` is worst at on guide, over all variants and seeds."""
    recalls = np.nanmean(np.stack([cell["guide_recalls"] for cell in cells]), axis=0)
    return np.sort(np.argsort(recalls, kind="stable")[:3])


class Measure:
    """Values of contenders by seed, on the rows as they are and on resampled ones."""

    def __init__(
        self,
        contenders: Mapping[str, Contender],
        cells: Mapping[tuple[str, int], Mapping[str, Array]],
        seeds: Sequence[int],
        tail: Array,
        iteration: int,
    ) -> None:
        """Take what every cell predicted after ``iteration``, by variant and seed."""
        self._contenders, self._cells, self._tail = contenders, cells, tail
        self.seeds, self._iteration = tuple(seeds), iteration
        first = cells[next(iter(contenders.values())).variant, seeds[0]]
        self._y, self._classes = first["y"], len(first["guide_recalls"])
        # One test split for all seeds lets rows be resampled jointly; gate is drawn per seed.
        self.is_shared = all(np.array_equal(cell["ids"], first["ids"]) for cell in cells.values())
        for (variant, seed), cell in cells.items():
            other = next(found for (_, same), found in cells.items() if same == seed)
            if not np.array_equal(cell["ids"], other["ids"]):
                raise ConfigurationError(
                    f"variant {variant!r}, seed {seed}, was scored on other rows than another "
                    "variant, so their differences are not paired; let variants differ in nothing "
                    "that changes the splits (source, sampling.rows, splits, generator.artifact).",
                    reason="unpaired",
                    field="variants",
                )
        self._weights = None
        if self.is_shared:
            resampler = Resampler.over(
                self._y, first["groups"], resamples=RESAMPLES, seed=derive_seed("experiment")
            )
            whole = np.concatenate(list(resampler.group_weights()))
            self._weights = whole[:, resampler.group_of_row].astype(np.float32)

    def measured(self, title: str, metric: str) -> Array:
        """Return the value of each seed, ``(S,)``."""
        return np.array([float(np.mean(self._values(title, s, metric, None))) for s in self.seeds])

    def resampled(self, title: str, metric: str) -> Array | None:
        """Return the value of each resample and seed, ``(resamples, S)``, where rows are shared."""
        if self._weights is None:
            return None
        parts = [
            self._values(title, seed, metric, self._weights).mean(axis=1) for seed in self.seeds
        ]
        return np.stack(parts, axis=1)

    def _values(self, title: str, seed: int, metric: str, weight: Array | None) -> Array:
        """Return one value per replicate, ``(R,)``, or ``(resamples, R)`` under weights."""
        contender = self._contenders[title]
        cell = self._cells[contender.variant, seed]
        prefix = f"{self._iteration}.{contender.arm}"
        if metric in SHIFTED and metric != "clean_accuracy":
            hits = cell[f"{prefix}.hits"].astype(np.float32) / len(SEVERITIES)
            by_kind = hits.mean(axis=2) if weight is None else _weighted(hits, weight)
            joined: Array = by_kind.mean(-1) if metric == SHIFTED[0] else by_kind.min(-1)
            return joined
        terms = RecallTerms.of(cell["y"], cell[f"{prefix}.predicted"], self._classes, weight)
        name = "accuracy" if metric == "clean_accuracy" else metric
        return from_recalls(name, terms, self._tail)


def _weighted(hits: Array, weight: Array) -> Array:
    """Return weighted means over rows, ``(R, K, n)`` under ``(B, n)`` to ``(B, R, K)``."""
    total = weight.sum(axis=1)
    replicates, kinds, rows = hits.shape
    flat = weight @ hits.reshape(replicates * kinds, rows).T
    means: Array = (flat / total[:, None]).reshape(len(weight), replicates, kinds)
    return means


def judge(claims: Sequence[Claim], measure: Measure) -> tuple[Outcome, ...]:
    """Estimate all claims at once: the secondary ones share the quantile of their largest |t|.

    References:
        Westfall and Young 1993, Resampling-Based Multiple Testing, section 2.
    """
    differences, spreads = [], []
    for claim in claims:
        pair = (claim.better, claim.metric), (claim.than, claim.metric)
        one, other = (measure.measured(*side) for side in pair)
        differences.append(one - other)
        spreads.append(_spread(one - other, *(measure.resampled(*side) for side in pair)))
    joined = np.stack([draws for draws, _ in spreads], axis=1)
    scale = np.array([max(error, 1e-12) for _, error in spreads])
    own = np.quantile(np.abs(joined[:, 0]) / scale[0], CONFIDENCE)
    shared = np.quantile((np.abs(joined[:, 1:]) / scale[1:]).max(axis=1, initial=0.0), CONFIDENCE)
    found = []
    for number, (claim, difference) in enumerate(zip(claims, differences, strict=True)):
        half = float((own if number == 0 else shared) * scale[number])
        if len(difference) < 2:
            half = float("inf")  # one seed says nothing about another
        value = float(difference.mean())
        low, high = value - half, value + half
        verdict = _verdict(value, low, high, claim.at_least, claim.above)
        by_seed = tuple(float(d) for d in difference)
        found.append(Outcome(claim, number == 0, value, low, high, by_seed, verdict))
    return tuple(found)


def _spread(difference: Array, one: Array | None, other: Array | None) -> tuple[Array, float]:
    """Return deviations of the mean difference over seeds and rows, and its standard error.

    Seeds are few, so theirs are drawn from Student's t: a normal weight for each seed, under one
    chi-square for all claims, which keeps how claims vary together. What resampled rows do is
    added, as :meth:`Resampler.over_runs` says. The deviations have shape ``(resamples,)``.

    References:
        Kotz and Nadarajah 2004, Multivariate t Distributions, section 1.1.
    """
    seeds = len(difference)
    by_seed, variance = np.zeros(RESAMPLES), 0.0
    if seeds > 1:
        rng = np.random.default_rng([derive_seed("experiment"), 1, seeds])
        weights = rng.standard_normal((RESAMPLES, seeds)) / np.sqrt(seeds * (seeds - 1))
        tails = np.sqrt((seeds - 1) / rng.chisquare(seeds - 1, RESAMPLES))
        by_seed = tails * (weights @ (difference - difference.mean()))
        variance = float(difference.var(ddof=1)) / seeds
    if one is None or other is None:
        return by_seed, variance**0.5
    by_row = (one - other).mean(axis=1) - difference.mean()
    return by_seed + by_row, float(np.sqrt(variance + by_row.var()))


def _verdict(
    value: float, low: float, high: float, at_least: float | None, above: float
) -> Verdict:
    if low > above and (at_least is None or value >= at_least):
        return "holds"
    return "refuted" if high < max(above, at_least or above) else "not shown"


def label_saving(
    asked: LabelSaving,
    contenders: Mapping[str, Contender],
    scores: Sequence[ScoreRow],
    seeds: Sequence[int],
    *,
    family: int = 1,
) -> Saving:
    """Compare two learning curves by the labels they need to one score, seed by seed.

    The interval is wide enough for ``family`` of them to hold at once.
    """
    saved, missed = [], 0
    for seed in seeds:
        one = _curve(contenders[asked.of], asked.metric, scores, seed)
        other = _curve(contenders[asked.than], asked.metric, scores, seed)
        # Both are measured alike, at a score that both reach: else noise in one curve, of which
        # the first crossing is counted, would look like labels saved.
        target = min(one[1][-1], other[1][-1])
        missed += bool(one[1][-1] < other[1][-1])
        needed, usual = _labels_to(target, *one), _labels_to(target, *other)
        saved.append(1.0 - needed / usual if usual > 0 else 0.0)
    values = np.array(saved)
    half = float("inf")
    if len(values) > 1:
        quantile = float(student_t.ppf(1.0 - (1.0 - CONFIDENCE) / (2 * family), len(values) - 1))
        half = quantile * float(values.std(ddof=1)) / len(values) ** 0.5
    value = float(values.mean())
    verdict = _verdict(value, value - half, value + half, asked.at_least, 0.0)
    return Saving(asked, value, value - half, value + half, tuple(saved), missed, verdict)


def _curve(
    contender: Contender, metric: str, scores: Sequence[ScoreRow], seed: int
) -> tuple[Array, Array]:
    """Return labels bought so far, the first ones not counted, and the score, by iteration."""
    own = [row for row in scores if row.variant == contender.variant and row.seed == seed]
    labels = {row.iteration: row.value for row in own if row.metric == "bought"}
    values = {r.iteration: r.value for r in own if r.metric == metric and r.arm == contender.arm}
    numbers = sorted(values)
    return np.array([labels[n] for n in numbers]), np.array([values[n] for n in numbers])


def _labels_to(target: float, labels: Array, values: Array) -> float:
    """Return the labels at which the curve first reaches ``target``, by linear interpolation."""
    number = int(np.argmax(values >= target))
    if number == 0:
        return float(labels[0])
    rise = (target - values[number - 1]) / (values[number] - values[number - 1])
    return float(labels[number - 1] + rise * (labels[number] - labels[number - 1]))
