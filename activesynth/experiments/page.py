"""The template of the report; a string, so that an installed package needs no data files."""

from __future__ import annotations

from activesynth.experiments.audit_page import ALARMS, AUDITS

_STYLE = """
:root { color-scheme: light dark; --text: #1c2430; --soft: #5a6675; --page: #f6f7f9;
  --card: #ffffff; --line: #dde2e8; --good: #00704f; --bad: #b23c00; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --soft: #9aa7b6; --page: #12161c;
  --card: #1b2129; --line: #323b47; --good: #3fc79a; --bad: #ff9a5c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1180px; background: var(--page);
  color: var(--text); font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 0 0 12px; }
h3 { font-size: 15px; margin: 18px 0 6px; }
p { margin: 0 0 8px; } .soft { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 18px; margin: 18px 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 5px 10px; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.text { overflow-wrap: anywhere; min-width: 190px; }
table.narrow { width: auto; }
ul { margin: 4px 0 12px; padding-left: 22px; } li { margin: 3px 0; }
.promoted, .accepted, .closed { color: var(--good); font-weight: 600; }
.refused, .regressed { color: var(--bad); font-weight: 600; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 12px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(158px, 1fr));
  gap: 10px; }
figure { margin: 0; padding: 8px; border: 1px solid var(--line); border-radius: 6px;
  font-size: 12px; overflow-wrap: anywhere; }
figure img { width: 64px; height: 64px; object-fit: contain; image-rendering: pixelated;
  background: #808080; border-radius: 3px; }
figure .images { display: flex; gap: 6px; margin-bottom: 4px; }
figure .missing { width: 64px; height: 64px; border: 1px dashed var(--line); border-radius: 3px;
  display: grid; place-items: center; color: var(--soft); }
@media (max-width: 520px) { body { padding: 12px; } .pair { grid-template-columns: 1fr; } }
"""

_SCRIPT = """
(function () {
  var figures = JSON.parse(document.getElementById('figures').textContent);
  var dark = window.matchMedia('(prefers-color-scheme: dark)');
  function colours() {
    var style = getComputedStyle(document.documentElement);
    var text = style.getPropertyValue('--text').trim();
    var line = style.getPropertyValue('--line').trim();
    return {'font.color': text, 'xaxis.gridcolor': line, 'yaxis.gridcolor': line,
      'xaxis.zerolinecolor': line, 'yaxis.zerolinecolor': line};
  }
  var places = [];
  document.querySelectorAll('[data-figure]').forEach(function (place) {
    var figure = figures[place.dataset.figure][Number(place.dataset.number)];
    Plotly.newPlot(place, figure.data, figure.layout, {displayModeBar: false, responsive: true})
      .then(function () { Plotly.relayout(place, colours()); });
    places.push(place);
  });
  dark.addEventListener('change', function () {
    places.forEach(function (place) { Plotly.relayout(place, colours()); });
  });
})();
"""

