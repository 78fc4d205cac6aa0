"""The weakness profile: what was found on one half of guide and held against the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from activesynth.diagnosis.clusters import cluster_shares, rare_clusters
from activesynth.diagnosis.difficulty import PRIOR_ROWS, class_difficulty
from activesynth.diagnosis.evidence import Evidence
from activesynth.diagnosis.slices import (
    Finding,
    attribute_findings,
    corruption_findings,
    declared_finding,
    slice_findings,
)
from activesynth.diagnosis.sweep import sweep_tau
from activesynth.diagnosis.verdicts import (
    Verdict,
    judge,
    judge_declared,
    mildest,
    ranked,
    state_of,
)
from activesynth.domain.canonical import Array
from activesynth.domain.documents import Weakness, WeaknessProfile, WeaknessState
from activesynth.errors import ShapeError
from activesynth.statistics.intervals import wilson
from activesynth.uncertainty.region import uncertain_region
from activesynth.uncertainty.scores import total_uncertainty

MAX_CLUSTERS = 5
"""Most clusters named per weakness: those that hold most of its errors."""


def diagnose(
    evidence: Evidence,
    *,
    campaign: str,
    iteration: int,
    model: str,
    margin: float,
    alpha: float,
    min_support: int,
    delta: float,
    cluster_count: int,
    tau: float,
    found_on: Literal["A", "B"],
    severities: Sequence[float],
    class_names: Sequence[str],
    previous: Mapping[str, str],
    uncertainty: Array | None = None,
    declared: Sequence[str] = (),
    sweep: Sequence[float] = (),
) -> WeaknessProfile:
    """Find where the model is weak, and say how sure that is.

    A slice (class, cluster, the uncertain region, a slice of attributes) is *found* when on the
    half ``found_on`` its error rate exceeds that of the other rows by more than ``margin``:
    one-sided p-value, after Holm's correction within the kind and an equal split over the kinds,
    below ``alpha``. A corruption is found when it raises the error rate of the same rows by more
    than ``margin``; every severity is tested, all of them are one family, and the mildest found
    severity is reported. Slices with fewer than ``min_support`` rows on the searching half are
    not tested. So where nothing exceeds the margin, a profile names anything at all with
    probability ``alpha`` at most.

    What people declared is measured the same way, as a family of its own, and always reported.

    It is *confirmed* when the other half has ``min_support`` rows of it too and the lower bound
    of the two-sided 95 % interval of its gap there is above 0. Gap, bounds and ``n`` of a
    weakness are those of that other half, because a gap that was picked for being large is
    overstated on the half it was picked on; the p-value is that of the searching half.

    States: a weakness is ``open`` when found. One that was open or regressed stays so, with the
    numbers of today, until it is not found and its upper bound on the other half is under
    ``margin`` (with ``min_support`` rows): then it is reported as ``closed``, once. A closed
    one is reported again when it is found again; it is ``regressed`` when its lower bound is
    over ``margin`` on both halves, and still ``closed`` otherwise. Weaknesses stand in the order
    of their rank, see :func:`activesynth.diagnosis.verdicts.ranked`.

    Args:
        evidence: Predictions on guide rows.
        campaign: Name of the campaign.
        iteration: Number of the iteration.
        model: Digest of the diagnosed model's card.
        margin: Gap that is still acceptable, in ``[0, 1)``.
        alpha: Error rate of all tests together.
        min_support: Fewest rows of a slice worth testing.
        delta: Clusters below this share of train are rare.
        cluster_count: Number of clusters of the codebook.
        tau: Threshold of the uncertain region, in the unit of ``uncertainty``.
        found_on: Which half searches; the other one confirms.
        severities: Severity in ``[0, 1]`` of each level in ``evidence.corrupted``.
        class_names: Names by label.
        previous: Latest state of every weakness ever seen, by id.
        uncertainty: What ``tau`` is compared with, ``(n,)``; total uncertainty (variance +
            entropy) when None.
        declared: What people declared, as ``<kind>:<key>``.
        sweep: Further thresholds at which the uncertain region is described.

    Raises:
        ShapeError: If there are no guide rows, or names or severities do not fit the arrays.
    """
    _check(evidence, severities, class_names)
    if uncertainty is None:
        uncertainty = total_uncertainty(evidence.entropy, evidence.variance)
    is_uncertain = uncertain_region(uncertainty, tau)
    searches = evidence.is_a if found_on == "A" else ~evidence.is_a
    predicted = evidence.probs.argmax(axis=1)
    difficulty = class_difficulty(evidence.y, predicted, len(class_names))
    names = tuple(class_names)
    known = [key for kind, _, key in (name.partition(":") for name in previous) if kind == "slice"]
    verdicts = _verdicts(
        slice_findings(evidence, is_uncertain, searches, names, cluster_count, margin)
        + attribute_findings(evidence, searches, names, margin, min_support, known),
        corruption_findings(evidence, tuple(severities), searches, margin),
        min_support,
        alpha,
    )
    verdicts += judge_declared(
        [declared_finding(target, evidence, searches, names, margin) for target in declared],
        min_support,
    )
    weaknesses = []
    for verdict in verdicts:
        state = state_of(
            verdict,
            previous.get(verdict.finding.id),
            alpha=alpha,
            margin=margin,
            min_support=min_support,
        )
        if state is not None:
            weaknesses.append(_weakness(verdict, state, min_support, difficulty, evidence))
    shares = cluster_shares(evidence.train_clusters, cluster_count)
    region = wilson(int(is_uncertain.sum()), len(is_uncertain))
    return WeaknessProfile(
        campaign=campaign,
        iteration=iteration,
        model=model,
        margin=margin,
        found_on=found_on,
        tau=tau,
        uncertain_share=region.value,
        uncertain_low=region.low,
        uncertain_high=region.high,
        rare_clusters=rare_clusters(shares, delta),
        cluster_shares=tuple(shares.tolist()),
        class_difficulty=tuple(difficulty.tolist()),
        corruption_accuracy={
            name: tuple((probs.argmax(axis=2) == evidence.y).mean(axis=1).tolist())
            for name, probs in sorted(evidence.corrupted.items())
        },
        weaknesses=ranked(weaknesses),
        sweep=sweep_tau(uncertainty, predicted != evidence.y, sweep),
    )


def _check(evidence: Evidence, severities: Sequence[float], class_names: Sequence[str]) -> None:
    if len(evidence.y) == 0 or evidence.probs.shape[1] != len(class_names):
        raise ShapeError(
            f"diagnose needs at least 1 guide row and one name per class, got probabilities of "
            f"shape {evidence.probs.shape} and {len(class_names)} names."
        )
    wrong = {name: len(p) for name, p in evidence.corrupted.items() if len(p) != len(severities)}
    if wrong:
        raise ShapeError(
            f"diagnose got {len(severities)} severities, but corrupted predictions for {wrong}; "
            "pass the severities that the predictions were made at."
        )


def _verdicts(
    slices: list[Finding], corruptions: list[list[Finding]], min_support: int, alpha: float
) -> list[Verdict]:
    """Judge everything that was searched; one verdict remains of each corruption."""
    judged = judge(slices, corruptions, min_support)
    rest = iter(judged[len(slices) :])
    return judged[: len(slices)] + [
        mildest([next(rest) for _ in levels], alpha) for levels in corruptions
    ]


def _weakness(
    verdict: Verdict,
    state: WeaknessState,
    min_support: int,
    class_difficulties: Array,
    evidence: Evidence,
) -> Weakness:
    finding = verdict.finding
    errors, rows = int(finding.is_error.sum()), int(finding.members.sum())
    overall = float((evidence.probs.argmax(axis=1) != evidence.y).mean())
    difficulty = (errors + PRIOR_ROWS * overall) / (rows + PRIOR_ROWS)
    if finding.kind == "class":
        difficulty = float(class_difficulties[int(finding.key)])
    # Only the searching half steers the generator: the other one measures what that brought.
    steering = finding.members & finding.is_searched
    telling = finding.is_error & steering
    if not telling.any():
        telling = steering if steering.any() else finding.members
    labels, counts = np.unique(evidence.y[telling], return_counts=True)
    clusters, sizes = np.unique(evidence.clusters[telling], return_counts=True)
    worst = clusters[np.argsort(-sizes, kind="stable")][:MAX_CLUSTERS]
    return Weakness(
        id=finding.id,
        kind=finding.kind,
        key=finding.key,
        title=finding.title,
        state=state,
        gap=finding.held.gap,
        low=finding.held.low,
        high=finding.held.high,
        n=finding.held_n,
        p_value=verdict.p_value,
        confirmed=finding.held_n >= min_support and finding.held.low > 0.0,
        difficulty=difficulty,
        severity=finding.severity,
        strength=verdict.strength,
        class_share={
            int(label): float(count / counts.sum())
            for label, count in zip(labels, counts, strict=True)
        },
        clusters=tuple(int(cluster) for cluster in worst),
    )
