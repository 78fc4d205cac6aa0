"""A weakness profile for a table of predictions alone: nothing of ours trained the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activesynth.diagnosis.attributes import PREFIX, attribute_groups
from activesynth.diagnosis.evidence import Evidence
from activesynth.diagnosis.profile import diagnose
from activesynth.diagnosis.sweep import swept_thresholds
from activesynth.domain.canonical import Array, encode_arrays, sha256
from activesynth.domain.documents import WeaknessProfile
from activesynth.domain.prediction_tables import DRAW, FIELD, PROB
from activesynth.errors import InputError
from activesynth.evaluation.splits import halves
from activesynth.uncertainty.region import choose_tau
from activesynth.uncertainty.scores import (
    ensemble_variance,
    mutual_information,
    predictive_entropy,
    total_uncertainty,
)

SUM_TOLERANCE = 1e-3
LABEL, GROUP = "label", "group"


@dataclass(frozen=True, slots=True)
class Predictions:
    """A checked table of ``n`` rows.

    Attributes:
        classes: Names of the classes, in the order of the columns.
        y: Labels, ``(n,)`` int64.
        probs: Class probabilities, ``(n, classes)``.
        draws: Probabilities of single draws, ``(draws, n, classes)``; ``probs`` alone if none.
        groups: What belongs together, ``(n,)`` text.
        columns: Attribute columns by full name, ``(n,)`` each.
    """

    classes: tuple[str, ...]
    y: Array
    probs: Array
    draws: Array
    groups: Array
    columns: Mapping[str, Array]


def checked_predictions(columns: Mapping[str, Array]) -> Predictions:
    """Check a table: ``label``, ``prob.<class>`` for each class, and what is optional.

    Optional are ``group`` (rows that must not be separated), ``attribute.<name>`` and
    ``draw.<number>.<class>`` (the probabilities of single dropout passes or members).

    Args:
        columns: Texts or numbers by name, ``(n,)`` each.

    Raises:
        InputError: ``no_rows``, ``missing_column``, ``unknown_column``, ``bad_probability`` or
            ``bad_label``, naming row and column.
    """
    classes = tuple(name.removeprefix(PROB) for name in columns if name.startswith(PROB))
    _check_columns(columns, classes)
    rows = len(columns[LABEL])
    if rows == 0:
        raise InputError("--predictions: the table has no rows.", reason="no_rows", field=FIELD)
    probs = _probabilities(columns, PROB, classes)
    draws = [_probabilities(columns, prefix, classes) for prefix in _draw_prefixes(columns)]
    ids = np.arange(rows).astype(str)
    groups = columns[GROUP].astype(str) if GROUP in columns else ids
    return Predictions(
        classes,
        _labels(columns[LABEL].astype(str), classes),
        probs,
        np.stack(draws) if draws else probs[None],
        groups,
        {name: column for name, column in columns.items() if name.startswith(PREFIX)},
    )


def diagnose_predictions(
    table: Predictions,
    name: str,
    *,
    margin: float,
    alpha: float,
    min_support: int,
    tau: float | None,
    tau_quantile: float,
    sweep: tuple[float, ...],
    seed: int,
) -> WeaknessProfile:
    """Return the weakness profile of a table, found on half A of its rows, confirmed on B.

    Classes, the uncertain region and slices of attributes are searched; there are no clusters
    and no corrupted copies. The variance between draws takes every draw for a member. Without
    draws uncertainty is the entropy of the probabilities.

    Args:
        table: The checked table.
        name: What the profile calls the campaign.
        margin: Gap that is still acceptable.
        alpha: Error rate of all tests together.
        min_support: Fewest rows of a slice worth testing.
        tau: Threshold of the uncertain region; the quantile of the table's own when None.
        tau_quantile: That quantile.
        sweep: Further thresholds, as shares of ln(classes).
        seed: Which rows search and which confirm.
    """
    ids = np.arange(len(table.y)).astype(str)
    entropy = predictive_entropy(table.draws)
    variance = ensemble_variance(table.draws, len(table.draws))
    total = total_uncertainty(entropy, variance)
    several = len(table.draws) > 1
    evidence = Evidence(
        ids=ids,
        y=table.y,
        probs=table.probs,
        entropy=entropy,
        mutual_information=mutual_information(table.draws) if several else np.zeros(len(ids)),
        variance=variance,
        clusters=np.zeros(len(ids), np.int64),
        is_a=halves(ids, table.groups, seed=seed),
        corrupted={},
        train_clusters=np.zeros(0, np.int64),
        attributes=attribute_groups(table.columns),
        groups=table.groups,
    )
    return diagnose(
        evidence,
        campaign=name,
        iteration=0,
        model=sha256(encode_arrays({"y": table.y, "probs": table.probs, "draws": table.draws})),
        margin=margin,
        alpha=alpha,
        min_support=min_support,
        delta=0.0,
        cluster_count=0,
        tau=choose_tau(total, tau, tau_quantile),
        found_on="A",
        severities=(),
        class_names=table.classes,
        previous={},
        sweep=swept_thresholds(sweep, len(table.classes)),
    )


def _check_columns(columns: Mapping[str, Array], classes: tuple[str, ...]) -> None:
    if LABEL not in columns or len(classes) < 2:
        raise InputError(
            f"--predictions: the table needs a column `{LABEL}` and a column `{PROB}<class>` for "
            f"each of 2 or more classes; it has {sorted(columns)[:20]}.",
            reason="missing_column",
            field=FIELD,
        )
    known = (PROB, DRAW, PREFIX)
    strange = sorted(c for c in columns if c not in (LABEL, GROUP) and not c.startswith(known))
    if strange:
        raise InputError(
            f"--predictions: the column {strange[0]!r} means nothing here; call it "
            f"`{PREFIX}{strange[0]}` to search for weak groups by it, or leave it out.",
            reason="unknown_column",
            field=FIELD,
        )


def _draw_prefixes(columns: Mapping[str, Array]) -> list[str]:
    """Return ``draw.<number>.`` of every draw, by number."""
    numbers = {name.split(".")[1] for name in columns if name.startswith(DRAW)}
    wrong = sorted(number for number in numbers if not number.isdecimal())
    if wrong:
        raise InputError(
            f"--predictions: the column `{DRAW}{wrong[0]}...` has no number; write "
            f"`{DRAW}0.<class>`.",
            reason="unknown_column",
            field=FIELD,
        )
    return [f"{DRAW}{number}." for number in sorted(numbers, key=int)]


def _probabilities(columns: Mapping[str, Array], prefix: str, classes: tuple[str, ...]) -> Array:
    """Return the columns of one prefix as ``(n, classes)``, each row summing to 1."""
    missing = [name for name in classes if f"{prefix}{name}" not in columns]
    if missing:
        raise InputError(
            f"--predictions: the column `{prefix}{missing[0]}` is missing; there is one for each "
            f"of the classes {list(classes)[:20]}.",
            reason="missing_column",
            field=FIELD,
        )
    probs = np.stack([_numbers(columns, f"{prefix}{name}") for name in classes], axis=1)
    sums = probs.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - 1.0) > SUM_TOLERANCE)
    if len(off):
        raise InputError(
            f"--predictions: row {off[0] + 1}: the probabilities `{prefix}*` sum to "
            f"{sums[off[0]]:.6g}, and must sum to 1 within {SUM_TOLERANCE:g} ({len(off)} such "
            "rows); give probabilities, not logits.",
            reason="bad_probability",
            field=FIELD,
        )
    normed: Array = probs / sums[:, None]
    return normed


def _numbers(columns: Mapping[str, Array], name: str) -> Array:
    values = columns[name]
    try:
        numbers = values.astype(np.float64)
    except ValueError:
        row = next(k for k, text in enumerate(values.tolist()) if not _is_number(text))
        raise _bad_probability(name, row, values[row]) from None
    bad = np.flatnonzero(~((numbers >= 0.0) & (numbers <= 1.0)))
    if len(bad):
        raise _bad_probability(name, int(bad[0]), values[bad[0]])
    return numbers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _bad_probability(name: str, row: int, value: object) -> InputError:
    return InputError(
        f"--predictions: row {row + 1}, column {name!r}: {str(value)[:40]!r} is no probability "
        "between 0 and 1.",
        reason="bad_probability",
        field=FIELD,
    )


def _labels(texts: Array, classes: tuple[str, ...]) -> Array:
    place = {name: k for k, name in enumerate(classes)}
    unknown = next((k for k, text in enumerate(texts.tolist()) if text not in place), None)
    if unknown is not None:
        raise InputError(
            f"--predictions: row {unknown + 1}, column `{LABEL}`: {str(texts[unknown])[:40]!r} is "
            f"none of the classes {list(classes)[:20]}, which have a column `{PROB}<class>`.",
            reason="bad_label",
            field=FIELD,
        )
    return np.array([place[text] for text in texts.tolist()], np.int64)