_MACROS = """
{% macro plot(name) %}
{% for figure in figures[name] %}
<div data-figure="{{ name }}" data-number="{{ loop.index0 }}"></div>
{% endfor %}
{% endmacro %}
{% macro sentences(title, lines) %}
{% if lines %}
<h3>{{ title }}</h3>
<ul>{% for line in lines %}<li>{{ line }}</li>{% endfor %}</ul>
{% endif %}
{% endmacro %}
{% macro fairness_of(found) %}
{% if found %}
<div class="wide"><table class="narrow">
<tr>{% for name in group_columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in found.groups %}<tr>{% for value in row %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}</table></div>
<div class="wide"><table class="narrow">
<tr>{% for name in difference_columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in found.differences %}<tr>{% for value in row %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}</table></div>
<p class="soft">{{ found.unknown | join(" ") }} Groups of fewer than 30 rows (for what is found: of
the favourable class) have no number. 0 is equal for a difference, 1 for the ratio. Intervals of
rates take rows as independent; those of differences resample groups such as patients.</p>
{% endif %}
{% endmacro %}
{% macro pictures(title, css, found) %}
{% if found %}
<h3 class="{{ css }}">{{ title }}</h3>
<div class="pictures">
{% for picture in found %}
<figure title="{{ picture.sample }}">
<div class="images"><img src="{{ picture.image }}" alt="synthetic {{ picture.label }}">
{% if picture.neighbour %}<img src="{{ picture.neighbour }}" alt="its nearest real row">
{% else %}<span class="missing">none</span>{% endif %}</div>
<div><b>{{ picture.label }}</b>, for {{ picture.weakness }}</div>
{% if picture.reason %}
<div class="{{ css }}">{{ picture.reason | replace("_", " ") }}</div>
{% endif %}
<div class="soft">{% for name, value in picture.scores %}{{ name }} {{ "%.3g" | format(value) }}
{{- ", " if not loop.last }}{% endfor %}</div>
</figure>
{% endfor %}
</div>
{% endif %}
{% endmacro %}
"""

_DECIDED = """
<h1>Campaign {{ summary.name }}</h1>
<p class="soft">Written {{ report.written.strftime("%Y-%m-%d %H:%M") }} UTC. Every number was read
from committed rows of the lineage database. Intervals are 95 %.</p>

<section><h2>In plain words</h2>
{{ sentences("Gained", report.words.gained) }}
{{ sentences("Not gained, or not shown", report.words.not_gained) }}
{{ sentences("What this data could not have shown", report.words.limits) }}
</section>

{% if report.final %}
<section><h2>On the guarded test split</h2>
<ul>{% for line in final_words %}<li>{{ line }}</li>{% endfor %}</ul>
<div class="wide"><table class="narrow">
<tr><th>model</th>{% for metric in summary.shown_metrics %}<th>{{ metric }}</th>{% endfor %}</tr>
{% for name, row in report.final.scores.items() %}
<tr><td>{{ name }}</td>
{% for metric in summary.shown_metrics %}
<td class="number">{{ row[metric] | interval }}</td>
{% endfor %}</tr>
{% endfor %}
</table></div></section>
{% endif %}

{% if summary.iterations %}
<section><h2>What the gate decided</h2><div class="wide"><table>
<tr><th>iteration</th><th>decision</th><th>reason</th><th>{{ summary.lift_names[1] }}</th>
<th>version</th></tr>
{% for turn in summary.iterations %}
<tr><td class="number">{{ turn.number }}</td>
<td class="{{ turn.decision }}">{{ turn.decision | replace("_", " ") }}</td>
<td class="text">{{ turn.reason }}</td>
<td class="number">{{ turn.gate_lift | interval if turn.gate_lift else "" }}</td>
<td><code title="{{ turn.version or '' }}">{{ (turn.version or "none")[:12] }}</code></td></tr>
{% endfor %}
</table></div></section>

"""

