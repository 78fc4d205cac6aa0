"""How accurate a model stays on corrupted images: by kind and severity, known and unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array, derive_seed
from activesynth.errors import ConfigurationError
from activesynth.evaluation.metrics import Accuracy, BalancedAccuracy
from activesynth.perturbations.image import apply
from activesynth.perturbations.kernels import KERNELS
from activesynth.perturbations.suite import FAMILIES, SEVERITIES, known_and_unknown_families
from activesynth.statistics.intervals import Interval, percentile_interval
from activesynth.statistics.resampling import Resampler

Predict = Callable[[Array], Array]
"""Images, uint8 ``(n, height, width, channels)``, to class probabilities ``(n, classes)``."""

METRICS = (Accuracy(), BalancedAccuracy())


@dataclass(frozen=True, slots=True)
class Score:
    """One metric over some corrupted copies, and the share of its clean value that is left.

    Attributes:
        value: In ``[0, 1]``, with interval.
        relative: ``value`` / clean, paired over the same resamples; None where clean is 0, which
            leaves nothing to lose. Above 1 where corruption helps.
    """

    value: Interval
    relative: Interval | None


@dataclass(frozen=True, slots=True)
class KindRobustness:
    """One kind of corruption.

    Attributes:
        kind: Its name.
        by_severity: Metric name to one score per severity.
        mean: Metric name to the mean over severities.
    """

    kind: str
    by_severity: dict[str, tuple[Score, ...]]
    mean: dict[str, Score]


@dataclass(frozen=True, slots=True)
class Summary:
    """Several kinds together, each counting the same.

    Attributes:
        kinds: Which.
        mean: Metric name to the mean over kinds and severities.
        by_severity: Metric name to the mean over kinds, one per severity.
        worst_kind: Metric name to the kind with the lowest mean over severities.
        worst: Metric name to the score of that kind. It was chosen for being low on these rows,
            so the next rows will most likely treat it a little better.
    """

    kinds: tuple[str, ...]
    mean: dict[str, Score]
    by_severity: dict[str, tuple[Score, ...]]
    worst_kind: dict[str, str]
    worst: dict[str, Score]


@dataclass(frozen=True, slots=True)
class Robustness:
    """What corruption does to one model.

    Attributes:
        severities: At which severities.
        clean: Metric name to its value without corruption.
        kinds: Every kind.
        known: The kinds of families that were trained on; None where there is none.
        unknown: The kinds of all other families; None where there is none.
        families: Name to the kinds of each family that were tried.
    """

    severities: tuple[float, ...]
    clean: dict[str, Interval]
    kinds: tuple[KindRobustness, ...]
    known: Summary | None
    unknown: Summary | None
    families: dict[str, Summary]


def measure_robustness(
    predict: Predict,
    x: Array,
    y: Array,
    groups: Array,
    *,
    trained: Iterable[str],
    resamples: int,
    seed: int,
    kinds: Sequence[str] = tuple(KERNELS),
    severities: Sequence[float] = SEVERITIES,
) -> Robustness:
    """Score a model on corrupted copies of labelled images.

    All intervals share their resamples, so ratios and means are paired. ``predict`` is called
    once per kind and severity, and once for the clean images.

    Args:
        predict: The model.
        x: Images, uint8 ``(n, height, width, channels)``.
        y: Labels, ``(n,)``.
        groups: What must stay together (patient, scene), ``(n,)``.
        trained: The kinds that entered training; they say which families are known.
        resamples: How many resamples.
        seed: Equal seeds give equal corruptions and equal intervals.
        kinds: Which corruptions to try, of :data:`KERNELS`.
        severities: At which severities, in ``(0, 1]``.

    Raises:
        ConfigurationError: If there is no kind or no severity, or a kind does not exist.
        InputError: If a severity lies outside ``[0, 1]``.
        ShapeError: If rows, labels and groups do not align.

    References:
        Hendrycks and Dietterich 2019, arXiv:1903.12261 (kinds, severities, relative scores).
    """
    if not kinds or not severities:
        raise ConfigurationError(
            f"robustness needs a kind and a severity, got {list(kinds)} at {list(severities)}; "
            f"there are the kinds {', '.join(KERNELS)}."
        )
    resampler = Resampler.over(y, groups, resamples=resamples, seed=seed)
    clean = _measure(resampler, predict(x)[None])
    found = {}
    for kind in kinds:
        copies_seed = derive_seed("robustness", kind, seed)
        copies = (apply(kind, x, severity=s, seed=copies_seed) for s in severities)
        found[kind] = _measure(resampler, np.stack([predict(copy) for copy in copies]))
    known, _ = known_and_unknown_families(trained)
    is_known = {kind for family in known for kind in FAMILIES[family]}

    def together(chosen: list[str]) -> Summary | None:
        return _summary(chosen, found, clean, len(y))

    by_family = {
        name: together([kind for kind in kinds if kind in members])
        for name, members in FAMILIES.items()
    }
    return Robustness(
        severities=tuple(severities),
        clean={name: percentile_interval(v.mean, v.resampled, len(y)) for name, v in clean.items()},
        kinds=tuple(_of_kind(kind, one, clean, len(y)) for kind, one in found.items()),
        known=together([kind for kind in kinds if kind in is_known]),
        unknown=together([kind for kind in kinds if kind not in is_known]),
        families={name: one for name, one in by_family.items() if one is not None},
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """Values ``(copies,)`` of a metric and their resamples ``(resamples, copies)``."""

    values: Array
    by_resample: Array

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def resampled(self) -> Array:
        mean: Array = self.by_resample.mean(axis=1)
        return mean


def _measure(resampler: Resampler, probs: Array) -> dict[str, _Measured]:
    """Score copies, ``(copies, n, classes)``, by every metric."""
    measured = {}
    for metric in METRICS:
        terms = np.stack([metric.row_terms(resampler.y, one) for one in probs])
        measured[metric.name] = _Measured(
            metric.from_sums(terms.sum(axis=1)), metric.from_sums(resampler.sums(terms))
        )
    return measured


def _score(value: float, resampled: Array, clean: _Measured, n: int) -> Score:
    found = percentile_interval(value, resampled, n)
    if clean.mean == 0.0:
        return Score(found, None)
    whole = clean.resampled
    left = np.divide(resampled, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return Score(found, percentile_interval(value / clean.mean, left, n))


def _of_kind(
    kind: str, found: dict[str, _Measured], clean: dict[str, _Measured], n: int
) -> KindRobustness:
    return KindRobustness(
        kind=kind,
        by_severity={name: _by_severity(one, clean[name], n) for name, one in found.items()},
        mean={name: _score(one.mean, one.resampled, clean[name], n) for name, one in found.items()},
    )


def _summary(
    kinds: list[str], found: dict[str, dict[str, _Measured]], clean: dict[str, _Measured], n: int
) -> Summary | None:
    if not kinds:
        return None
    mean, by_severity, worst_kind, worst = {}, {}, {}, {}
    for name, whole in clean.items():
        values = {kind: found[kind][name] for kind in kinds}
        over_kinds = _Measured(
            np.mean([one.values for one in values.values()], axis=0),
            np.mean([one.by_resample for one in values.values()], axis=0),
        )
        mean[name] = _score(over_kinds.mean, over_kinds.resampled, whole, n)
        by_severity[name] = _by_severity(over_kinds, whole, n)
        lowest = min(kinds, key=lambda kind: values[kind].mean)
        worst_kind[name] = lowest
        worst[name] = _score(values[lowest].mean, values[lowest].resampled, whole, n)
    return Summary(tuple(kinds), mean, by_severity, worst_kind, worst)


def _by_severity(found: _Measured, clean: _Measured, n: int) -> tuple[Score, ...]:
    return tuple(
        _score(float(value), found.by_resample[:, copy], clean, n)
        for copy, value in enumerate(found.values)
    )
