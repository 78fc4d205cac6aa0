"""The loop on a toy modality, real Postgres and a directory store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.domain.dataset_access import load_split, load_synthetic
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.platform import Platform
from activesynth.domain.records import Annotation, IterationRef
from activesynth.errors import ConfigurationError, ConflictError, WaitingForPeople
from activesynth.operations.ingest import ingest
from activesynth.steps.begin import begin
from activesynth.steps.loop import iterate, run
from activesynth.steps.turn import Turn, open_turn
from toy_plane import plane_config, plane_platform


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def start(platform: Platform, *, iterations: int = 1, **changes: Any) -> list[Turn]:
    """Ingest and run; return the iterations' turns."""
    ingest(plane_config(**changes), platform)
    ids = run(platform, conf={"campaign": "plane", "iterations": iterations})
    return [open_turn(i, platform) for i in ids]


def manifest(turn: Turn, name: str) -> DatasetManifest:
    return turn.artifacts.document(turn.step("integrate").artifacts[name], DatasetManifest)


REFUSE: dict[str, Any] = {"gate": {"margin": 0.0, "guarded": {"nll": 0.0}}}
PROMOTE: dict[str, Any] = {"gate": {"margin": 1.0, "guarded": {}}}


def test_two_iterations_commit_in_a_line_of_versions(platform: Platform) -> None:
    start(platform, iterations=2)

    campaign = platform.lineage.campaign("plane")
    assert campaign.iterations == 2
    ancestry = platform.reader.ancestry(str(campaign.head))
    assert [row["depth"] for row in ancestry] == [0, 1, 2]
    assert ancestry[-1]["origin"] == "root"


def test_running_again_under_the_same_key_changes_nothing(platform: Platform) -> None:
    (turn,) = start(platform)
    before = platform.lineage.campaign("plane")

    again = begin(turn.record.run_key, {"campaign": "plane", "iterations": 1}, platform)
    iterate(again, platform)

    assert again == str(turn.ref)
    assert platform.lineage.campaign("plane") == before


def test_every_arm_sees_the_bought_labels_and_branches_have_equal_size(platform: Platform) -> None:
    (turn,) = start(platform)

    trains = {
        arm: load_split(platform.objects, manifest(turn, arm), "train").ids.tolist()
        for arm in ("real", "reweighted", "random", "targeted", "labels_only")
    }
    assert len({tuple(ids) for ids in trains.values()}) == 1
    bought = int(turn.step("integrate").facts["labels_bought"])
    assert bought > 0
    assert len(trains["real"]) == bought + len(load_split(platform.objects, turn.manifest, "train"))
    random = load_synthetic(platform.objects, manifest(turn, "random"))
    targeted = load_synthetic(platform.objects, manifest(turn, "targeted"))
    assert random is not None
    assert targeted is not None
    assert len(random) == len(targeted) > 0


def test_a_promoted_iteration_makes_the_targeted_data_and_model_the_head(
    platform: Platform,
) -> None:
    (turn,) = start(platform, **PROMOTE)

    campaign = platform.lineage.campaign("plane")

    assert turn.record.decision == "promoted"
    assert campaign.head == turn.step("integrate").artifacts["targeted"]
    arm = turn.config.evaluation.arms.index("targeted")
    assert campaign.head_model == turn.step("retrain", arm).artifacts["model0"]
    assert campaign.branches == {"random": turn.step("integrate").artifacts["random"]}


def test_a_promoted_model_is_what_the_next_iteration_starts_from(platform: Platform) -> None:
    first, second = start(platform, iterations=2, **PROMOTE)

    arm = first.config.evaluation.arms.index("targeted")

    assert second.step("train").artifacts["model"] == first.step("retrain", arm).artifacts["model0"]
    assert second.step("train").facts["is_inherited"] is True