_MEASURED = """
<section><h2>Iterations</h2><div class="wide"><table>
<tr><th>iteration</th><th>labels</th><th>of them asked for a weakness</th><th>corrected</th>
<th>made</th><th>accepted</th><th>seconds per row made</th>
<th>{{ summary.lift_names[0] }}</th><th>uncertain share</th><th>D / ln C</th><th>weaknesses</th>
<th>seconds</th></tr>
{% for turn in summary.iterations %}
<tr><td class="number">{{ turn.number }}</td>
<td class="number">{{ turn.labels }}</td><td class="number">{{ turn.retrieved }}</td>
<td class="number">{{ turn.corrected }}</td><td class="number">{{ turn.candidates }}</td>
<td class="number">{{ turn.accepted }}</td><td class="number">
{{ "" if turn.seconds_per_row is none else "%.2f" | format(turn.seconds_per_row) }}</td>
<td class="number">{{ turn.lift | interval if turn.lift else "" }}</td>
<td class="number">{{ turn.uncertain_share | interval if turn.uncertain_share else "" }}</td>
<td class="number">{{ turn.evenness | interval if turn.evenness else "" }}</td>
<td class="text">
{% for change, titles in (("opened", turn.opened), ("closed", turn.closed),
("regressed", turn.regressed)) if titles %}
<div><b>{{ change }}</b> {{ titles | join(", ") }}</div>
{% endfor %}</td>
<td class="number">{{ "%.1f" | format(turn.seconds.values() | sum) }}</td></tr>
{% endfor %}
</table></div></section>

<section><h2>Arms on guide</h2>
<div class="pair">{{ plot("arms") }}</div>
<div class="wide"><table class="narrow">
<tr><th>iteration</th><th>arm</th>
{% for metric in summary.shown_metrics %}<th>{{ metric }}</th>{% endfor %}</tr>
{% for turn in summary.iterations %}{% for arm in arms if arm in turn.arms %}
<tr><td class="number">{{ turn.number }}</td><td>{{ arm }}</td>
{% for metric in summary.shown_metrics %}
<td class="number">{{ turn.arms[arm][metric] | interval if metric in turn.arms[arm] else "" }}</td>
{% endfor %}</tr>
{% endfor %}{% endfor %}
</table></div></section>

{% for number, found in report.fairness %}
<section><h2>Fairness by {{ found.attribute }}, iteration {{ number }}</h2>
{{ fairness_of(found) }}</section>
{% endfor %}

<section><h2>Lift, uncertainty and diversity</h2>
<div class="pair">{{ plot("lift") }}{{ plot("state") }}</div></section>

"""

_LEFT = """
<section><h2>What became of the candidates</h2>
{% if summary.iterations | sum(attribute="candidates") %}{{ plot("acceptance") }}{% else %}
<p class="soft">No candidate was made.</p>{% endif %}</section>

<section><h2>Seconds per step</h2>
<p class="soft">What was taken over from an earlier iteration costs nothing again.</p>
{{ plot("seconds") }}</section>
{% endif %}

{% if report.weaknesses %}
<section><h2>Weaknesses</h2>
<p class="soft">The gap is the error rate of the slice minus that of all rows. A weakness is found
on one half of guide and confirmed on the other.</p>
<div class="wide"><table><tr>
{% for name in weakness_columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in report.weaknesses %}<tr>
{% for name in weakness_columns %}
{% set value = row[name] %}
{% if value is float %}<td class="number">{{ "%.3f" | format(value) }}</td>
{% elif name == "state" %}<td class="{{ value if value in ('closed', 'regressed') else '' }}">
{{- value }}</td>
{% else %}<td class="{{ 'number' if value is number else 'text' }}">
{{- value if value is not none else "" }}</td>{% endif %}
{% endfor %}</tr>
{% endfor %}</table></div></section>
{% endif %}

{% for gallery in report.galleries %}
<section><h2>Samples of iteration {{ gallery.iteration }}</h2>
<p class="soft">Left the synthetic sample, right its nearest real neighbour in train (or the row it
was made from). Entropy is in nats.</p>
{{ pictures("Accepted", "accepted", gallery.accepted) }}
{{ pictures("Rejected, and why", "refused", gallery.rejected) }}
</section>
{% endfor %}
"""

_BODY = _DECIDED + ALARMS + _MEASURED + AUDITS + _LEFT

# The policy lets nothing be loaded from anywhere: what the file needs stands in it.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)


def document(title: str, body: str) -> str:
    """Return the template of a page: ``title`` and ``body`` are templates themselves."""
    return f"""{_MACROS}<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: activesynth report</title>
<style>{_STYLE}</style></head><body>
{body}
<script type="application/json" id="figures">{{{{ script_json(figures) }}}}</script>
<script>{{{{ plotly }}}}</script>
<script>{_SCRIPT}</script>
</body></html>
"""


PAGE = document("{{ summary.name }}", _BODY)
