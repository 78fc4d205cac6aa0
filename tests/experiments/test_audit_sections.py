"""Audits and alarms in the report: laid out from metric rows, drawn, and shown to people."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from activesynth.domain.records import MetricRow
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.feature_audits import not_estimable_row
from activesynth.evaluation.sentinels import Alarm, alarm_rows, watch_count
from activesynth.experiments.audit_page import robustness_curves
from activesynth.experiments.audits import AuditSummary, summarise_audits
from activesynth.experiments.report import Report, render
from activesynth.experiments.summary import CampaignSummary, IterationSummary
from activesynth.experiments.words import plain_words
from activesynth.statistics.intervals import Interval

HOSTILE = "</script><img src=x onerror=alert(1)>"
ONE = IterationSummary(1, "refused", "worse", None)
SUMMARY = CampaignSummary("digits", "balanced_accuracy", "reweighted", (ONE,))


def recorded(*rows: MetricRow, iteration: int = 1) -> list[dict[str, Any]]:
    return [{**asdict(row), "iteration": iteration} for row in rows]


def robustness(arm: str) -> list[MetricRow]:
    values = {"corruption:none": 0.9, "known@0.5": 0.8, "known@1": 0.7, "known:mean": 0.75}
    values |= {"unknown@0.5": 0.6, "unknown@1": 0.4, "family:noise:mean": 0.5}
    known = MetricRow(arm, "guide", "family:noise", "is_known", 1.0, seed=0)
    return [known] + [
        MetricRow(arm, "guide", part, "accuracy", value, value - 0.1, value + 0.05, 90, 0)
        for part, value in values.items()
    ]


def page(audits: AuditSummary) -> str:
    words = plain_words(SUMMARY)
    return render(Report(SUMMARY, words, [], (), datetime(2026, 1, 2, tzinfo=UTC), audits=audits))


def test_curves_begin_at_the_clean_accuracy_and_end_at_the_worst_severity() -> None:
    import plotly.graph_objects as go

    rows = [*robustness("targeted"), *robustness("real")]
    audits = summarise_audits(recorded(*rows))
    known, unknown = robustness_curves(audits)

    assert [trace["name"] for trace in known["data"]] == ["real", "targeted"]
    assert known["data"][0]["x"] == [0.0, 0.5, 1.0]
    assert known["data"][0]["y"] == [0.9, 0.8, 0.7]
    assert unknown["data"][1]["y"] == [0.9, 0.6, 0.4]
    assert unknown["data"][1]["x"][0] > 0.0
    assert audits.families == ("known", "family:noise")
    assert audits.title_of("family:noise") == "noise (known)"
    assert audits.title_of("family:light") == "light"
    for figure in (known, unknown):
        go.Figure(figure)  # raises on anything that plotly does not know


def test_only_the_last_audited_iteration_is_drawn() -> None:
    old = [replace(row, value=0.125) for row in robustness("real")]

    audits = summarise_audits(recorded(*old, iteration=0) + recorded(*robustness("real")))

    assert [one.iteration for one in audits.robustness] == [1]
    assert audits.robustness[0].found["known@1"].value == 0.7


def test_rows_of_evaluate_over_all_replicates_are_not_mixed_in() -> None:
    row = MetricRow("real", "guide", "corruption:blur@1", "accuracy", 0.5, seed=-1)

    assert summarise_audits(recorded(row)) == AuditSummary()


def test_alarms_are_told_with_number_limit_and_consequence() -> None:
    blocking = watch_count("split_leaks", 3, limit=0, blocks=True)
    warning = Alarm("tail_mass", Interval(0.3, 0.2, 0.4, 90), 0.1, is_raised=True, blocks=False)
    quiet = Alarm("verifier_drift", None, 0.05, is_raised=False, blocks=False)
    rows = [row for alarm in (quiet, blocking, warning) for row in alarm_rows(alarm)]
    audits = summarise_audits(recorded(*rows))

    text = " ".join(page(audits).split())

    assert [one.name for one in audits.raised] == ["tail_mass", "split_leaks"]
    assert "tail mass: synthetic rows hold less" in text
    assert "0.300 [0.200, 0.400], limit 0.1. It only warns." in text
    assert "limit 0. It refuses a promotion." in text
    assert "no comparison" in text


def test_a_quiet_campaign_says_that_no_alarm_was_raised() -> None:
    quiet = alarm_rows(watch_count("test_reads", 0, limit=5, blocks=False))

    assert "No alarm was raised." in page(summarise_audits(recorded(*quiet)))
    assert "<h2>Alarms</h2>" not in page(AuditSummary())
    assert "<h2>Audits</h2>" not in page(AuditSummary())


def test_numbers_stand_beside_those_of_real_rows_and_missing_ones_say_what_is_missing() -> None:
    rows = [
        MetricRow("targeted", "synthetic", "all", "frechet", 0.25, n=120),
        MetricRow("targeted", "synthetic", "all", "frechet_of_real", 0.125, n=120),
        not_estimable_row(
            "random", "synthetic", "all", "frechet", NotEstimable("a distance", 9, 32)
        ),
        MetricRow("real", "guide", "attack:none", "accuracy", 0.875, 0.8, 0.9, 99, 0),
        MetricRow("real", "guide", "attack:pgd10@8/255", "accuracy", 0.375, 0.3, 0.4, 99, 0),
        MetricRow("base", "guide", "audit:robustness", "audit_refused:shape", 1.0),
    ]

    text = " ".join(page(summarise_audits(recorded(*rows))).split())

    assert '0.250<div class="soft">n = 120</div>' in text
    assert "too few rows: 9 of 32" in text
    assert "<th>clean</th><th>pgd10@8/255</th>" in text.replace("</th> <th>", "</th><th>")
    assert "0.375 [0.300, 0.400]" in text
    assert "robustness was not audited (shape)" in text


def test_hostile_arms_add_nothing_to_the_page() -> None:
    rows = [replace(row, arm=HOSTILE) for row in robustness("x")]
    rows.append(MetricRow(HOSTILE, "synthetic", "all", "frechet", 0.25, n=120))
    rows.append(MetricRow("base", "guide", f"audit:{HOSTILE}", "audit_refused:x", 1.0))

    text = page(summarise_audits(recorded(*rows)))

    assert "<img src=x" not in text
    assert "&lt;/script&gt;" in text
