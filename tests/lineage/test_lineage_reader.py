"""What people read: every view and page over two committed iterations and an open one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from activesynth.domain.records import ModelRow
from activesynth.lineage.lineage import Lineage
from lineage_cases import ROOT, make_campaign, make_commit, make_step


@pytest.fixture
def told(lineage: Lineage) -> Lineage:
    """Return lineage with iterations 0 and 1 committed and 2 open with a staged step."""
    make_campaign(lineage.store)
    for number in range(2):
        opened = lineage.store.open_iteration("digits", f"digits__it{number}", {})
        lineage.store.record_step(opened.ref, make_step("train", seconds=2.0))
        for shard in range(2):
            lineage.store.record_step(
                opened.ref,
                make_step("generate", shard, seconds=1.5, peak_memory_mb=100.0 + shard),
            )
        lineage.store.commit_iteration(make_commit(opened))
    opened = lineage.store.open_iteration("digits", "digits__it2", {})
    lineage.store.record_step(opened.ref, make_step("train", seconds=50.0))
    return lineage


def view(lineage: Lineage, query: str) -> list[dict[str, Any]]:
    with lineage.database.reading() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]


def test_a_campaign_shows_head_state_and_last_lift_with_its_interval(told: Lineage) -> None:
    (row,) = told.reader.campaigns()

    assert (row["campaign"], row["head"], row["iterations"]) == ("digits", "manifest-1", 2)
    assert (row["state"], row["active_run"]) == ("open", "digits__it2")
    assert (row["last_decision"], row["last_reason"]) == ("promoted", "every bound holds")
    lift = (row["lift_metric"], row["lift_control"], row["lift"], row["lift_low"])
    assert lift == ("balanced_accuracy", "reweighted", 0.05, 0.01)


def test_committed_iterations_show_their_decision_and_what_they_cost(told: Lineage) -> None:
    rows = told.reader.iterations("digits")

    assert [(row["iteration"], row["version"]) for row in rows] == [
        (0, "manifest-0"),
        (1, "manifest-1"),
    ]
    assert [row["seconds"] for row in rows] == [5.0, 5.0]
    assert rows[1]["next_run"] == "digits__it2"


def test_cost_sums_seconds_and_keeps_the_highest_memory_of_the_shards(told: Lineage) -> None:
    rows = told.reader.step_costs("digits")

    assert [(row["iteration"], row["step"], row["seconds"]) for row in rows] == [
        (0, "train", 2.0),
        (0, "generate", 3.0),
        (1, "train", 2.0),
        (1, "generate", 3.0),
    ]
    assert (rows[1]["shards"], rows[1]["peak_memory_mb"], rows[1]["attempts"]) == (2, 101.0, 2)


def test_lift_compares_targeted_with_every_other_arm_and_prefers_the_paired_number(
    told: Lineage,
) -> None:
    rows = view(
        told,
        "SELECT control, metric, round(lift::numeric, 6)::float AS lift, low, high, is_paired "
        "FROM activesynth.lift WHERE iteration = 1 AND slice = 'all' ORDER BY control",
    )

    assert [tuple(row.values()) for row in rows] == [
        ("real", "balanced_accuracy", 0.1, None, None, False),
        ("reweighted", "balanced_accuracy", 0.05, 0.01, 0.09, True),
    ]


def test_ancestry_goes_back_to_the_root(told: Lineage) -> None:
    rows = told.reader.ancestry("manifest-1")

    assert [(row["depth"], row["ancestor"], row["origin"]) for row in rows] == [
        (0, "manifest-1", "promoted"),
        (1, "manifest-0", "promoted"),
        (2, ROOT, "root"),
    ]
    assert [row["decision"] for row in rows] == ["promoted", "promoted", None]


def test_a_weakness_shows_plan_outcome_and_measured_benefit(told: Lineage) -> None:
    rows = told.reader.weaknesses("digits")

    assert [(row["iteration"], row["weakness"], row["state"]) for row in rows] == [
        (0, "class-8", "open"),
        (1, "class-8", "open"),
    ]
    first = rows[0]
    assert (first["planned"], first["accepted"], first["rejected"]) == (2, 1, 1)
    assert (first["benefit"], first["benefit_low"], first["benefit_high"]) == (0.1, 0.0, 0.2)


def test_a_synthetic_sample_is_told_from_its_weakness_to_the_model_and_the_verdict(
    told: Lineage,
) -> None:
    (row,) = told.reader.sample("synthetic-0-a")

    assert (row["weakness"], row["weakness_title"], row["weakness_gap"]) == (
        "class-8",
        "digit 8",
        0.3,
    )
    assert (row["generator"], row["seed"], row["parents"]) == (
        "generator-card",
        2**64 - 1,
        ["real-0"],
    )
    assert (row["verdict"], row["verdict_reason"]) == ("accepted", "on the manifold")
    assert row["scores"] == {"entropy": 0.5, "realism": 1.25}
    assert (row["manifest"], row["split"], row["weight"]) == ("manifest-0", "synthetic", 0.5)
    assert (row["model"], row["model_role"], row["model_arm"]) == ("model-0", "arm", "targeted")
    assert (row["decision"], row["decision_reason"]) == ("promoted", "every bound holds")


def test_a_rejected_sample_is_told_too_and_reached_no_manifest(told: Lineage) -> None:
    (row,) = told.reader.sample("synthetic-0-b")

    assert (row["verdict"], row["manifest"], row["model"]) == ("rejected", None, None)


def test_a_sample_has_one_row_for_every_manifest_and_model_it_reached(told: Lineage) -> None:
    rows = told.reader.sample("real-0")

    assert [(row["manifest"], row["model"]) for row in rows] == [
        ("manifest-0", "model-0"),
        ("manifest-1", "model-1"),
        (ROOT, None),
    ]
    assert told.reader.sample("unheard of") == []


def test_samples_are_paged_by_id(told: Lineage) -> None:
    first = told.reader.samples("digits", limit=3)
    second = told.reader.samples("digits", limit=3, after=first[-1]["sample"])
    of_one = told.reader.samples("digits", iteration=1)

    names = [row["sample"] for row in first + second]
    assert names == ["synthetic-0-a", "synthetic-0-b", "synthetic-1-a", "synthetic-1-b"]
    assert [row["sample"] for row in of_one] == ["synthetic-1-a", "synthetic-1-b"]
    assert (first[0]["weakness_title"], first[0]["shard"]) == ("digit 8", "shard-synthetic")


def test_metrics_come_with_interval_replicate_and_count(told: Lineage) -> None:
    every = told.reader.metrics("digits")
    one = told.reader.metrics("digits", 1)

    assert len(every) == 2 * len(one) == 12
    assert {
        "iteration": 1,
        "arm": "targeted",
        "split": "guide",
        "slice": "all",
        "name": "balanced_accuracy",
        "value": 0.90,
        "low": 0.88,
        "high": 0.92,
        "n": 100,
        "seed": -1,
    } in one


def test_a_model_trained_again_on_the_same_manifest_is_another_row(lineage: Lineage) -> None:
    make_campaign(lineage.store)
    opened = lineage.store.open_iteration("digits", "run-0", {})
    commit = make_commit(opened)
    replicates = tuple(
        ModelRow(f"model-{seed}", "arm", "targeted", seed, "manifest-0") for seed in range(3)
    )

    lineage.store.commit_iteration(
        replace(commit, bundle=replace(commit.bundle, models=replicates))
    )

    rows = lineage.reader.sample("synthetic-0-a")
    assert [row["model_replicate"] for row in rows] == [0, 1, 2]
