"""What the numbers say and what they do not, in plain words.

The one rule: an interval that includes zero shows nothing, in either direction.
"""

from __future__ import annotations

from dataclasses import dataclass

from activesynth.experiments.summary import (
    TARGETED,
    CampaignSummary,
    Estimate,
    IterationSummary,
)


@dataclass(frozen=True, slots=True)
class PlainWords:
    """Sentences about what was gained, what was not, and what could not have been seen."""

    gained: tuple[str, ...]
    not_gained: tuple[str, ...]
    limits: tuple[str, ...]


def plain_words(summary: CampaignSummary) -> PlainWords:
    """Say in sentences what a campaign has shown so far."""
    if not summary.iterations:
        return PlainWords(
            (), ("Nothing yet: no iteration of this campaign has been committed.",), ()
        )
    gained: list[str] = []
    missing: list[str] = []
    for iteration in summary.iterations:
        _say_lift(summary, iteration, gained, missing)
        _say_decision(iteration, gained, missing)
        _say_weaknesses(iteration, gained, missing)
    _say_real_rows(summary, gained, missing)
    _say_uncertain_share(summary, gained, missing)
    return PlainWords(tuple(gained), tuple(missing), tuple(_limits(summary)))


def points(value: float) -> str:
    """Return a difference of shares as signed percentage points."""
    return f"{_signed(value)} points"


def interval(estimate: Estimate) -> str:
    """Return ``value [low, high]``, or the value alone where no interval is recorded."""
    text = f"{_rounded(estimate.value):.3f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{_rounded(estimate.low):.3f}, {_rounded(estimate.high):.3f}]"


def _rounded(value: float) -> float:
    return round(value, 3) + 0.0  # adding zero turns -0.0 into 0.0


def _signed(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:+.1f}"


def _with_sign(value: float) -> str:
    return f"{_rounded(value):+.3f}"


def _say_lift(
    summary: CampaignSummary, iteration: IterationSummary, gained: list[str], missing: list[str]
) -> None:
    lift, what = iteration.lift, f"against `{summary.control}` in {summary.metric}"
    where = f"Iteration {iteration.number}"
    if lift is None:
        missing.append(f"{where}: no lift was recorded.")
        return
    higher = summary.higher_is_better
    # Where lower is better the metric need not be a share, so there are no points of it.
    say = _signed if higher else _with_sign
    value = points(lift.value) if higher else f"{_with_sign(lift.value)} (lower is better)"
    text = f"{where}: the lift of targeted data {what} is {value}"
    if lift.low is not None and lift.high is not None:
        text += f", interval {say(lift.low)} to {say(lift.high)}"
    if lift.is_shown if higher else lift.is_shown_negative:
        gained.append(f"{text}: shown.")
    elif lift.is_shown_negative if higher else lift.is_shown:
        missing.append(f"{text}: targeted data did harm here.")
    elif lift.low is None:
        missing.append(f"{text}, without an interval: not shown.")
    else:
        missing.append(f"{text}: not shown, for the interval includes zero.")


def _say_decision(iteration: IterationSummary, gained: list[str], missing: list[str]) -> None:
    where = f"Iteration {iteration.number}"
    if iteration.decision == "promoted":
        gained.append(
            f"{where}: the gate promoted the new dataset and model: by its bounds they are not "
            "worse beyond the margins. That is less than being better."
        )
        return
    labels = (
        f" The {iteration.labels} bought labels are kept: they are in the next version."
        if iteration.labels and iteration.version
        else ""
    )
    if iteration.decision == "not_gated":
        missing.append(f"{where}: the gate is off, so nothing was promoted.{labels}")
        return
    missing.append(f"{where}: the gate refused ({iteration.reason.rstrip('.')}).{labels}")


def _say_weaknesses(iteration: IterationSummary, gained: list[str], missing: list[str]) -> None:
    where = f"Iteration {iteration.number}"
    if iteration.closed:
        gained.append(f"{where}: closed on fresh rows: {', '.join(iteration.closed)}.")
    if iteration.regressed:
        missing.append(f"{where}: closed before and back again: {', '.join(iteration.regressed)}.")


def _say_real_rows(summary: CampaignSummary, gained: list[str], missing: list[str]) -> None:
    """Compare the last ``targeted`` model with the first ``real`` one: two unpaired intervals."""
    first, last = summary.iterations[0], summary.iterations[-1]
    before = first.arms.get("real", {}).get(summary.metric)
    after = last.arms.get(TARGETED, {}).get(summary.metric)
    if before is None or after is None or first is last:
        return
    labels = sum(iteration.labels for iteration in summary.iterations[1:])
    text = (
        f"From `real` in iteration {first.number} to `{TARGETED}` in iteration {last.number}, "
        f"{summary.metric} went from {interval(before)} to {interval(after)}, "
        f"with {labels} labels bought in between"
    )
    better, worse = (after, before) if summary.higher_is_better else (before, after)
    if better.low is not None and worse.high is not None and better.low > worse.high:
        gained.append(f"{text}: the intervals do not overlap.")
    else:
        missing.append(f"{text}: the intervals overlap or are missing, so no gain is shown.")


def _say_uncertain_share(summary: CampaignSummary, gained: list[str], missing: list[str]) -> None:
    first, last = summary.iterations[0], summary.iterations[-1]
    before, after = first.uncertain_share, last.uncertain_share
    if before is None or after is None or first is last:
        return
    text = (
        f"The uncertain share of guide went from {100 * before.value:.1f} % to "
        f"{100 * after.value:.1f} %"
    )
    if after.high is not None and before.low is not None and after.high < before.low:
        gained.append(f"{text}: the intervals do not overlap.")
    else:
        missing.append(f"{text}: within what chance does to so few rows.")


def _limits(summary: CampaignSummary) -> list[str]:
    last = summary.iterations[-1]
    if last.detectable_lift is None:
        return ["How small a lift this data could show was not recorded."]
    where = "guide" if last.decision == "not_gated" else "the gate"
    return [
        f"With {last.detectable_lift.n} rows in {where}, a lift under about "
        f"{100 * last.detectable_lift.value:.1f} points would most likely stay unseen, however "
        "real it was: absence of a gain here is no proof that there is none."
    ]
