"""The results of iterations as text on stdout: tables, then plain words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from textwrap import fill
from typing import TYPE_CHECKING

from activesynth.cli.output import print_table

if TYPE_CHECKING:
    from activesynth.config.campaign import CampaignConfig
    from activesynth.domain.platform import Platform
    from activesynth.experiments.fairness_table import FairnessTable
    from activesynth.experiments.final_test import FinalTest
    from activesynth.experiments.summary import CampaignSummary, IterationSummary


WIDTH = 110


def print_campaign(
    platform: Platform, config: CampaignConfig, *, only: Collection[int] | None = None
) -> None:
    """Print what iterations did, and in plain words what they showed.

    Args:
        platform: The ports.
        config: The campaign.
        only: The iterations to speak about; all committed ones unless given.
    """
    from activesynth.experiments.report import fairness_tables, summarise_campaign

    summary = summarise_campaign(platform, config)
    if only is not None:
        chosen = tuple(turn for turn in summary.iterations if turn.number in only)
        summary = replace(summary, iterations=chosen)
    fairness = dict(fairness_tables(platform, config.name, [t.number for t in summary.iterations]))
    for turn in summary.iterations:
        print_iteration(summary, turn)
        print_fairness(fairness.get(turn.number))
    print_words(summary)


def print_fairness(found: FairnessTable | None) -> None:
    """Print how groups of people fare; nothing where the campaign names no attribute."""
    from activesynth.experiments.fairness_table import DIFFERENCE_COLUMNS, GROUP_COLUMNS

    if found is None:
        return
    print(f"Fairness by {found.attribute}")
    print_table(GROUP_COLUMNS, found.groups)
    print_table(DIFFERENCE_COLUMNS, found.differences)
    for sentence in found.unknown:
        print(fill(f"  {sentence}", WIDTH, subsequent_indent="  "))


def print_iteration(summary: CampaignSummary, turn: IterationSummary) -> None:
    """Print the tables of one iteration."""
    from activesynth.experiments.words import interval

    print(f"\n{summary.name}, iteration {turn.number}")
    for name, value in _facts(summary, turn):
        print(fill(f"  {name:20}  {value}", WIDTH, subsequent_indent=" " * 24))
    names = summary.shown_metrics
    lines = [
        (arm, *(interval(row[name]) if name in row else "" for name in names))
        for arm, row in turn.arms.items()
    ]
    if lines:
        print_table(("arm", *names), lines)


def print_words(summary: CampaignSummary) -> None:
    """Print what was gained, what was not, and what could not have been seen."""
    from activesynth.experiments.words import plain_words

    words = plain_words(summary)
    for title, sentences in (
        ("Gained", words.gained),
        ("Not gained, or not shown", words.not_gained),
        ("What this data could not have shown", words.limits),
    ):
        if sentences:
            print(f"\n{title}")
            for sentence in sentences:
                print(fill(f"  - {sentence}", WIDTH, subsequent_indent="    "))


def print_final(final: FinalTest) -> None:
    """Print what the guarded `test` split says: a table, then plain words."""
    from activesynth.experiments.final_test import final_words
    from activesynth.experiments.words import interval

    print("\nOn the guarded test split")
    names = list(next(iter(final.scores.values())))
    print_table(
        ("model", *names),
        ((name, *(interval(row[one]) for one in names)) for name, row in final.scores.items()),
    )
    for sentence in final_words(final):
        print(fill(f"  - {sentence}", WIDTH, subsequent_indent="    "))


def _facts(summary: CampaignSummary, turn: IterationSummary) -> list[tuple[str, str]]:
    from activesynth.experiments.words import interval

    over = f"over `{summary.control}` in {summary.metric}"
    on_guide, on_gate = summary.lift_names
    why_not = ", ".join(
        f"{count} {reason.replace('_', ' ')}" for reason, count in turn.rejected.items()
    )
    seconds = ", ".join(f"{step} {value:.1f}" for step, value in turn.seconds.items())
    return [
        ("labels used", f"{turn.labels}; {turn.retrieved} rows were asked about for a weakness"),
        *([("labels corrected", str(turn.corrected))] if turn.corrected else []),
        *([("split leaks", f"{turn.leaks}; see `activesynth check`")] if turn.leaks else []),
        ("candidates made", f"{turn.candidates} targeted, {turn.control_candidates} for control"),
        ("accepted", f"{turn.accepted} targeted, {turn.control_accepted} for control"),
        ("cost of a row", _cost(turn)),
        ("why not", why_not.replace("_", " ") or "-"),
        (on_guide, f"{interval(turn.lift)} {over}" if turn.lift else "-"),
        (on_gate, f"{interval(turn.gate_lift)} {over}" if turn.gate_lift else "-"),
        ("|U_tau| / n", interval(turn.uncertain_share) if turn.uncertain_share else "-"),
        ("D / ln C", interval(turn.evenness) if turn.evenness else "-"),
        ("weaknesses opened", ", ".join(turn.opened) or "-"),
        ("weaknesses closed", ", ".join(turn.closed) or "-"),
        ("weaknesses regressed", ", ".join(turn.regressed) or "-"),
        ("seconds per step", f"{seconds}; {sum(turn.seconds.values()):.1f} in all"),
        ("gate", f"{turn.decision.replace('_', ' ')}: {turn.reason}"),
    ]


def _cost(turn: IterationSummary) -> str:
    """Say what a row costs either way; time never decides between them, the plan does."""
    each = turn.seconds_per_row
    made = "unknown" if each is None else f"{each:.2f} s to make and screen"
    return f"retrieved: 1 label; generated: no label, {made}"
