"""What pages list of a campaign that grew: page by page the same rows, bounded, and counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from activesynth.domain.records import MemberRow, MetricRow, ModelRow
from activesynth.lineage import candidates
from activesynth.lineage.lineage import Lineage
from lineage_cases import make_campaign, make_commit, make_step, make_synthetic, make_weakness

TURNS = 7
COUNTS = """
    SELECT iteration, coalesce(weakness, '') AS weakness, coalesce(verdict, '') AS verdict,
           coalesce(verdict_reason, '') AS reason, count(*)
    FROM activesynth.samples WHERE origin = 'synthetic' AND iteration IS NOT NULL
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
KEPT = """
    SELECT iteration, weakness, verdict, verdict_reason, count FROM activesynth.verdict_counts
    ORDER BY 1, 2, 3, 4
"""


def commit(lineage: Lineage, number: int, **changes: Any) -> None:
    opened = lineage.store.open_iteration("digits", f"digits__it{number}", {})
    lineage.store.record_step(opened.ref, make_step("train", seconds=2.0))
    made = make_commit(opened)
    more = replace(
        made.bundle,
        members=(
            *made.bundle.members,
            MemberRow(f"candidate-{number}", "synthetic-0-a", "synthetic", 0.5),
            MemberRow(f"manifest-{number}", "synthetic-0-a", "synthetic", 0.5),
        ),
        weaknesses=tuple(
            make_weakness().model_copy(update={"id": f"class-{k}", "key": str(k), "rank": rank})
            for k, rank in ((8, 2), (3, 1), (5, 3))
        ),
        models=(
            *made.bundle.models,
            ModelRow(f"other-{number}", "arm", "random", 0, f"candidate-{number}"),
        ),
    )
    lineage.store.commit_iteration(replace(made, bundle=replace(more, **changes)))


@pytest.fixture
def grown(lineage: Lineage) -> Lineage:
    make_campaign(lineage.store)
    for number in range(TURNS):
        commit(lineage, number)
    return lineage


def all_of(lineage: Lineage, query: str) -> list[tuple[Any, ...]]:
    with lineage.database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_pages_of_iterations_are_all_of_them(grown: Lineage, limit: int) -> None:
    pages: list[dict[str, Any]] = []
    while page := grown.reader.iterations(
        "digits", after=int(pages[-1]["iteration"]) if pages else -1, limit=limit
    ):
        pages += page

    assert pages == grown.reader.iterations("digits")
    assert [row["iteration"] for row in pages] == list(range(TURNS))
    assert {row["seconds"] for row in pages} == {2.0}


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_pages_of_weaknesses_are_all_of_them_in_order_of_rank(grown: Lineage, limit: int) -> None:
    pages: list[dict[str, Any]] = []
    while page := grown.reader.weaknesses(
        "digits",
        after=(int(pages[-1]["iteration"]), str(pages[-1]["weakness"])) if pages else None,
        limit=limit,
    ):
        pages += page

    assert pages == grown.reader.weaknesses("digits")
    assert [row["weakness"] for row in pages] == ["class-3", "class-8", "class-5"] * TURNS
    assert grown.reader.weaknesses_of("digits", 2) == pages[6:9]
    assert [(row["accepted"], row["rejected"]) for row in pages[:3]] == [(0, 0), (1, 1), (0, 0)]


def test_a_sample_lists_its_newest_versions_and_models_and_says_how_many_there_are(
    grown: Lineage,
) -> None:
    manifests, in_all = grown.reader.sample_manifests("digits", "synthetic-0-a", 3)
    models, models_in_all = grown.reader.sample_models("digits", "synthetic-0-a", 3)

    assert [row["manifest"] for row in manifests] == ["manifest-6", "manifest-5", "manifest-4"]
    assert {row["version_origin"] for row in manifests} == {"promoted"}
    assert [row["model"] for row in models] == ["other-6", "model-6", "other-5"]
    told = grown.reader.sample("synthetic-0-a")
    assert in_all == len({row["manifest"] for row in told}) == 2 * TURNS
    assert models_in_all == len({row["model"] for row in told}) == 2 * TURNS
    (first, *_) = told
    row = grown.reader.sample_row("digits", "synthetic-0-a")
    assert row == {name: first[name] for name in row or {}}


