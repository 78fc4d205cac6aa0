from __future__ import annotations

from activesynth.experiments.summary import (
    CampaignSummary,
    Estimate,
    summarise,
    weakness_changes,
)
from lineage_rows import RowReader, make_iteration, make_metric, make_sample, make_weakness


def summary_of(reader: RowReader) -> CampaignSummary:
    return summarise(
        reader,
        "digits",
        metric="balanced_accuracy",
        control="reweighted",
        higher_is_better=True,
    )


def test_a_campaign_without_iterations_has_an_empty_summary() -> None:
    summary = summary_of(RowReader())

    assert summary.iterations == ()


def test_lift_is_the_one_against_the_named_control_in_the_primary_metric_over_all_seeds() -> None:
    reader = RowReader(
        [make_iteration()],
        [
            make_metric("balanced_accuracy_lift:real", 0.5),
            make_metric("macro_f1_lift:reweighted", 0.4),
            make_metric("balanced_accuracy_lift:reweighted", 0.3, seed=0),
            make_metric("balanced_accuracy_lift:reweighted", 0.2, slice="class:1"),
            make_metric("balanced_accuracy_lift:reweighted", 0.1, low=-0.1, high=0.3, n=80),
            make_metric("balanced_accuracy_lift:reweighted", 0.05, split="gate", n=70),
        ],
    )

    turn = summary_of(reader).iterations[0]

    assert turn.lift == Estimate(0.1, -0.1, 0.3, 80)
    assert turn.gate_lift == Estimate(0.05, None, None, 70)


def test_candidates_are_counted_by_verdict_and_reason_apart_from_those_of_the_control() -> None:
    made = [make_sample(f"a{n}") for n in range(3)]
    made += [make_sample(f"b{n}", "rejected", verdict_reason="too_easy") for n in range(2)]
    made += [make_sample("c", "rejected", verdict_reason="unrealistic")]
    made += [make_sample("d", weakness=None), make_sample("e", "rejected", weakness=None)]
    reader = RowReader([make_iteration()], sample_rows=made)

    turn = summary_of(reader).iterations[0]

    assert (turn.candidates, turn.accepted) == (6, 3)
    assert turn.rejected == {"too_easy": 2, "unrealistic": 1}
    assert (turn.control_candidates, turn.control_accepted) == (2, 1)


def test_every_page_of_samples_is_counted() -> None:
    reader = RowReader(
        [make_iteration()], sample_rows=[make_sample(f"{n:05}") for n in range(2001)]
    )

    turn = summary_of(reader).iterations[0]

    assert turn.candidates == 2001


def test_a_weakness_opens_where_it_is_first_seen_and_closes_where_its_state_changes() -> None:
    changes = weakness_changes(
        [
            make_weakness(0, "open"),
            make_weakness(1, "open"),
            make_weakness(2, "closed"),
            make_weakness(3, "closed"),
            make_weakness(4, "regressed"),
        ]
    )

    assert changes == {
        0: {"opened": ["class 8"]},
        2: {"closed": ["class 8"]},
        4: {"regressed": ["class 8"]},
    }


def test_seconds_of_shards_add_up_by_step_and_belong_to_their_iteration() -> None:
    costs = [
        {"iteration": 0, "step": "generate", "seconds": 1.5, "reused": 0},
        {"iteration": 0, "step": "generate", "seconds": 2.5, "reused": 0},
        {"iteration": 1, "step": "generate", "seconds": 9.0, "reused": 0},
    ]
    reader = RowReader([make_iteration(0), make_iteration(1)], cost_rows=costs)

    first, second = summary_of(reader).iterations

    assert first.seconds == {"generate": 4.0}
    assert second.seconds == {"generate": 9.0}


def test_a_result_taken_over_from_an_earlier_iteration_costs_nothing_again() -> None:
    costs = [
        {"iteration": 0, "step": "encoder", "seconds": 16.7531, "reused": 0},
        {"iteration": 1, "step": "encoder", "seconds": 16.7531, "reused": 1},
        {"iteration": 1, "step": "train", "seconds": 3.25, "reused": 1},
    ]
    reader = RowReader([make_iteration(0), make_iteration(1)], cost_rows=costs)

    first, second = summary_of(reader).iterations

    assert first.seconds == {"encoder": 16.7531}
    assert second.seconds == {"train": 3.25}


def test_arms_without_the_primary_metric_are_left_out_and_the_standing_ones_come_first() -> None:
    rows = [
        make_metric("balanced_accuracy", 0.9, arm=arm)
        for arm in ("chameleon", "random", "real", "targeted")
    ]
    rows.append(make_metric("tau", 0.9, arm="base"))
    reader = RowReader([make_iteration()], rows)

    turn = summary_of(reader).iterations[0]

    assert list(turn.arms) == ["real", "random", "targeted", "chameleon"]


def test_the_reason_does_not_repeat_the_decision() -> None:
    reader = RowReader([make_iteration(decision="refused", reason="refused: too low.. Done")])

    turn = summary_of(reader).iterations[0]

    assert turn.reason == "too low. Done"


def test_only_an_interval_above_zero_shows_a_gain() -> None:
    assert Estimate(0.1, 0.01, 0.2).is_shown
    assert not Estimate(0.1, 0.0, 0.2).is_shown
    assert not Estimate(0.1, -0.01, 0.2).is_shown
    assert not Estimate(0.1).is_shown
    assert Estimate(-0.1, -0.2, -0.01).is_shown_negative
    assert not Estimate(-0.1, -0.2, 0.0).is_shown_negative
