"""Plotly figures of a campaign, as the plain JSON documents that plotly.js draws.

They are built without plotly's Python objects, whose import costs a second; a test holds them to
plotly's own schema.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from activesynth.experiments.summary import CampaignSummary, Estimate

Figure = dict[str, Any]

# Okabe and Ito's colours, told apart by people with any colour vision.
_ARM_COLOURS = {
    "real": "#8a8a8a",
    "reweighted": "#0072b2",
    "random": "#e69f00",
    "targeted": "#d55e00",
}
_OTHER_COLOURS = ("#009e73", "#cc79a7", "#56b4e9", "#b8a900", "#5d3a9b", "#994f00")
_ACCEPTED = "#009e73"
_REASONS = ("#d55e00", "#e69f00", "#cc79a7", "#56b4e9", "#8a8a8a", "#5d3a9b", "#994f00")
_STEPS = (
    *("#0072b2", "#56b4e9", "#009e73", "#b8a900", "#e69f00", "#d55e00", "#cc79a7", "#5d3a9b"),
    *("#994f00", "#8a8a8a", "#4aa3a2", "#a06050", "#6b8e23", "#c0c0c0", "#2a52be", "#7fbf7f"),
    *("#b05fbf", "#d2a679", "#406070", "#e08080"),
)


def arm_curves(summary: CampaignSummary, metric: str) -> Figure:
    """Draw one metric of every arm over the iterations, with intervals."""
    arms = list(dict.fromkeys(arm for turn in summary.iterations for arm in turn.arms))
    traces = []
    for position, arm in enumerate(arms):
        # Side by side within an iteration: intervals on one spot would hide each other.
        shift = 0.06 * (position - (len(arms) - 1) / 2)
        found = [
            (turn.number + shift, turn.arms[arm][metric])
            for turn in summary.iterations
            if metric in turn.arms.get(arm, {})
        ]
        if found:
            traces.append(curve(arm, found, arm_colour(arm, position)))
    return _figure(f"{metric} on guide".replace("_", " "), traces, summary)


def lift_curve(summary: CampaignSummary) -> Figure:
    """Draw the lift over the iterations, with its interval and the line at zero."""
    found = [
        (float(turn.number), turn.lift) for turn in summary.iterations if turn.lift is not None
    ]
    traces = [curve("lift", found, _ARM_COLOURS["targeted"])] if found else []
    what = f"lift in {summary.metric} over {summary.control}, on guide"
    figure = _figure(what + ("" if summary.higher_is_better else "; low is good"), traces, summary)
    figure["layout"]["shapes"] = [
        {
            **{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0},
            "line": {"color": "#8a8a8a", "dash": "dot", "width": 1},
        }
    ]
    return figure


def state_curves(summary: CampaignSummary) -> Figure:
    """Draw the uncertain share of guide and D over ln C."""
    traces = []
    for name, colour, found in (
        ("uncertain share |U_tau| / n", "#0072b2", [t.uncertain_share for t in summary.iterations]),
        ("diversity D / ln C", "#009e73", [t.evenness for t in summary.iterations]),
    ):
        points = [
            (float(turn.number), estimate)
            for turn, estimate in zip(summary.iterations, found, strict=True)
            if estimate is not None
        ]
        if points:
            traces.append(curve(name, points, colour))
    figure = _figure("uncertain share of guide, and diversity of the data", traces, summary)
    figure["layout"]["yaxis"]["range"] = [0, 1.04]
    return figure


def acceptance_bars(summary: CampaignSummary) -> Figure:
    """Draw what became of the candidates: accepted, or why not, one bar per iteration."""
    reasons = list(dict.fromkeys(name for turn in summary.iterations for name in turn.rejected))
    series = {"accepted": [turn.accepted for turn in summary.iterations]}
    series |= {
        name: [turn.rejected.get(name, 0) for turn in summary.iterations] for name in reasons
    }
    colours = (_ACCEPTED, *(_REASONS[n % len(_REASONS)] for n in range(len(reasons))))
    return _bars("candidates for weaknesses", series, colours, summary)


def step_bars(summary: CampaignSummary) -> Figure:
    """Draw the seconds of every step, one bar per iteration."""
    steps = list(dict.fromkeys(step for turn in summary.iterations for step in turn.seconds))
    series = {
        step: [round(turn.seconds.get(step, 0.0), 3) for turn in summary.iterations]
        for step in steps
    }
    return _bars(
        "seconds of new work", series, [_STEPS[n % len(_STEPS)] for n in range(len(steps))], summary
    )


def arm_colour(arm: str, position: int) -> str:
    """Return the colour of an arm, the same in every figure."""
    return _ARM_COLOURS.get(arm, _OTHER_COLOURS[position % len(_OTHER_COLOURS)])


def curve(name: str, found: list[tuple[float, Estimate]], colour: str) -> Figure:
    """Return a line through estimates ``(x, estimate)``, with their intervals."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": escape(name),  # plotly reads a few tags in labels
        "x": [x for x, _ in found],
        "y": [estimate.value for _, estimate in found],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [0 if e.high is None else max(0.0, e.high - e.value) for _, e in found],
            "arrayminus": [0 if e.low is None else max(0.0, e.value - e.low) for _, e in found],
            "thickness": 1.2,
            "width": 4,
        },
        "line": {"color": colour, "width": 2},
        "marker": {"size": 7},
    }


def _bars(
    text: str,
    series: Mapping[str, Sequence[float]],
    colours: Sequence[str],
    summary: CampaignSummary,
) -> Figure:
    labels = [f"iteration {turn.number}" for turn in summary.iterations]
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": escape(name.replace("_", " ")),
            "y": labels,
            "x": values,
            "marker": {"color": colour},
        }
        for (name, values), colour in zip(series.items(), colours, strict=True)
    ]
    return {
        "data": traces,
        "layout": {
            **layout(height=190 + 46 * len(labels)),
            "title": title(text),
            "barmode": "stack",
            "xaxis": {"automargin": True},
            "yaxis": {"autorange": "reversed", "automargin": True},
            "legend": {"orientation": "h", "y": -0.3, "yanchor": "top", "traceorder": "normal"},
        },
    }


def _figure(text: str, traces: list[Figure], summary: CampaignSummary) -> Figure:
    numbers = [turn.number for turn in summary.iterations]
    edges = [min(numbers, default=0) - 0.4, max(numbers, default=0) + 0.4]
    return {
        "data": traces,
        "layout": {
            **layout(height=340),
            "title": title(text),
            "xaxis": {"title": {"text": "iteration"}, "tickvals": _ticks(numbers), "range": edges},
            "yaxis": {"automargin": True},
            "legend": {"orientation": "h", "y": -0.25, "yanchor": "top"},
        },
    }


def _ticks(numbers: Sequence[int]) -> list[int]:
    """Return at most about 20 of the numbers, evenly apart."""
    return list(numbers[:: 1 + len(numbers) // 21])


def title(text: str) -> Figure:
    """Return a figure's title, its text escaped."""
    return {"text": escape(text), "font": {"size": 13}, "x": 0.01, "xanchor": "left"}


def layout(height: int) -> Figure:
    """Colours of text and lines are set by the page, which knows light from dark."""
    return {
        "height": height,
        "margin": {"l": 50, "r": 20, "t": 36, "b": 50},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": True,
    }