def test_a_refusal_keeps_the_bought_labels_and_no_synthetic_row(platform: Platform) -> None:
    first, second = start(platform, iterations=2, **REFUSE)

    assert first.record.decision == "refused"
    assert first.record.version == first.step("integrate").artifacts["labels_only"]
    assert load_synthetic(platform.objects, second.manifest) is None
    assert len(load_split(platform.objects, second.manifest, "train")) == len(
        load_split(platform.objects, first.manifest, "train")
    ) + int(first.step("integrate").facts["labels_bought"])
    assert second.step("train").facts["is_inherited"] is False


def test_a_refused_iteration_still_records_what_was_tried(platform: Platform) -> None:
    start(platform, **REFUSE)

    rows = platform.reader.metrics("plane", 0)
    arms = {row["arm"] for row in rows if row["name"] == "balanced_accuracy"}
    assert {"real", "reweighted", "random", "targeted"} <= arms
    samples = platform.reader.samples("plane", limit=1000)
    assert {row["verdict"] for row in samples} == {"accepted", "rejected"}


def test_the_generators_objective_is_recorded_with_its_parts(platform: Platform) -> None:
    (turn,) = start(platform)

    rows = {
        row["name"]: row
        for row in platform.reader.metrics("plane", 0)
        if row["slice"] == "uncertain" and row["split"] == "synthetic"
    }
    parts = rows["uncertain_divergence"]["value"], rows["uncertain_frechet"]["value"]
    synthetic = load_synthetic(platform.objects, manifest(turn, "targeted"))
    assert min(parts) > 0
    assert rows["generator_objective"]["value"] == pytest.approx(sum(parts))
    assert synthetic is not None
    assert rows["generator_objective"]["n"] == len(synthetic)


def test_gate_numbers_appear_only_with_the_decision(platform: Platform) -> None:
    ingest(plane_config(), platform)
    iteration = begin("plane__it0", {"campaign": "plane"}, platform)

    assert platform.lineage.split_reads("plane") == []
    assert platform.reader.metrics("plane") == []
    iterate(iteration, platform)
    reads = platform.lineage.split_reads("plane")
    assert [(read.split, read.count) for read in reads] == [("gate", 1)]
    assert any(row["split"] == "gate" for row in platform.reader.metrics("plane"))


def test_the_gate_refuses_after_its_allowed_reads(platform: Platform) -> None:
    first, second = start(
        platform, iterations=2, gate={"margin": 1.0, "guarded": {}, "max_reads": 1}
    )

    assert first.record.decision == "promoted"
    assert second.record.decision == "refused"
    assert "max_reads" in str(second.record.reason)


def test_only_one_run_of_a_campaign_holds_an_iteration(platform: Platform) -> None:
    ingest(plane_config(), platform)
    begin("first", {"campaign": "plane"}, platform)

    with pytest.raises(ConflictError, match="first"):
        begin("second", {"campaign": "plane"}, platform)


def test_a_paused_old_attempt_cannot_overwrite_after_a_take_over(platform: Platform) -> None:
    ingest(plane_config(), platform)
    old = begin("first", {"campaign": "plane"}, platform)
    platform.lineage.fail_iteration(IterationRef.parse(old), "its worker went silent")
    new = begin("second", {"campaign": "plane"}, platform)

    with pytest.raises(ConflictError, match="second"):
        iterate(old, platform)
    iterate(new, platform)

    assert platform.lineage.campaign("plane").iterations == 1


def test_bad_trigger_parameters_are_refused_before_an_iteration_opens(platform: Platform) -> None:
    ingest(plane_config(), platform)

    with pytest.raises(ConfigurationError, match=r"iterations.*'two'"):
        begin("run", {"campaign": "plane", "iterations": "two"}, platform)
    with pytest.raises(ConfigurationError, match="budget_for_lunch"):
        begin("run", {"campaign": "plane", "budget_for_lunch": 3}, platform)
    with pytest.raises(ConfigurationError, match="unknown annotator 'nobody'"):
        begin("run", {"campaign": "plane", "annotator": "nobody"}, platform)

    assert begin("run", {"campaign": "plane"}, platform) == "plane:0:1"


