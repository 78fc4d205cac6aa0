"""How the campaign's groups of people fare, in its labels and with every arm, as metric rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from activesynth.config.campaign import Fairness as FairnessConfig
from activesynth.diagnosis.attributes import attribute_groups, slice_key
from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.records import MetricRow
from activesynth.domain.samples import SampleSet, concatenate
from activesynth.errors import ConfigurationError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.fairness import Disparity, Fairness, label_fairness, prediction_fairness
from activesynth.statistics.intervals import Interval
from activesynth.steps.turn import Turn

PREFIX = "attribute:"
"""What the slice of every row begins with; ``attribute:sex`` is about all groups of the attribute,
``attribute:sex=F`` about one."""
DATA_ARM = "data"
DATA_SPLIT = "real"
LABELLED = ("train", "guide", "judge")
"""What the labels of the data are looked at in: all that is neither hidden from people nor test."""
DIFFERENCES = (
    "demographic_parity_difference",
    "disparate_impact_ratio",
    "equal_opportunity_difference",
)


def fairness_rows(
    turn: Turn, guide: SampleSet, probs: Mapping[str, Array], seed: int
) -> list[MetricRow]:
    """Return the rows about the attribute that the campaign names; none where it names none.

    First those of the labels (arm ``data``), then those of every arm's predictions on guide.

    Args:
        turn: The iteration.
        guide: The rows that the arms were scored on.
        probs: Arm to class probabilities, ``(replicates, n, classes)``.
        seed: Equal seeds give equal intervals.

    Raises:
        ConfigurationError: ``unknown_attribute`` or ``unknown_favourable``.
    """
    config = turn.config.evaluation.fairness
    if config.attribute is None:
        return []
    parts = [load_split(turn.platform.objects, turn.manifest, name) for name in LABELLED]
    resamples = turn.config.evaluation.resamples
    favourable = check_fairness(config, turn.manifest.classes, guide)
    rows = data_rows(
        concatenate(parts), config.attribute, favourable, resamples=resamples, seed=seed
    )
    for arm, one in probs.items():
        rows += arm_rows(
            arm,
            "guide",
            guide,
            one.argmax(axis=2),
            config.attribute,
            favourable,
            resamples=resamples,
            seed=seed,
        )
    return rows


def check_fairness(config: FairnessConfig, classes: tuple[str, ...], rows: SampleSet) -> int:
    """Return the number of the favourable class.

    Raises:
        ConfigurationError: ``unknown_attribute`` or ``unknown_favourable``, naming what there is.
    """
    known = sorted(attribute_groups(rows.columns))
    if config.attribute not in known:
        raise ConfigurationError(
            f"`evaluation.fairness.attribute` names {config.attribute!r}, but the rows have "
            f"{known or 'no attribute'}; name one of these, or list it under `attributes` of the "
            "source of a new campaign.",
            reason="unknown_attribute",
            field="evaluation.fairness.attribute",
        )
    if config.favourable not in classes:
        raise ConfigurationError(
            f"`evaluation.fairness.favourable` names {config.favourable!r}, but the classes are "
            f"{list(classes[:20])}; name one of these, in quotes where it is a number.",
            reason="unknown_favourable",
            field="evaluation.fairness.favourable",
        )
    return classes.index(config.favourable)


def data_rows(
    rows: SampleSet, attribute: str, favourable: int, *, resamples: int, seed: int
) -> list[MetricRow]:
    """Return what the labels say: rates per group of people and the differences between them."""
    sensitive = attribute_groups(rows.columns)[attribute]
    known = sensitive != ""
    counts = list(_counts(DATA_ARM, DATA_SPLIT, attribute, rows.y, sensitive, favourable))
    if not known.any():
        return counts
    found = label_fairness(
        rows.y[known],
        sensitive[known],
        rows.groups[known],
        favourable=favourable,
        resamples=resamples,
        seed=seed,
    )
    return counts + list(_numbers(DATA_ARM, DATA_SPLIT, attribute, found))


def arm_rows(
    arm: str,
    split: str,
    rows: SampleSet,
    predicted: Array,
    attribute: str,
    favourable: int,
    *,
    resamples: int,
    seed: int,
) -> list[MetricRow]:
    """Return what an arm's predictions say; ``predicted`` has shape ``(replicates, n)``."""
    sensitive = attribute_groups(rows.columns)[attribute]
    known = sensitive != ""
    counts = list(_counts(arm, split, attribute, rows.y, sensitive, favourable))
    if not known.any():
        return counts
    found = prediction_fairness(
        rows.y[known],
        predicted[:, known],
        sensitive[known],
        rows.groups[known],
        favourable=favourable,
        resamples=resamples,
        seed=seed,
    )
    return counts + list(_numbers(arm, split, attribute, found))


def _counts(
    arm: str, split: str, attribute: str, y: Array, sensitive: Array, favourable: int
) -> Iterator[MetricRow]:
    """Yield the size of every cell, estimable or not, and how many rows tell no group."""
    unknown = int((sensitive == "").sum())
    yield MetricRow(
        arm, split, f"{PREFIX}{attribute}", "unknown_rows", float(unknown), n=len(sensitive)
    )
    for name in np.unique(sensitive[sensitive != ""]).tolist():
        cell, inside = _cell(attribute, str(name)), sensitive == name
        for what, size in (
            ("cell_rows", inside.sum()),
            ("cell_favourable_rows", (inside & (y == favourable)).sum()),
        ):
            yield MetricRow(arm, split, cell, what, float(size), n=len(sensitive))


def _numbers(arm: str, split: str, attribute: str, found: Fairness) -> Iterator[MetricRow]:
    """Yield a row for every number there is; what is not estimable has none."""

    def row(where: str, name: str, one: Interval) -> MetricRow:
        return MetricRow(arm, split, where, name, one.value, one.low, one.high, one.n)

    for rate, cells in (
        ("selection_rate", found.selection),
        ("true_positive_rate", found.true_positive),
    ):
        for group, interval in cells.items():
            if not isinstance(interval, NotEstimable):
                yield row(_cell(attribute, group), rate, interval)
    for name in DIFFERENCES:
        disparity = getattr(found, name)
        if isinstance(disparity, Disparity):
            yield row(f"{PREFIX}{attribute}", name, disparity.value)


def _cell(attribute: str, group: str) -> str:
    return f"{PREFIX}{slice_key([(attribute, group)])}"
