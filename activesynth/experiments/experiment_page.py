"""The report of an experiment: one HTML file and one CSV, with what holds and what does not."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from activesynth.experiments.analysis import Analysis, Outcome, Saving
from activesynth.experiments.cells import SPLIT_OF, Registered
from activesynth.experiments.fairness_table import fairness_table
from activesynth.experiments.page import document
from activesynth.experiments.report import render_page, write_whole

COLOURS = ("#d55e00", "#8a8a8a", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#5d3a9b")
SPENT = ("labels", "synthetic", "seconds")
IDENTICAL = 1e-9
"""Width of an interval under which there was no difference at all."""

_BODY = """
<h1>Experiment {{ name }}</h1>
<p>{{ description }}</p>
<p class="soft">Registered as <code>{{ registration[:12] }}</code> before it ran. {{ phase }},
{{ seeds | length }} {{ unit }}{{ "s" if seeds | length != 1 }} ({{ seeds | join(", ") }}), scored
on {{ split }}. {{ tail }}</p>

<section><h2>What holds, and what does not</h2>
<ul>{% for line in said %}<li class="{{ line[0] }}">{{ line[1] }}</li>{% endfor %}</ul>
{{ plot("claims") }}
</section>

<section><h2>Scores after the last iteration</h2>
<p class="soft">Mean over {{ unit }}s, and in brackets the smallest and the largest.</p>
<div class="wide"><table class="narrow"><tr><th>contender</th>
{% for metric in metrics %}<th>{{ metric | replace("_", " ") }}</th>{% endfor %}</tr>
{% for title, row in table %}<tr><td>{{ title }}</td>
{% for value in row %}<td class="number">{{ value }}</td>{% endfor %}</tr>{% endfor %}
</table></div></section>

{% if fairness %}
<section><h2>Fairness by {{ fairness.attribute }}</h2>
<p class="soft">After the last iteration, mean over the trainings of all {{ unit }}s.</p>
{{ fairness_of(fairness) }}</section>
{% endif %}

<section><h2>What it cost</h2>
<p class="soft">The frontier: score against labels, synthetic rows and seconds spent so far, after
each iteration; mean over seeds. Seconds are those of the whole campaign, all of its arms. What is
the same for all is not drawn.</p>
<div class="pair">{{ plot("frontier") }}</div></section>

<section><h2>By seed</h2><div class="pair">{{ plot("seeds") }}</div></section>
"""


def sentences(analysis: Analysis, unit: str = "seed") -> list[tuple[str, str]]:
    """Say of each claim whether it holds, with a style class; the primary one first.

    ``unit`` is what :func:`unit_of` calls that which may be missing.
    """
    lines = [(_style(found.verdict), _said(found)) for found in analysis.outcomes]
    if analysis.missing:
        told = ", ".join(map(str, analysis.missing))
        lines.insert(
            0, ("refused", f"Incomplete: {unit}s {told} are missing, so nothing is decided.")
        )
    return lines + [(_style(found.verdict), _saved(found)) for found in analysis.savings]


def as_csv(analysis: Analysis) -> str:
    """Return every score, a row each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["variant", "seed", "iteration", "arm", "metric", "value", "n"])
    for row in analysis.scores:
        writer.writerow(
            [row.variant, row.seed, row.iteration, row.arm, row.metric, f"{row.value:.8g}", row.n]
        )
    return text.getvalue()


def write_experiment(registered: Registered, analysis: Analysis, folder: Path) -> tuple[Path, Path]:
    """Write page and CSV, each whole or not at all, and return their paths."""
    stem = f"{registered.config.name}-{analysis.phase}"
    page = render_page(document("{{ name }}", _BODY), **_facts(registered, analysis))
    return (
        write_whole(page, folder / f"{stem}.html"),
        write_whole(as_csv(analysis), folder / f"{stem}.csv"),
    )


def last_scores(registered: Registered, analysis: Analysis) -> list[tuple[str, list[list[float]]]]:
    """Return, per contender, each kept metric's values by seed after the last iteration."""
    config = registered.config
    last = config.iterations - 1
    metrics = [name for name in config.scored if name != "tail3"]
    found = []
    for title, contender in config.contenders.items():
        own = {
            (row.metric, row.seed): row.value
            for row in analysis.scores
            if (row.variant, row.arm, row.iteration) == (contender.variant, contender.arm, last)
        }
        found.append(
            (title, [[own[m, s] for s in analysis.seeds if (m, s) in own] for m in metrics])
        )
    return found


def unit_of(registered: Registered) -> str:
    """Return what the numbers are spread over: seeds, or the repeats of a cross-validation."""
    return "seed" if registered.config.folds is None else "repeat"


def _facts(registered: Registered, analysis: Analysis) -> dict[str, Any]:
    config = registered.config
    metrics = [name for name in config.scored if name != "tail3"]
    table = [
        (title, [_range(values) for values in row])
        for title, row in last_scores(registered, analysis)
    ]
    # What the primary claim is about, where cells have a score of that name.
    told = config.primary.metric if config.primary.metric in metrics else metrics[0]
    tail = ""
    if any(found.claim.metric == "tail3" for found in analysis.outcomes):
        classes = ", ".join(map(str, analysis.tail))
        tail = f"tail3 is the mean recall of classes {classes}, which `real` is worst at on guide."
    return {
        "name": config.name,
        "description": config.description,
        "registration": registered.digest,
        "phase": analysis.phase.capitalize(),
        "seeds": analysis.seeds,
        "unit": unit_of(registered),
        "fairness": fairness_table(asdict(row) for row in analysis.fairness),
        "split": SPLIT_OF[analysis.phase],
        "tail": tail,
        "said": sentences(analysis, unit_of(registered)),
        "metrics": metrics,
        "table": table,
        "figures": {
            "claims": [claims_figure(analysis.outcomes)],
            "frontier": frontier(registered, analysis, told),
            "seeds": [
                _seeds(found, analysis.seeds, unit_of(registered)) for found in analysis.outcomes
            ],
        },
    }


