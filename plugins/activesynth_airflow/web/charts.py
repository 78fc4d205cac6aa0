"""Figures of pages, as the plain JSON documents that plotly.js draws."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.experiments.plots import Figure, arm_colour, curve, layout
from activesynth.experiments.summary import CampaignSummary, Estimate, IterationSummary

_GOOD, _BAD, _SOFT = "#009e73", "#d55e00", "#8a8a8a"
BINS = 10
"""Of the reliability diagram, equal in width, as in Guo et al. 2017."""


def efficiency(summary: CampaignSummary) -> list[Figure]:
    """Draw the primary metric of targeted against labels bought and rows made so far."""
    found = [
        (turn, turn.arms["targeted"][summary.metric])
        for turn in summary.iterations
        if summary.metric in turn.arms.get("targeted", {})
    ]
    labels = np.cumsum([turn.labels for turn, _ in found]).tolist()
    made = np.cumsum([turn.accepted for turn, _ in found]).tolist()
    values = [estimate.value for _, estimate in found]
    spread = {
        "type": "data",
        "symmetric": False,
        "array": [(e.high or e.value) - e.value for _, e in found],
        "arrayminus": [e.value - (e.low if e.low is not None else e.value) for _, e in found],
    }
    figures = []
    for name, x in (("labels bought", labels), ("synthetic rows accepted", made)):
        trace = {
            "type": "scatter",
            "mode": "lines+markers",
            "x": x,
            "y": values,
            "error_y": spread,
            "line": {"color": _BAD},
            "name": "targeted",
        }
        figures.append(_figure(f"{summary.metric} against {name}", [trace], name))
    return figures if found else []


def fairness(rows: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Draw differences between groups of people over the iterations, a line per arm."""
    figures = []
    for name in dict.fromkeys(str(row["name"]) for row in rows):
        of_name = [row for row in rows if row["name"] == name]
        arms = dict.fromkeys(str(row["arm"]) for row in of_name)
        traces = [
            curve(
                arm,
                [
                    (float(row["iteration"]), Estimate(row["value"], row["low"], row["high"]))
                    for row in of_name
                    if row["arm"] == arm
                ],
                arm_colour(arm, position),
            )
            for position, arm in enumerate(arms)
        ]
        figures.append(_figure(name, traces, "iteration"))
    return figures


def funnel(turn: IterationSummary) -> Figure:
    """Draw how many candidates were made, and what became of them."""
    reasons = sorted(turn.rejected.items(), key=lambda item: item[1])
    names = [*(name.replace("_", " ") for name, _ in reasons), "accepted", "made"]
    counts = [*(count for _, count in reasons), turn.accepted, turn.candidates]
    colours = [*(_BAD for _ in reasons), _GOOD, _SOFT]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": counts,
        "y": [escape(name) for name in names],
        "marker": {"color": colours},
        "text": [str(count) for count in counts],
        "textposition": "auto",
    }
    return _figure("candidates made for weaknesses", [trace], "samples", left=170)


def costs(turn: IterationSummary) -> Figure:
    """Draw the seconds of each step."""
    steps = sorted(turn.seconds.items(), key=lambda item: item[1])
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [round(s, 2) for _, s in steps],
        "y": [escape(name) for name, _ in steps],
        "marker": {"color": "#0072b2"},
    }
    return _figure("seconds per step", [trace], "seconds", left=120)


KINDS = {
    "train": ("train", "#8a8a8a", "circle", 4),
    "pool": ("pool", "#b8b8b8", "circle", 4),
    "guide": ("guide", "#56b4e9", "circle", 4),
    "uncertain": ("guide, uncertain", "#d55e00", "circle", 7),
    "weak": ("real, in a weak cluster", "#cc79a7", "circle-open", 10),
    "rejected": ("synthetic, rejected", "#e69f00", "x-thin-open", 6),
    "accepted": ("synthetic, accepted", "#009e73", "diamond", 6),
}
"""Of the points of a map: name, colour, symbol and size; what matters most is drawn last."""


def embedding_map(
    drawn: Mapping[str, Array], tau: float, weak: Collection[int]
) -> tuple[Figure, list[int]]:
    """Draw rows in the plane of the train rows; return the clusters that are on it, too.

    Args:
        drawn: As the screen wrote it: ``ids``, ``x``, ``y``, ``cluster``, ``kind``, ``entropy``.
        tau: Entropy above which a guide row is in the uncertain region.
        weak: Clusters of open weaknesses.
    """
    kind, cluster = drawn["kind"], drawn["cluster"]
    is_real = np.isin(kind, ("train", "pool", "guide"))
    uncertain = (kind == "guide") & (np.nan_to_num(drawn["entropy"]) > tau)
    chosen = {
        **{name: (kind == name) & ~uncertain for name in ("train", "pool", "guide")},
        "uncertain": uncertain,
        "weak": is_real & np.isin(cluster, list(weak)),
        "rejected": kind == "rejected",
        "accepted": kind == "accepted",
    }
    traces: list[Figure] = []
    for name, (title, colour, symbol, size) in KINDS.items():
        here = np.flatnonzero(chosen[name])
        points = zip(drawn["ids"][here].tolist(), cluster[here].tolist(), strict=True)
        if len(here):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": title,
                    "meta": name,
                    "x": drawn["x"][here].round(3).tolist(),
                    "y": drawn["y"][here].round(3).tolist(),
                    "customdata": [list(point) for point in points],
                    "marker": {"color": colour, "symbol": symbol, "size": size, "opacity": 0.8},
                    "hovertemplate": title + ", cluster %{customdata[1]}<extra></extra>",
                }
            )
    share = float(drawn["share"][0])
    figure = _figure("embeddings", traces, f"{share:.0%} of the variance of train")
    figure["layout"] |= {"height": 520, "dragmode": "select", "hovermode": "closest"}
    return figure, sorted(set(cluster.tolist()))


