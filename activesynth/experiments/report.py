"""The report of a campaign: one HTML file that needs no network and trusts no text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from activesynth.config.campaign import CampaignConfig
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Metric
from activesynth.errors import PlatformStateError
from activesynth.experiments import plots
from activesynth.experiments.audit_page import attack_columns, robustness_curves
from activesynth.experiments.audits import COPIES, FEATURES, AuditSummary, summarise_audits
from activesynth.experiments.fairness_table import (
    DIFFERENCE_COLUMNS,
    GROUP_COLUMNS,
    FairnessTable,
    fairness_table,
)
from activesynth.experiments.final_test import FinalTest, final_words, score_test
from activesynth.experiments.gallery import Gallery, galleries
from activesynth.experiments.page import PAGE
from activesynth.experiments.summary import CampaignSummary, summarise, summarise_some
from activesynth.experiments.words import PlainWords, interval, plain_words, points

_WEAKNESS_COLUMNS = ("iteration", "title", "kind", "state", "gap", "low", "high", "n")


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the page shows; ``final`` only where the guarded `test` split was asked for.

    ``fairness`` has a table per iteration whose campaign named an attribute.
    """

    summary: CampaignSummary
    words: PlainWords
    weaknesses: Sequence[Mapping[str, Any]]
    galleries: tuple[Gallery, ...]
    written: datetime
    final: FinalTest | None = None
    fairness: tuple[tuple[int, FairnessTable], ...] = ()
    audits: AuditSummary = field(default_factory=AuditSummary)


def collect(platform: Platform, config: CampaignConfig, *, test: bool = False) -> Report:
    """Read a campaign's committed rows and the pictures that belong to them.

    Args:
        platform: The ports.
        config: The campaign.
        test: Score the guarded `test` split too, which is counted.
    """
    summary = summarise_campaign(platform, config)
    numbers = [turn.number for turn in summary.iterations]
    return Report(
        summary,
        plain_words(summary),
        platform.reader.weaknesses(config.name),
        _galleries(platform, config.name, numbers),
        platform.clock.now(),
        score_test(platform, config) if test else None,
        fairness_tables(platform, config.name, numbers),
        summarise_audits(platform.reader.metrics(config.name)),
    )


def fairness_tables(
    platform: Platform, campaign: str, numbers: Sequence[int]
) -> tuple[tuple[int, FairnessTable], ...]:
    """Return the fairness of each iteration that has any."""
    found = ((n, fairness_table(platform.reader.metrics(campaign, n))) for n in numbers)
    return tuple((n, table) for n, table in found if table is not None)


def summarise_campaign(
    platform: Platform, config: CampaignConfig, numbers: Sequence[int] | None = None
) -> CampaignSummary:
    """Summarise a campaign under the metric and control that its config names.

    Args:
        platform: The ports.
        config: The campaign.
        numbers: Neighbouring iterations to look at alone, for
            :func:`activesynth.experiments.summary.summarise_some`; all unless given.
    """
    primary: Metric = platform.parts.create("metric", config.evaluation.metric)
    names = {"metric": config.evaluation.metric, "control": config.evaluation.control}
    higher = primary.higher_is_better
    if numbers is None:
        return summarise(platform.reader, config.name, **names, higher_is_better=higher)
    return summarise_some(platform.reader, config.name, numbers, **names, higher_is_better=higher)


def render(report: Report) -> str:
    """Return the page as HTML; all text in it is escaped."""
    return render_page(
        PAGE,
        report=report,
        summary=report.summary,
        arms=list(dict.fromkeys(a for t in report.summary.iterations for a in t.arms)),
        weakness_columns=_WEAKNESS_COLUMNS,
        final_words=final_words(report.final) if report.final else (),
        audits=report.audits,
        attack_columns=attack_columns(report.audits),
        feature_columns=FEATURES,
        copy_columns=COPIES,
        figures={
            **campaign_figures(report.summary),
            "robustness": robustness_curves(report.audits),
        },
    )


def render_page(template: str, **facts: Any) -> str:
    """Fill a template of :func:`activesynth.experiments.page.document`; all text is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {
        "group_columns": GROUP_COLUMNS,
        "difference_columns": DIFFERENCE_COLUMNS,
    }
    environment.filters |= {"interval": interval, "points": points, "share": _share}
    shared = {"plotly": _plotly(), "script_json": script_json}
    return environment.from_string(template).render(**shared, **facts)


def write_report(report: Report, path: Path) -> Path:
    """Write the page, whole or not at all, and return its absolute path."""
    return write_whole(render(report), path)


def write_whole(text: str, path: Path) -> Path:
    """Write a file, whole or not at all, and return its absolute path."""
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return path


def _galleries(platform: Platform, campaign: str, numbers: Sequence[int]) -> tuple[Gallery, ...]:
    head = platform.lineage.campaign(campaign).head
    if head is None:
        return ()
    manifest = DatasetManifest.decode(platform.objects.get(head))
    modality = platform.parts.create("modality", manifest.modality)
    return galleries(platform.reader, platform.objects, modality, manifest, campaign, numbers)


def campaign_figures(summary: CampaignSummary) -> dict[str, list[plots.Figure]]:
    """Return the figures of a campaign over its iterations, by place on the page."""
    return {
        "arms": [plots.arm_curves(summary, metric) for metric in summary.shown_metrics],
        "lift": [plots.lift_curve(summary)],
        "state": [plots.state_curves(summary)],
        "acceptance": [plots.acceptance_bars(summary)],
        "seconds": [plots.step_bars(summary)],
    }


def script_json(document: Any) -> str:
    """Encode for a script element: no text can end the element or begin another one."""
    from markupsafe import Markup

    text = json.dumps(document, allow_nan=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - every character that HTML knows is replaced above


def _plotly() -> str:
    """Return plotly.js from the wheel; importing plotly itself would cost a second."""
    from importlib.util import find_spec

    from markupsafe import Markup

    spec = find_spec("plotly")
    for folder in spec.submodule_search_locations or [] if spec else []:
        found = Path(folder) / "package_data" / "plotly.min.js"
        if found.exists():
            return Markup(found.read_text(encoding="utf-8"))  # noqa: S704 - the wheel's own code
    raise PlatformStateError("plotly is not installed; run `make setup`.")


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"