def _style(verdict: str) -> str:
    return {"holds": "promoted", "refuted": "refused"}.get(verdict, "")


def _said(found: Outcome) -> str:
    claim, scale = found.claim, 100.0
    kind = "Primary" if found.is_primary else "Secondary"
    target = f", target {scale * claim.at_least:+.1f}" if claim.at_least else ""
    if claim.above:
        target += f", claimed to lie above {scale * claim.above:+.1f} for certain"
    # Equal in every resample as well, so they predicted alike: two arms of the same rows, say.
    is_empty = not any(found.by_seed) and found.high - found.low < IDENTICAL
    remark = " (they predicted alike, so nothing was compared)" if is_empty else ""
    return (
        f"{kind}: {claim.better} against {claim.than} in {claim.metric.replace('_', ' ')}: "
        f"{scale * found.value:+.2f} points [{scale * found.low:+.2f}, {scale * found.high:+.2f}]"
        f"{target}: {found.verdict}{remark}."
    )


def _saved(found: Saving) -> str:
    asked = found.asked
    missed = f"; {found.not_reached} seeds ended below it" if found.not_reached else ""
    return (
        f"Labels saved by {asked.of} on the way to the final {asked.metric.replace('_', ' ')} of "
        f"{asked.than}: {100 * found.value:.0f} % [{100 * found.low:.0f}, {100 * found.high:.0f}]"
        f", target {100 * asked.at_least:.0f} %{missed}: {found.verdict}."
    )


def _range(values: Sequence[float]) -> str:
    if not values:
        return ""
    mean = sum(values) / len(values)
    return f"{mean:.3f} [{min(values):.3f}, {max(values):.3f}]"


def claims_figure(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Draw every claim's difference in points with its interval, as plotly's JSON."""
    names = [
        escape(f"{o.claim.better} - {o.claim.than}, {o.claim.metric.replace('_', ' ')}")
        for o in outcomes
    ]
    # An open circle where there is no interval: a bar of no length would look like certainty.
    symbols = ["circle-open" if o.high == float("inf") else "circle" for o in outcomes]
    finite = [o.high - o.value if o.high != float("inf") else 0.0 for o in outcomes]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [100 * o.value for o in outcomes],
        "y": names,
        "error_x": {"type": "data", "array": [100 * half for half in finite], "color": "#8a8a8a"},
        "marker": {
            "color": [COLOURS[0] if o.is_primary else COLOURS[2] for o in outcomes],
            "size": 9,
            "symbol": symbols,
        },
    }
    layout = _layout("paired difference in points, 95 %")
    layout["yaxis"] |= {"autorange": "reversed", "automargin": True}
    layout["height"] = 140 + 34 * len(names)
    layout["shapes"] = [
        {
            **{"type": "line", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1},
            "line": {"color": "#8a8a8a", "dash": "dot", "width": 1},
        }
    ]
    return {"data": [trace], "layout": layout}


def frontier(registered: Registered, analysis: Analysis, metric: str) -> list[dict[str, Any]]:
    """Return a figure of a metric against each kind of expense that is not the same for all."""
    config, figures = registered.config, []
    for what in SPENT:
        traces = []
        for number, (title, contender) in enumerate(config.contenders.items()):
            points = _means(analysis, contender.variant, contender.arm, metric, what)
            if points:
                traces.append(
                    {
                        "type": "scatter",
                        "mode": "lines+markers",
                        "name": escape(title),
                        "x": [x for x, _ in points],
                        "y": [y for _, y in points],
                        "line": {"color": COLOURS[number % len(COLOURS)]},
                    }
                )
        if len({x for trace in traces for x in trace["x"]}) < 2:
            continue
        layout = _layout(f"{metric} against {what}".replace("_", " "))
        layout["xaxis"]["title"] = {"text": what}
        figures.append({"data": traces, "layout": layout})
    return figures


def _means(
    analysis: Analysis, variant: str, arm: str, metric: str, what: str
) -> list[tuple[float, float]]:
    """Return mean (spent, score) after each iteration, over the seeds that have both."""
    own = [row for row in analysis.scores if row.variant == variant]
    spent = {(r.iteration, r.seed): r.value for r in own if r.metric == what and r.arm in ("", arm)}
    score = {(r.iteration, r.seed): r.value for r in own if (r.metric, r.arm) == (metric, arm)}
    points = []
    for iteration in sorted({number for number, _ in score}):
        both = [k for k in score if k[0] == iteration and k in spent]
        if both:
            x = sum(spent[k] for k in both) / len(both)
            points.append((x, sum(score[k] for k in both) / len(both)))
    return points


def _seeds(found: Outcome, seeds: Sequence[int], unit: str) -> dict[str, Any]:
    title = f"{found.claim.better} - {found.claim.than}, {found.claim.metric}".replace("_", " ")
    trace = {
        "type": "bar",
        "x": [str(seed) for seed in seeds],
        "y": [100 * value for value in found.by_seed],
        "marker": {"color": COLOURS[0] if found.is_primary else COLOURS[2]},
    }
    layout = _layout(f"{escape(title)}, points")
    layout["xaxis"] = {"type": "category", "title": {"text": unit}}
    return {"data": [trace], "layout": layout}


def _layout(title: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 14}},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 56, "r": 16, "t": 44, "b": 44},
        "height": 320,
        "xaxis": {},
        "yaxis": {},
    }