def test_a_spent_budget_of_minutes_refuses_the_next_iteration(platform: Platform) -> None:
    start(platform, loop={"max_minutes": 1e-9, "patience": 100, "max_iterations": 5})

    with pytest.raises(ConfigurationError, match=r"loop\.max_minutes"):
        begin("plane__it1", {"campaign": "plane"}, platform)


def test_people_are_waited_for_and_their_answers_are_used(platform: Platform) -> None:
    ingest(plane_config(annotation={"annotator": "people"}), platform)
    with pytest.raises(WaitingForPeople, match="13 answers"):
        run(platform, conf={"campaign": "plane"})

    for item in platform.queue.pending("plane"):
        label = 1 if item.proposed is None else item.proposed
        platform.queue.answer(
            Annotation(item.id, item.sample, "relabel", label, "ada", item.version)
        )
    (iteration,) = run(platform, conf={"campaign": "plane"})

    turn = open_turn(iteration, platform)
    pool = load_split(platform.objects, turn.manifest, "pool").ids
    train = load_split(platform.objects, manifest(turn, "labels_only"), "train")
    assert set(train.y[np.isin(train.ids, pool)].tolist()) == {1}


def test_a_time_out_goes_on_without_the_missing_answers(platform: Platform) -> None:
    ingest(plane_config(annotation={"annotator": "people", "timeout_hours": 1e-9}), platform)

    (iteration,) = run(platform, conf={"campaign": "plane"})

    turn = open_turn(iteration, platform)
    assert turn.record.state == "committed"
    assert turn.step("annotate").facts == {"asked": 13, "answered": 0}


def test_a_rejected_synthetic_sample_trains_no_arm(platform: Platform) -> None:
    ingest(plane_config(annotation={"annotator": "people"}), platform)
    with pytest.raises(WaitingForPeople):
        run(platform, conf={"campaign": "plane"})
    rejected = [item for item in platform.queue.pending("plane") if item.kind == "review"]
    for item in platform.queue.pending("plane"):
        action, label = ("reject", None) if item in rejected else ("relabel", 0)
        platform.queue.answer(
            Annotation(item.id, item.sample, action, label, "ada", item.version)  # type: ignore[arg-type]
        )
    (iteration,) = run(platform, conf={"campaign": "plane"})

    turn = open_turn(iteration, platform)
    kept = load_synthetic(platform.objects, manifest(turn, "targeted"))
    assert kept is not None
    assert len(rejected) == 3
    assert not np.isin([item.sample for item in rejected], kept.ids).any()
    verdicts = {row["sample"]: row for row in platform.reader.samples("plane", limit=1000)}
    assert verdicts[rejected[0].sample]["verdict_reason"] == "annotator"


def test_an_unchanged_step_is_reused_and_a_changed_setting_redoes_only_what_follows(
    platform: Platform,
) -> None:
    ingest(plane_config(), platform)
    old = begin("first", {"campaign": "plane"}, platform)
    iterate_until_screen(old, platform)
    platform.lineage.fail_iteration(IterationRef.parse(old), "stopped by hand")

    new = begin("second", {"campaign": "plane", "labels": 5}, platform)
    iterate(new, platform)

    turn = open_turn(new, platform)
    reused = {name: turn.step(name).is_reused for name in ("train", "embed", "diagnose")}
    assert reused == {"train": True, "embed": True, "diagnose": True}
    assert turn.step("select").is_reused is False
    assert turn.step("select").facts["label"] == 5


def iterate_until_screen(iteration: str, platform: Platform) -> None:
    from activesynth.steps.diagnose import diagnose
    from activesynth.steps.embed import embed
    from activesynth.steps.train import train

    for step in (train, embed, diagnose):
        step(iteration, platform)


def test_the_sampler_tells_the_next_plan_where_it_drew_more(platform: Platform) -> None:
    start(platform, iterations=2)

    rows = [r for r in platform.reader.metrics("plane") if r["name"] == "sampler_factor"]

    assert {row["iteration"] for row in rows} == {0, 1}
    assert all(row["value"] > 0 for row in rows)