@dataclass(frozen=True, slots=True)
class Predictions:
    """What arms predicted on guide.

    Attributes:
        classes: Names by label.
        ids: Samples ``(n,)``.
        labels: True labels ``(n,)``.
        said: Arm to predicted labels ``(n,)`` and how sure it was of them ``(n,)``.
    """

    classes: Sequence[str]
    ids: Array
    labels: Array
    said: Mapping[str, tuple[Array, Array]]

    def figures(self) -> dict[str, list[Figure]]:
        """Draw confusion matrices and the reliability diagram."""
        shown = [arm for arm in ("real", "targeted") if arm in self.said] or list(self.said)[:2]
        return {
            "confusion": [self._confusion(arm) for arm in shown],
            "reliability": [self._reliability()],
        }

    def _confusion(self, arm: str) -> Figure:
        names = [escape(name) for name in self.classes]
        table = np.zeros((len(names), len(names)), np.int64)
        np.add.at(table, (self.labels, self.said[arm][0]), 1)
        # A share of the row's class: rare classes are what this is about.
        shares = table / np.maximum(1, table.sum(axis=1, keepdims=True))
        trace = {
            "type": "heatmap",
            "meta": {"arm": arm},
            "z": shares.round(4).tolist(),
            "x": names,
            "y": names,
            "colorscale": "Cividis",
            "zmin": 0,
            "zmax": 1,
            "text": table.tolist(),
            "texttemplate": "%{text}",
            "showscale": False,
            "hovertemplate": "true %{y}, predicted %{x}: %{text}<extra></extra>",
        }
        figure = _figure(f"confusion on guide, {arm}", [trace], "predicted", left=80)
        shared = {"type": "category", "showgrid": False, "automargin": True}
        figure["layout"] |= {
            "height": 400,
            "yaxis": {**shared, "title": {"text": "true"}, "autorange": "reversed"},
            "xaxis": {**shared, "title": {"text": "predicted"}},
        }
        return figure

    def _reliability(self) -> Figure:
        traces: list[Figure] = [
            {
                "type": "scatter",
                "mode": "lines",
                "x": [0, 1],
                "y": [0, 1],
                "name": "calibrated",
                "line": {"color": _SOFT, "dash": "dot"},
            }
        ]
        for arm, (predicted, confidence) in self.said.items():
            is_right = predicted == self.labels
            places = np.minimum((confidence * BINS).astype(int), BINS - 1)
            filled = [b for b in range(BINS) if (places == b).any()]
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": escape(arm),
                    "x": [float(confidence[places == b].mean().round(4)) for b in filled],
                    "y": [float(is_right[places == b].mean().round(4)) for b in filled],
                    "text": [f"{int((places == b).sum())} rows" for b in filled],
                }
            )
        return _figure("reliability on guide", traces, "confidence")


def weakness_table(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a line per weakness ever seen: its latest state, and its states over time."""
    lines: dict[str, dict[str, Any]] = {}
    for row in rows:
        line = lines.setdefault(str(row["weakness"]), {"states": []})
        line["states"].append((int(row["iteration"]), str(row["state"])))
        line["latest"] = row
    order = {"regressed": 0, "open": 1, "closed": 2}
    return sorted(
        lines.values(),
        key=lambda line: (order.get(line["states"][-1][1], 3), -float(line["latest"]["gap"])),
    )


def _figure(title: str, traces: list[Figure], x: str, *, left: int = 60) -> Figure:
    drawn = {
        **layout(300),
        "title": {"text": escape(title.replace("_", " ")), "x": 0.02, "font": {"size": 13}},
    }
    drawn["xaxis"] = {**drawn.get("xaxis", {}), "title": {"text": escape(x)}}
    drawn["margin"] = {**drawn.get("margin", {}), "l": left}
    drawn["showlegend"] = len(traces) > 1
    # Below: beside the plot it would leave nothing of it on a narrow screen.
    drawn["legend"] = {"orientation": "h", "y": -0.25}
    return {"data": traces, "layout": drawn}
