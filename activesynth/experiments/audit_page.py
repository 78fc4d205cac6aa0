"""The sections "Alarms" and "Audits" of a campaign's report, and their figure."""

from __future__ import annotations

from html import escape

from activesynth.experiments.audits import AuditedArm, AuditSummary
from activesynth.experiments.plots import Figure, arm_colour, layout, title

ALARMS = """
{% if audits.watched %}
<section><h2>Alarms</h2>
{% if audits.raised %}
<ul>{% for one in audits.raised %}
<li class="refused">Iteration {{ one.iteration }}, {{ one.name | replace("_", " ") }}:
{{ one.said }}; {{ one.measured | interval if one.measured else "" }}, limit
{{ "%.3g" | format(one.limit) }}.
{{ "It refuses a promotion." if one.blocks else "It only warns." }}</li>
{% endfor %}</ul>
{% else %}
<p>No alarm was raised.</p>
{% endif %}
<p class="soft">What each sentinel measured in the last iteration. Falls are counted from the first
iteration; one is alarming when its whole interval lies beyond the limit.</p>
<div class="wide"><table>
<tr><th>sentinel</th><th>state</th><th>measured</th><th>rows</th><th>limit</th><th>if raised</th>
<th>it would mean</th></tr>
{% for one in audits.latest %}
<tr><td>{{ one.name | replace("_", " ") }}</td>
<td class="{{ 'refused' if one.is_raised else '' }}">
{{- "raised" if one.is_raised else "quiet" if one.measured else "no comparison" }}</td>
<td class="number">{{ one.measured | interval if one.measured else "" }}</td>
<td class="number">{{ one.measured.n if one.measured else "" }}</td>
<td class="number">{{ "%.3g" | format(one.limit) }}</td>
<td>{{ "refuses" if one.blocks else "warns" }}</td>
<td class="text">{{ one.said }}</td></tr>
{% endfor %}
</table></div></section>
{% endif %}
"""

AUDITS = """
{% macro audited(columns, arms) %}
<div class="wide"><table class="narrow">
<tr><th>iteration</th><th>arm</th>
{% for heading, _ in columns %}<th>{{ heading }}</th>{% endfor %}</tr>
{% for one in arms %}<tr><td class="number">{{ one.iteration }}</td><td>{{ one.arm }}</td>
{% for _, name in columns %}<td class="number">
{%- if name in one.found %}{{ one.found[name] | interval }}
{%- if one.found[name].n %}<div class="soft">n = {{ one.found[name].n }}</div>{% endif %}
{%- elif name in one.needed %}<span class="soft">too few rows: {{ one.needed[name].n }} of
{{ one.needed[name].value | int }}</span>{% endif %}</td>
{% endfor %}</tr>
{% endfor %}
</table></div>
{% endmacro %}
{% if audits.has_audits %}
<section><h2>Audits</h2>
<p class="soft">Measured on rows of guide. Models are those that would serve.</p>
{% for iteration, name, why in audits.refused %}
<p class="refused">Iteration {{ iteration }}: {{ name }} was not audited
({{ why | replace("_", " ") }}); the log says why.</p>
{% endfor %}
{% if audits.robustness %}
<h3>Corrupted rows, iteration {{ audits.robustness[0].iteration }}</h3>
<p class="soft">Known are the families of corruptions that targeted data was made for.</p>
<div class="pair">{{ plot("robustness") }}</div>
<div class="wide"><table class="narrow"><tr><th>accuracy, mean over severities</th>
{% for one in audits.robustness %}<th>{{ one.arm }}</th>{% endfor %}</tr>
{% for family in audits.families %}<tr><td>{{ audits.title_of(family) }}</td>
{% for one in audits.robustness %}
<td class="number">
{{- one.found[family ~ ":mean"] | interval if (family ~ ":mean") in one.found else "" }}</td>
{% endfor %}</tr>{% endfor %}
</table></div>
{% endif %}
{% if audits.attacks %}
<h3>Accuracy under attack</h3>
<p class="soft">An upper bound: a stronger attack leaves less.</p>
{{ audited(attack_columns, audits.attacks) }}
{% endif %}
{% if audits.features %}
<h3>How real synthetic rows are</h3>
<p class="soft">Invented rows of each branch against guide, in the frozen embedding. "Of real rows"
is what as many rows of train score: only numbers of equal n compare.</p>
{{ audited(feature_columns, audits.features) }}
<h3>Whether they are copies</h3>
<p class="soft">0.5 is what new real rows would have for "nearer" and for membership, 0.05 for
"closer".</p>
{{ audited(copy_columns, audits.features) }}
{% endif %}
{% if audits.membership %}
<h3>What the models give away</h3>
<p class="soft">How well their loss tells train rows from others (area under the curve).</p>
{{ audited((("membership by loss", "membership_by_loss"),), audits.membership) }}
{% endif %}
</section>
{% endif %}
"""


def attack_columns(audits: AuditSummary) -> tuple[tuple[str, str], ...]:
    """Return heading and slice of every attack."""
    return tuple(
        ("clean" if name == "attack:none" else name.removeprefix("attack:"), name)
        for name in audits.attack_names
    )


def robustness_curves(audits: AuditSummary) -> list[Figure]:
    """Draw accuracy by severity, families known and unknown, each arm in its colour.

    Severity 0 is the clean accuracy. Nothing was drawn where nothing was measured.
    """
    figures: list[Figure] = []
    for side, dash in (("known", "solid"), ("unknown", "dash")):
        traces = [
            trace
            for place, one in enumerate(audits.robustness)
            if (trace := _curve(one, side, dash, place)) is not None
        ]
        if traces:
            shape: Figure = layout(height=340)
            shape |= {
                "title": title(f"accuracy on {side} families of corruptions"),
                "xaxis": {"title": {"text": "severity"}, "range": [-0.04, 1.04]},
                "yaxis": {"automargin": True, "range": [0, 1.04]},
                "legend": {"orientation": "h", "y": -0.25, "yanchor": "top"},
            }
            figures.append({"data": traces, "layout": shape})
    return figures


def _curve(one: AuditedArm, side: str, dash: str, place: int) -> Figure | None:
    at = {
        float(name.removeprefix(f"{side}@")): found
        for name, found in one.found.items()
        if name.startswith(f"{side}@")
    }
    if not at:
        return None
    if "corruption:none" in one.found:
        at[0.0] = one.found["corruption:none"]
    found = [at[severity] for severity in sorted(at)]
    shift = 0.012 * place  # intervals on one spot would hide each other
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": escape(one.arm),  # plotly reads a few tags in labels
        "x": [severity + shift for severity in sorted(at)],
        "y": [estimate.value for estimate in found],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [0.0 if e.high is None else max(0.0, e.high - e.value) for e in found],
            "arrayminus": [0.0 if e.low is None else max(0.0, e.value - e.low) for e in found],
            "thickness": 1.2,
            "width": 4,
        },
        "line": {"color": arm_colour(one.arm, place), "width": 2, "dash": dash},
        "marker": {"size": 7},
    }