def test_two_platforms_give_equal_artifacts(platform: Platform, empty_platform: Platform) -> None:
    (one,), (other,) = start(platform), start(empty_platform)

    for name in ("train", "diagnose", "screen", "select", "integrate", "evaluate", "promote"):
        assert one.step(name).artifacts == other.step(name).artifacts


@pytest.fixture
def empty_platform(empty_database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open a second toy platform on a database of its own."""
    from activesynth.lineage.migrate import upgrade

    upgrade(empty_database_url)
    with plane_platform(empty_database_url, tmp_path / "other") as opened:
        yield replace(opened)


def test_a_run_whose_iteration_was_marked_failed_may_still_finish_it(platform: Platform) -> None:
    ingest(plane_config(), platform)
    iteration = begin("first", {"campaign": "plane"}, platform)
    platform.lineage.fail_iteration(IterationRef.parse(iteration), "a task failed")

    iterate(iteration, platform)

    assert open_turn(iteration, platform).record.state == "committed"


def test_a_run_whose_iteration_was_marked_failed_may_still_ask_people(platform: Platform) -> None:
    ingest(plane_config(annotation={"annotator": "people"}), platform)
    iteration = begin("first", {"campaign": "plane"}, platform)
    with pytest.raises(WaitingForPeople):
        iterate(iteration, platform)
    questions = platform.queue.pending("plane")
    platform.lineage.fail_iteration(IterationRef.parse(iteration), "a task failed")

    with pytest.raises(WaitingForPeople):
        iterate(iteration, platform)

    assert open_turn(iteration, platform).record.state == "waiting"
    assert platform.queue.pending("plane") == questions
    assert len(questions) == 13


def test_asking_again_after_an_interruption_runs_only_what_was_left(platform: Platform) -> None:
    ingest(plane_config(), platform)
    first = begin("plane__it0", {"campaign": "plane", "iterations": 2}, platform)
    iterate(first, platform)

    rest = run(platform, conf={"campaign": "plane", "iterations": 2})

    assert rest == ["plane:1:1"]
    assert platform.lineage.campaign("plane").iterations == 2


def test_caps_of_iterations_and_labels_refuse_before_any_work(platform: Platform) -> None:
    start(platform, loop={"max_iterations": 1, "max_labels": 12, "patience": 100})

    with pytest.raises(ConfigurationError, match=r"loop\.max_iterations"):
        begin("plane__it1", {"campaign": "plane"}, platform)
    ingest(plane_config(loop={"max_iterations": 5, "max_labels": 12, "patience": 100}), platform)
    with pytest.raises(ConfigurationError, match=r"loop\.max_labels"):
        begin("plane__it1", {"campaign": "plane"}, platform)

    assert begin("plane__it1", {"campaign": "plane", "labels": 0}, platform).startswith("plane:1")


def test_an_exhausted_gate_is_not_scored_again(platform: Platform) -> None:
    _, second = start(platform, iterations=2, gate={"margin": 1.0, "guarded": {}, "max_reads": 1})

    rows = [r for r in platform.reader.metrics("plane", 1) if r["split"] == "gate"]

    assert [row["name"] for row in rows] == ["detectable_lift"]
    assert "not read again" in str(second.record.reason)


def test_an_iteration_without_candidates_ends_well(platform: Platform) -> None:
    # So few rows that the synthetic budget rounds to nothing.
    (turn,) = start(platform, plan={"growth": 0.001})

    assert turn.record.state == "committed"
    assert turn.step("integrate").facts["synthetic"] == {"targeted": 0, "untargeted": 0}
    assert "no synthetic data" in str(turn.record.reason)


def test_new_rows_after_a_refusal_without_labels_do_not_stop_the_next_iteration(
    platform: Platform,
) -> None:
    from activesynth.operations.refresh import refresh

    quiet = {**REFUSE, "selection": {"strategy": "margin", "labels": 0, "review": 0}}
    config = {"sampling": {"long_tail": 1}, **quiet}
    (first,) = start(platform, **config)
    head_model = platform.lineage.campaign("plane").head_model
    more = {"name": "plane", "parameters": {"rows": 660}}
    ingest(plane_config(source=more, **config), platform)
    added = refresh("plane", "2026-03-01", platform)
    (iteration,) = run(platform, conf={"campaign": "plane"})

    turn = open_turn(iteration, platform)
    assert first.record.decision == "refused"
    assert added.created
    assert turn.step("train").artifacts["model"] == head_model
    assert turn.record.state == "committed"


def test_bought_labels_and_corrected_ones_stand_in_lineage(platform: Platform) -> None:
    (turn,) = start(platform)

    answers = turn.artifacts.json(turn.step("annotate").artifacts["answers"])
    bought = [a for a in answers if a["action"] == "relabel" and a["label"] is not None]
    assert bought
    for answer in bought:
        rows = platform.reader.sample(answer["sample"])
        assert {row["label"] for row in rows} == {answer["label"]}


def test_a_version_lists_all_its_splits(platform: Platform) -> None:
    start(platform)
    head = str(platform.lineage.campaign("plane").head)

    ancestry = platform.reader.ancestry(head)

    assert set(ancestry[0]["rows"]) >= {"train", "pool", "guide", "judge", "gate", "test"}


def test_a_plateau_takes_weight_from_a_branch_that_is_at_its_cap() -> None:
    from activesynth.arms.synthetic import TargetedArm
    from activesynth.domain.exchange import ArmContext
    from activesynth.domain.samples import SampleSet

    def share(damping: float) -> float:
        ids = np.array([str(n) for n in range(40)])
        y = np.zeros(40, np.int64)
        rows = SampleSet(ids, np.zeros((40, 2), np.float32), y, ids)
        weights = {"weight": np.full(40, 9.0 * damping), "damping": np.full(40, damping)}
        synthetic = SampleSet(ids, rows.x, y, ids, weights)
        built = TargetedArm().build(ArmContext(rows, synthetic, None, y, y, 1, 0.6))
        return float(built.weight[built.is_synthetic].sum() / built.weight.sum())

    assert share(1.0) == pytest.approx(0.4)
    assert share(0.5) == pytest.approx(0.25)


def test_models_that_were_replaced_after_their_evaluation_are_not_promoted(
    platform: Platform,
) -> None:
    from activesynth.steps.promote import promote

    ingest(plane_config(), platform)
    iteration = begin("plane__it0", {"campaign": "plane"}, platform)
    ref = IterationRef.parse(iteration)
    stop_before_promote(iteration, platform)
    first = platform.lineage.step(ref, "retrain", 0)
    late = {**first.artifacts, "model0": platform.lineage.step(ref, "train").artifacts["model"]}
    platform.lineage.record_step(ref, replace(first, derivation_key="late", artifacts=late))

    with pytest.raises(ConflictError, match="clear the task `evaluate`"):
        promote(iteration, platform)

    assert platform.lineage.campaign("plane").iterations == 0


def stop_before_promote(iteration: str, platform: Platform) -> None:
    from activesynth.steps import (
        annotate,
        diagnose,
        embed,
        evaluate,
        fit_generator,
        generate,
        integrate,
        plan,
        retrain,
        screen,
        select,
        train,
    )

    train.train(iteration, platform)
    embed.embed(iteration, platform)
    fit_generator.fit_generator(iteration, platform)
    diagnose.diagnose(iteration, platform)
    plan.plan(iteration, platform)
    for shard in generate.shards(iteration, platform):
        generate.generate(iteration, shard, platform)
    screen.screen(iteration, platform)
    select.select(iteration, platform)
    annotate.annotate(iteration, platform)
    integrate.integrate(iteration, platform)
    for arm in retrain.arms(iteration, platform):
        retrain.retrain(iteration, arm, platform)
    evaluate.evaluate(iteration, platform)
