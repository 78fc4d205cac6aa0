"""The rule that promotes an iteration's dataset and model, or refuses them with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Metric
from activesynth.errors import ConfigurationError, ShapeError
from activesynth.statistics.corrections import alpha_at
from activesynth.statistics.intervals import Interval, paired_bootstrap

CONFIDENCE = 0.95
"""Of each one-sided bound. All must hold, so no bound needs a correction for the others."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One comparison of the targeted arm that must not come out worse than a margin.

    ``value`` and ``low`` (its one-sided 95 % lower bound) are the advantage of ``targeted`` over
    ``against`` in units of the metric, positive when targeted is better, whichever direction
    of the metric is the good one. It holds when ``low >= -margin``.
    """

    name: str
    against: str
    value: float
    low: float
    margin: float
    holds: bool


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The verdict with every number behind it.

    ``superiority`` is the advantage over the strongest control with its one-sided bounds at
    confidence ``1 - superiority_alpha``; it is reported and decides nothing.
    """

    is_promoted: bool
    reason: str
    bounds: tuple[Bound, ...]
    superiority: Interval
    superiority_alpha: float
    is_superior: bool


def decide_gate(
    y: Array,
    groups: Array,
    probs: Mapping[str, Array | None],
    *,
    metric: Metric,
    guarded: Mapping[str, float],
    metrics: Mapping[str, Metric],
    margin: float,
    alpha: float,
    t: int,
    control: str,
    resamples: int,
    seed: int,
) -> GateDecision:
    """Decide whether the targeted arm may replace the head.

    Promoted when every one-sided 95 % bound holds: the primary metric worse neither than the
    head's model nor than the arm ``real`` by more than ``margin``, and no guarded metric worse
    than the head's by more than its own margin.

    Args:
        y: Labels of the gate rows, ``(n,)``.
        groups: Their groups, ``(n,)``.
        probs: Class probabilities by arm, ``(S, n, classes)``: ``targeted``, ``real``, the
            control, and ``head`` with the head's model (one replicate or more). ``head`` is
            None when the campaign has no model yet; guarded metrics are then held against
            ``real``. Arms with different numbers of replicates resample their own.
        metric: The primary metric.
        guarded: Margin by name of each guarded metric, in units of that metric.
        metrics: The guarded metrics by name.
        margin: Margin of the primary metric, in its units (0.01 is one point).
        alpha: Error rate that superiority may spend over the whole campaign.
        t: Number of this gate in the campaign, counted from 1.
        control: Arm that superiority is measured against.
        resamples: Bootstrap resamples.
        seed: Equal seeds give equal decisions.

    Raises:
        ConfigurationError: If a guarded metric is unknown.
        ShapeError: If an arm is missing or its probabilities do not fit.
    """
    missing = sorted({"targeted", "real", "head", control} - probs.keys())
    if missing:
        raise ShapeError(
            f"the gate needs probabilities of {missing} too, got those of {sorted(probs)}; "
            "pass None as `head` when there is no model yet."
        )
    unknown = sorted(guarded.keys() - metrics.keys())
    if unknown:
        raise ConfigurationError(
            f"`gate.guarded` names {unknown}, but the metrics are {sorted(metrics)}; "
            "use one of those."
        )

    def advantage(one: Metric, against: str, confidence: float) -> Interval:
        targeted, other = probs["targeted"], probs[against]
        if targeted is None or other is None:
            raise ShapeError(f"the gate cannot compare targeted with {against}: one is None.")
        difference = paired_bootstrap(
            one,
            y,
            targeted,
            other,
            groups,
            resamples=resamples,
            seed=seed,
            confidence=confidence,
            one_sided=True,
        )
        return difference if one.higher_is_better else _mirrored(difference)

    def bound(one: Metric, against: str, allowed: float) -> Bound:
        found = advantage(one, against, CONFIDENCE)
        holds = found.low >= -allowed
        return Bound(one.name, against, found.value, found.low, allowed, holds)

    baselines = ["real"] if probs["head"] is None else ["head", "real"]
    bounds = [bound(metric, against, margin) for against in baselines]
    bounds += [bound(metrics[name], baselines[0], guarded[name]) for name in sorted(guarded)]
    superiority_alpha = alpha_at(t, alpha)
    superiority = advantage(metric, control, 1.0 - superiority_alpha)
    is_superior = superiority.low > 0.0
    return GateDecision(
        all(one.holds for one in bounds),
        _reason(bounds, metric.name, control, superiority, superiority_alpha),
        tuple(bounds),
        superiority,
        superiority_alpha,
        is_superior,
    )


def _mirrored(interval: Interval) -> Interval:
    return Interval(-interval.value, -interval.high, -interval.low, interval.n)


def _reason(
    bounds: list[Bound], metric: str, control: str, superiority: Interval, alpha: float
) -> str:
    """Say in plain words what decided, with the numbers, and whether targeted was better."""
    failed = [bound for bound in bounds if not bound.holds]
    if failed:
        verdict = "refused: " + "; ".join(
            f"{one.name} could be {-one.low:.4f} worse than {one.against}, beyond the margin of "
            f"{one.margin:.4f} (measured {one.value:+.4f}, one-sided 95 % bound {one.low:+.4f})"
            for one in failed
        )
    else:
        verdict = "promoted: " + "; ".join(
            f"{one.name} against {one.against} {one.value:+.4f}, at worst {one.low:+.4f}, "
            f"margin {one.margin:.4f}"
            for one in bounds
        )
    shown = "shown" if superiority.low > 0.0 else "not shown"
    return (
        f"{verdict}. Better than {control} in {metric}: {shown} ({superiority.value:+.4f}, bound "
        f"{superiority.low:+.4f} at alpha {alpha:.4f}, n={superiority.n})."
    )
