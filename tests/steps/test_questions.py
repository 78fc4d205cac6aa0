"""What people are asked about: rows near failures first, and labels that look wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.domain.dataset_access import load_oracle, load_quarantine, load_split
from activesynth.domain.documents import DatasetManifest, Plan
from activesynth.domain.platform import Platform
from activesynth.domain.records import Annotation, IterationRef
from activesynth.errors import ConfigurationError, ConflictError, WaitingForPeople
from activesynth.lineage.queue import PostgresAnnotationQueue
from activesynth.operations.finish import finish_questions
from activesynth.operations.ingest import ingest
from activesynth.operations.refresh import refresh
from activesynth.operations.suspects import suspects
from activesynth.steps.loop import run
from activesynth.steps.turn import Turn, open_turn
from toy_plane import plane_config, plane_platform

ASK: dict[str, Any] = {"strategy": "margin", "labels": 10, "review": 0}
EAGER: dict[str, Any] = {  # finds classes and regions that are barely weak, too
    "diagnosis": {
        **{"corruptions": ["jitter"], "severities": [0.5, 1.0]},
        **{"margin": 0.0, "alpha": 0.4, "min_support": 5},
    },
}
REFUSE: dict[str, Any] = {"gate": {"margin": 0.0, "guarded": {"nll": 0.0}}}
NOISY: dict[str, Any] = {
    "sampling": {"long_tail": 1, "label_noise": {"share": 0.3, "classes": ["far"]}},
    "splits": {"train": 0.4},
    "selection": {**ASK, "labels": 0, "recheck": 12},
}


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def start(platform: Platform, *, iterations: int = 1, **changes: Any) -> list[Turn]:
    ingest(plane_config(**changes), platform)
    ids = run(platform, conf={"campaign": "plane", "iterations": iterations})
    return [open_turn(i, platform) for i in ids]


def manifest(turn: Turn, name: str) -> DatasetManifest:
    return turn.artifacts.document(turn.step("integrate").artifacts[name], DatasetManifest)


def labels(platform: Platform, of: DatasetManifest) -> dict[str, int]:
    train = load_split(platform.objects, of, "train")
    return dict(zip(train.ids.tolist(), train.y.tolist(), strict=True))


def test_pool_rows_near_failures_are_asked_about_first_and_within_the_budget(
    platform: Platform,
) -> None:
    (turn,) = start(platform, selection={**ASK, "retrieve": 0.5}, **EAGER)

    asked = turn.artifacts.json(turn.step("select").artifacts["selection"])["label"]
    found = turn.artifacts.arrays(turn.step("plan").artifacts["retrieved"])
    assert asked[:5] == found["ids"].tolist()
    assert len(set(asked)) == len(asked) == 10
    pool = load_split(platform.objects, turn.manifest, "pool").ids
    assert np.isin(asked, pool).all()


def test_the_labels_retrieved_for_a_weakness_follow_its_part_of_the_plan(
    platform: Platform,
) -> None:
    (turn,) = start(platform, selection={**ASK, "retrieve": 1.0}, **EAGER)

    plan = turn.artifacts.document(turn.step("plan").artifacts["plan"], Plan)
    counts: dict[str, int] = turn.step("plan").facts["retrieved"]
    searched = {item.weakness: item.count for item in plan.items if "jitter" not in item.weakness}
    assert sum(counts.values()) == 10
    for weakness, count in counts.items():
        assert abs(count - 10 * searched[weakness] / sum(searched.values())) < 1


def test_lineage_says_for_which_weakness_a_row_was_asked_and_how_far_it_was(
    platform: Platform,
) -> None:
    first, second = start(platform, iterations=2, selection={**ASK, "retrieve": 0.5}, **EAGER)

    found = first.artifacts.arrays(first.step("plan").artifacts["retrieved"])
    rows = {row["sample"]: row for row in platform.reader.retrieved("plane")}
    for n, sample in enumerate(found["ids"].tolist()):
        assert rows[sample]["weakness"] == found["weakness"][n]
        assert rows[sample]["distance"] == pytest.approx(found["distance"][n])
        assert rows[sample]["weakness_title"]
        assert rows[sample]["annotator"] == "oracle"
    assert {row["iteration"] for row in rows.values()} == {0, 1}
    counted = [m for m in platform.reader.metrics("plane", 1) if m["name"] == "retrieved"]
    asked = second.artifacts.arrays(second.step("plan").artifacts["retrieved"])["ids"]
    assert sum(m["value"] for m in counted) == len(asked) > 0


def test_a_share_of_zero_leaves_every_label_to_the_strategy(platform: Platform) -> None:
    (turn,) = start(platform, selection={**ASK, "retrieve": 0.0})

    assert turn.step("plan").facts["retrieved"] == {}
    assert turn.step("select").facts["label"] == 10


def test_an_empty_pool_changes_nothing(platform: Platform) -> None:
    (turn,) = start(
        platform,
        sampling={"long_tail": 1},
        splits={"train": 0.4},
        selection={**ASK, "retrieve": 1.0},
    )

    assert turn.record.state == "committed"
    assert turn.step("plan").facts["retrieved"] == {}
    assert turn.step("select").facts["label"] == 0


def test_the_plan_says_what_retrieving_and_generating_cost(platform: Platform) -> None:
    (turn,) = start(platform, selection={**ASK, "retrieve": 0.5}, **EAGER)

    cost = turn.step("plan").facts["cost"]
    assert cost["retrieved"] == {"rows": 5, "labels": 5}
    assert cost["generated"] == {"rows": turn.step("plan").facts["budget"], "labels": 0}


def test_every_arm_trains_on_the_retrieved_rows_so_no_benefit_is_credited_to_the_generator(
    platform: Platform,
) -> None:
    (turn,) = start(platform, selection={**ASK, "retrieve": 1.0}, **EAGER)

    retrieved = turn.artifacts.arrays(turn.step("plan").artifacts["retrieved"])["ids"].tolist()
    assert len(retrieved) == 10
    trains = [labels(platform, manifest(turn, arm)) for arm in turn.config.evaluation.arms]
    assert all(train == trains[0] for train in trains)
    assert trains[0].keys() >= set(retrieved)


def test_planted_wrong_labels_are_found_corrected_and_shared_by_all_arms(
    platform: Platform,
) -> None:
    (turn,) = start(platform, **NOISY)

    truth = load_oracle(platform.objects, turn.manifest)
    before, after = labels(platform, turn.manifest), labels(platform, manifest(turn, "labels_only"))
    asked = turn.artifacts.json(turn.step("select").artifacts["selection"])["recheck"]
    wrong = {sample for sample, label in before.items() if truth[sample] != label}
    assert len(wrong) == round(0.3 * sum(label == 2 for label in (truth[s] for s in before)))
    precision = len(wrong.intersection(asked)) / len(asked)
    assert precision > 5 * len(wrong) / len(before)
    assert {s for s in before if after[s] != before[s]} == wrong.intersection(asked)
    assert all(after[sample] == truth[sample] for sample in asked)
    for arm in turn.config.evaluation.arms:
        assert labels(platform, manifest(turn, arm)) == after


def test_a_refusal_keeps_corrected_labels(platform: Platform) -> None:
    (turn,) = start(platform, **NOISY, **REFUSE)

    assert turn.record.decision == "refused"
    assert turn.step("integrate").facts["labels_bought"] == 0
    assert turn.step("integrate").facts["labels_corrected"] > 0
    assert turn.record.version == turn.step("integrate").artifacts["labels_only"]


def test_a_label_that_was_looked_at_is_not_offered_again(platform: Platform) -> None:
    first, second = start(platform, iterations=2, **NOISY)

    asked = [
        turn.artifacts.json(turn.step("select").artifacts["selection"])["recheck"]
        for turn in (first, second)
    ]
    assert asked[0]
    assert asked[1]
    assert not set(asked[0]) & set(asked[1])


def test_lineage_says_who_changed_which_label(platform: Platform) -> None:
    (turn,) = start(platform, **NOISY)

    before, after = labels(platform, turn.manifest), labels(platform, manifest(turn, "labels_only"))
    answers = {row["sample"]: row for row in platform.reader.rechecks("plane")}
    changed = [sample for sample in before if before[sample] != after[sample]]
    assert changed
    for sample in changed:
        assert answers[sample]["label_before"] == before[sample]
        assert answers[sample]["label"] == after[sample]
        assert answers[sample]["annotator"] == "oracle"
        assert {row["label"] for row in platform.reader.sample(sample)} == {after[sample]}


def test_the_oracle_says_nothing_about_a_label_whose_truth_it_does_not_know(
    platform: Platform,
) -> None:
    (turn,) = start(platform, selection={**ASK, "labels": 0, "recheck": 3})

    assert turn.step("annotate").facts["skip"] == turn.step("annotate").facts["asked"] == 3
    assert turn.step("integrate").facts["labels_corrected"] == 0


def answered_by_people(platform: Platform, action: Any, **changes: Any) -> tuple[Turn, list[str]]:
    """Have every doubted label answered alike, and the rest skipped."""
    ingest(plane_config(annotation={"annotator": "people"}, **changes), platform)
    with pytest.raises(WaitingForPeople):
        run(platform, conf={"campaign": "plane"})
    doubted = [item for item in platform.queue.pending("plane") if item.kind == "recheck"]
    for item in platform.queue.pending("plane"):
        is_doubted = item.kind == "recheck"
        label = item.proposed if is_doubted and action == "accept" else None
        platform.queue.answer(
            Annotation(item.id, item.sample, action if is_doubted else "skip", label, "ada", 0)
        )
    (iteration,) = run(platform, conf={"campaign": "plane"})
    return open_turn(iteration, platform), [item.sample for item in doubted]


def test_a_rejected_train_row_leaves_train_and_pool_and_is_quarantined_with_the_reason(
    platform: Platform,
) -> None:
    turn, rejected = answered_by_people(platform, "reject", selection={**ASK, "recheck": 4})

    after = manifest(turn, "labels_only")
    assert len(rejected) == 4
    assert not labels(platform, after).keys() & set(rejected)
    assert not np.isin(rejected, load_split(platform.objects, after, "pool").ids).any()
    assert load_quarantine(platform.objects, after) >= set(rejected)
    rows = platform.reader.sample(rejected[0])
    assert {row["verdict_reason"] for row in rows} == {"label_rejected"}
    ingest(plane_config(annotation={"annotator": "people"}), platform)
    assert not refresh("plane", "2026-03-01", platform).created


def test_an_accepted_label_stays(platform: Platform) -> None:
    turn, accepted = answered_by_people(platform, "accept", selection={**ASK, "recheck": 4})

    assert accepted
    before, after = labels(platform, turn.manifest), labels(platform, manifest(turn, "labels_only"))
    assert before == after


def test_suspect_labels_are_listed_with_what_was_said_about_them(platform: Platform) -> None:
    start(platform, **NOISY)

    rows = suspects("plane", platform)

    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)
    assert all(row["label"] != row["suggested"] for row in rows)
    assert sum(bool(row["answer"]) for row in rows) == 12
    assert {row["answer"] for row in rows[:3]} <= {"accept"} | {
        f"relabel: {name}" for name in ("left", "middle", "far")
    }


def test_noise_in_a_class_that_is_not_there_is_refused(platform: Platform) -> None:
    noise = {"label_noise": {"share": 0.3, "classes": ["near"]}}

    with pytest.raises(ConfigurationError, match="names near, which the source has not"):
        ingest(plane_config(sampling=noise), platform)


def test_a_person_finishes_early_and_the_iteration_uses_what_it_has(platform: Platform) -> None:
    ingest(plane_config(annotation={"annotator": "people"}, selection=ASK), platform)
    with pytest.raises(WaitingForPeople):
        run(platform, conf={"campaign": "plane"})
    first, *others = platform.queue.pending("plane")
    platform.queue.answer(Annotation(first.id, first.sample, "relabel", 0, "ada", 0))

    missing = finish_questions("plane", "ada", platform)
    (iteration,) = run(platform, conf={"campaign": "plane"})
    turn = open_turn(iteration, platform)

    assert missing == len(others)
    assert turn.step("annotate").facts["answered"] == 1
    assert platform.queue.closed(turn.ref) == "person"
    with pytest.raises(ConflictError, match="no iteration of campaign 'plane' waits"):
        finish_questions("plane", "ada", platform)


def test_an_oracle_that_is_cut_short_by_a_person_fails_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = PostgresAnnotationQueue.answer
    given: list[str] = []

    def cut_short(queue: Any, annotation: Annotation, *, holder: IterationRef) -> None:
        if len(given) == 2:
            queue.close(holder, "person", "ada")
        answer(queue, annotation, holder=holder)
        given.append(annotation.item)

    monkeypatch.setattr(PostgresAnnotationQueue, "answer", cut_short)
    (turn,) = start(platform, selection=ASK)

    assert len(given) == 2
    assert turn.step("annotate").facts["answered"] == 2
    assert turn.record.state == "committed"
