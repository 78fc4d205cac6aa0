"""How groups of people fare with every contender of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from activesynth.diagnosis.attributes import PREFIX
from activesynth.domain.canonical import Array, derive_seed
from activesynth.domain.records import MetricRow
from activesynth.domain.samples import SampleSet
from activesynth.experiments.cells import SENSITIVE, SPLIT_OF, Registered
from activesynth.steps.fairness import arm_rows, check_fairness

RESAMPLES = 2000


def contender_fairness(
    registered: Registered,
    cells: Mapping[tuple[str, int], Mapping[str, Array]],
    seeds: Sequence[int],
    classes: tuple[str, ...],
) -> tuple[MetricRow, ...]:
    """Return the rows of every contender after the last iteration; its title stands as the arm.

    Rates are means over the trainings of all seeds, which must have scored the same rows, as the
    seeds of a confirmation and the repeats of a cross-validation do; nothing is returned otherwise,
    nor where the campaign names no attribute.
    """
    found: list[MetricRow] = []
    seed = derive_seed("fairness", registered.config.name)
    for title, contender in registered.config.contenders.items():
        config = registered.campaign(contender.variant, registered.config.seeds.confirmation[0])
        fairness = config.evaluation.fairness
        parts = [cells[contender.variant, one] for one in seeds]
        first = parts[0]
        is_shared = all(np.array_equal(part["ids"], first["ids"]) for part in parts)
        if fairness.attribute is None or SENSITIVE not in first or not is_shared:
            continue
        name = f"{registered.config.iterations - 1}.{contender.arm}.predicted"
        rows = _rows(first, fairness.attribute)
        found += arm_rows(
            title,
            SPLIT_OF["confirmation"],
            rows,
            np.concatenate([part[name] for part in parts]),
            fairness.attribute,
            check_fairness(fairness, classes, rows),
            resamples=RESAMPLES,
            seed=seed,
        )
    return tuple(found)


def _rows(cell: Mapping[str, Array], attribute: str) -> SampleSet:
    """Return the scored rows without their inputs, which nothing here looks at."""
    columns = {f"{PREFIX}{attribute}": cell[SENSITIVE]}
    empty = np.zeros((len(cell["ids"]), 0), np.uint8)
    return SampleSet(cell["ids"], empty, cell["y"], cell["groups"], columns)