def test_a_version_lists_its_nearest_ancestors(grown: Lineage) -> None:
    line = grown.reader.ancestors("digits", "manifest-6", 3)

    assert [row["ancestor"] for row in line] == ["manifest-6", "manifest-5", "manifest-4"]
    whole = grown.reader.ancestors("digits", "manifest-6", 100)
    assert [(row["depth"], row["ancestor"], row["parent"]) for row in whole] == [
        (row["depth"], row["ancestor"], row["parent"])
        for row in grown.reader.ancestry("manifest-6")
    ]
    assert grown.reader.ancestors("other", "manifest-6", 3) == []


def test_counts_are_those_of_the_samples_also_where_one_is_made_again(grown: Lineage) -> None:
    again = (make_synthetic("synthetic-0-a", "rejected"), make_synthetic("synthetic-7-a"))
    commit(grown, TURNS, samples=again, members=())

    assert all_of(grown, KEPT) == all_of(grown, COUNTS)
    assert (0, "class-8", "rejected", "on the manifold", 2) in all_of(grown, KEPT)
    assert [row["count"] for row in grown.reader.verdicts("digits", [0, TURNS])] == [2, 1]


def test_headlines_are_the_metrics_over_all_rows_and_replicates(grown: Lineage) -> None:
    found = grown.reader.headlines("digits", [1, 2])

    everything = grown.reader.metrics("digits", 1) + grown.reader.metrics("digits", 2)
    assert found == [
        row
        for row in everything
        if (row["slice"] == "all" and row["seed"] < 0) or row["name"] == "retrieved"
    ]
    assert 0 < len(found) < len(everything)


def test_the_state_of_a_campaign_changes_with_whatever_is_committed(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    before = lineage.reader.campaign_state("digits")
    opened = lineage.store.open_iteration("digits", "digits__it0", {})

    assert lineage.reader.campaign_state("digits") == before
    lineage.store.commit_iteration(make_commit(opened))
    assert lineage.reader.campaign_state("digits") != before


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
@pytest.mark.parametrize(("looked_at", "looks"), [(1, 1), (3, 2), (500, 10)])
def test_candidates_by_score_are_those_of_all_that_have_it(
    lineage: Lineage, monkeypatch: pytest.MonkeyPatch, limit: int, looked_at: int, looks: int
) -> None:
    make_campaign(lineage.store)
    one = make_synthetic("a")
    rows = [replace(one, id=f"s-{k:02d}", scores={"entropy": k / 10}) for k in range(20)]
    rows.append(replace(one, id="unscored", scores={"distance": 1.0}))
    commit(lineage, 0, samples=tuple(rows), members=())
    monkeypatch.setattr(candidates, "LOOKED_AT", looked_at)
    monkeypatch.setattr(candidates, "LOOKS", looks)
    found: list[dict[str, Any]] = []
    after: str | None = ""

    while after is not None:
        page, after = lineage.reader.candidates(
            "digits", 0, after=after, limit=limit, score="entropy", least=0.45, most=1.3
        )
        assert len(page) <= limit
        found += page

    assert [row["sample"] for row in found] == [f"s-{k:02d}" for k in range(5, 14)]
    assert all("last" not in row for row in found)


def test_fairness_is_told_by_iteration_and_arm(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    name = "demographic_parity_difference"
    of_all = MetricRow("real", "guide", "attribute:sex", name, 0.2, 0.1, 0.3, n=90)
    of_one = MetricRow("real", "guide", "attribute:sex=F", "cell_rows", 40.0, n=40)
    commit(lineage, 0, metrics=(of_all, of_one, replace(of_all, arm="targeted", value=0.1)))

    found = lineage.reader.fairness("digits")

    assert [(row["arm"], row["value"], row["low"]) for row in found] == [
        ("real", 0.2, 0.1),
        ("targeted", 0.1, 0.1),
    ]
