from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from activesynth.experiments import plots
from activesynth.experiments.gallery import Gallery, Picture, data_uri
from activesynth.experiments.report import Report, render, write_report
from activesynth.experiments.summary import CampaignSummary, Estimate, IterationSummary
from activesynth.experiments.words import plain_words
from lineage_rows import make_weakness

HOSTILE = "</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}<a href='https://evil.test'>"


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def make_turn(text: str = "a reason") -> IterationSummary:
    arms = {"real": {"macro_f1": Estimate(0.8, 0.7, 0.9)}, text: {"macro_f1": Estimate(0.9)}}
    return IterationSummary(
        0,
        "refused",
        text,
        "ab" * 32,
        labels=30,
        candidates=10,
        accepted=4,
        rejected={text: 6},
        arms=arms,
        lift=Estimate(0.01, -0.02, 0.04, 90),
        uncertain_share=Estimate(0.2, 0.1, 0.3),
        evenness=Estimate(0.9),
        opened=(text,),
        closed=(text,),
        regressed=(text,),
        seconds={"train": 3.0, text: 1.0},
        detectable_lift=Estimate(0.04, n=90),
    )


def make_report(*turns: IterationSummary, text: str = "text") -> Report:
    summary = CampaignSummary(text, "balanced_accuracy", "reweighted", turns)
    picture = data_uri(np.zeros((8, 8, 3), np.uint8))
    shown = Picture(text, "rejected", text, text, text, ((text, 0.5),), picture, "")
    gallery = Gallery(0, (shown,), (replace(shown, neighbour=picture),))
    weakness = make_weakness(0, "open", title=text, kind=text)
    return Report(
        summary, plain_words(summary), [weakness], (gallery,), datetime(2026, 1, 2, tzinfo=UTC)
    )


def test_hostile_text_adds_no_element_to_the_page() -> None:
    tame = Elements(render(make_report(make_turn("tame"), text="tame")))
    hostile = Elements(render(make_report(make_turn(HOSTILE), text=HOSTILE)))

    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in tame.found]
    assert [sorted(attributes) for _, attributes in hostile.found] == [
        sorted(attributes) for _, attributes in tame.found
    ]


def test_hostile_text_is_shown_as_it_is() -> None:
    page = render(make_report(make_turn(HOSTILE), text=HOSTILE))

    assert "{{ 7*7 }}" in page
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in page


def test_the_page_loads_nothing_from_anywhere() -> None:
    elements = Elements(render(make_report(make_turn()))).found
    loaded = [
        value
        for _, attributes in elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "poster", "data") and value
    ]
    policy = next(a["content"] for _, a in elements if "http-equiv" in a) or ""

    assert loaded
    assert all(value.startswith("data:image/png;base64,") for value in loaded)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "http" not in policy
    assert {tag for tag, _ in elements}.isdisjoint({"link", "iframe", "object", "base"})


def test_an_empty_campaign_has_a_page_that_says_so() -> None:
    summary = CampaignSummary("fresh", "balanced_accuracy", "reweighted", ())
    report = Report(summary, plain_words(summary), [], (), datetime(2026, 1, 2, tzinfo=UTC))

    page = render(report)

    assert "no iteration of this campaign has been committed" in page
    assert "data-figure=" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_the_file_appears_whole_and_in_a_new_folder(tmp_path: Path) -> None:
    path = write_report(make_report(make_turn()), tmp_path / "reports" / "digits.html")

    assert path.read_text().rstrip().endswith("</html>")
    assert [file.name for file in path.parent.iterdir()] == ["digits.html"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_figures_fit_the_schema_of_plotly(count: int) -> None:
    import plotly.graph_objects as go

    turns = tuple(replace(make_turn(), number=number) for number in range(count))

    summary = CampaignSummary("digits", "balanced_accuracy", "reweighted", turns)
    figures = [
        *(plots.arm_curves(summary, metric) for metric in summary.shown_metrics),
        plots.lift_curve(summary),
        plots.state_curves(summary),
        plots.acceptance_bars(summary),
        plots.step_bars(summary),
    ]

    for figure in figures:
        go.Figure(figure)  # raises on anything that plotly does not know


def test_error_bars_end_where_the_interval_ends() -> None:
    summary = CampaignSummary("digits", "balanced_accuracy", "reweighted", (make_turn(),))

    bar = plots.lift_curve(summary)["data"][0]

    assert bar["y"][0] - bar["error_y"]["arrayminus"][0] == pytest.approx(-0.02)
    assert bar["y"][0] + bar["error_y"]["array"][0] == pytest.approx(0.04)
