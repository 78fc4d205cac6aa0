from __future__ import annotations

from dataclasses import replace

import pytest

from activesynth.experiments.summary import CampaignSummary, Estimate, IterationSummary
from activesynth.experiments.words import interval, plain_words, points


def make_summary(*turns: IterationSummary) -> CampaignSummary:
    return CampaignSummary("digits", "balanced_accuracy", "reweighted", turns)


def make_turn(number: int = 0, decision: str = "refused") -> IterationSummary:
    return IterationSummary(number, decision, "the bound is under the margin.", "ab" * 32)


def text(sentences: tuple[str, ...]) -> str:
    return "\n".join(sentences)


def test_without_iterations_nothing_is_claimed() -> None:
    words = plain_words(make_summary())

    assert words.gained == ()
    assert "no iteration" in text(words.not_gained)


@pytest.mark.parametrize("low", [-0.02, 0.0])
def test_an_interval_that_includes_zero_is_not_shown(low: float) -> None:
    turn = replace(make_turn(), lift=Estimate(0.03, low, 0.08))

    words = plain_words(make_summary(turn))

    assert words.gained == ()
    assert "+3.0 points" in text(words.not_gained)
    assert "not shown" in text(words.not_gained)


def test_an_interval_above_zero_is_a_gain() -> None:
    turn = replace(make_turn(), lift=Estimate(0.03, 0.01, 0.05))

    words = plain_words(make_summary(turn))

    assert "+3.0 points, interval +1.0 to +5.0: shown" in text(words.gained)


def test_an_interval_below_zero_is_called_harm() -> None:
    turn = replace(make_turn(), lift=Estimate(-0.03, -0.05, -0.01))

    words = plain_words(make_summary(turn))

    assert words.gained == ()
    assert "did harm" in text(words.not_gained)


def test_where_lower_is_better_a_smaller_number_is_the_gain() -> None:
    gain = replace(make_turn(0), lift=Estimate(-0.222, -0.271, -0.172))
    harm = replace(make_turn(1), lift=Estimate(0.222, 0.172, 0.271))

    words = plain_words(CampaignSummary("digits", "nll", "real", (gain, harm), False))

    assert "in nll is -0.222 (lower is better), interval -0.271 to -0.172: shown." in text(
        words.gained
    )
    assert "+0.222 (lower is better)" in text(words.not_gained)
    assert "did harm" in text(words.not_gained)
    assert "points" not in text(words.gained)


@pytest.mark.parametrize(("higher", "is_gain"), [(True, False), (False, True)])
def test_a_fall_from_the_first_real_rows_is_a_gain_where_lower_is_better(
    higher: bool, is_gain: bool
) -> None:
    before, after = Estimate(0.8, 0.7, 0.9), Estimate(0.5, 0.4, 0.6)
    first = replace(make_turn(0), arms={"real": {"nll": before}})
    last = replace(make_turn(1), arms={"targeted": {"nll": after}})

    words = plain_words(CampaignSummary("digits", "nll", "real", (first, last), higher))

    assert ("do not overlap" in text(words.gained)) is is_gain


def test_a_refusal_is_no_gain_and_says_that_the_labels_are_kept() -> None:
    words = plain_words(make_summary(replace(make_turn(), labels=30)))

    assert words.gained == ()
    assert "refused (the bound is under the margin)" in text(words.not_gained)
    assert "30 bought labels are kept" in text(words.not_gained)


def test_a_refusal_without_a_version_claims_no_kept_labels() -> None:
    words = plain_words(make_summary(replace(make_turn(), labels=30, version=None)))

    assert "labels" not in text(words.not_gained)


def test_a_promotion_is_not_called_better() -> None:
    words = plain_words(make_summary(make_turn(decision="promoted")))

    assert "promoted the new dataset and model" in text(words.gained)
    assert "That is less than being better." in text(words.gained)


def test_overlapping_intervals_over_iterations_show_no_gain() -> None:
    first = replace(
        make_turn(0), arms={"real": {"balanced_accuracy": Estimate(0.80, 0.75, 0.85)}}, labels=30
    )
    last = replace(
        make_turn(1), arms={"targeted": {"balanced_accuracy": Estimate(0.84, 0.80, 0.88)}}, labels=7
    )

    words = plain_words(make_summary(first, last))

    assert words.gained == ()
    assert "with 7 labels bought in between: the intervals overlap" in text(words.not_gained)


def test_the_smallest_lift_that_could_be_seen_is_told() -> None:
    turn = replace(make_turn(), detectable_lift=Estimate(0.047, n=270))

    words = plain_words(make_summary(turn))

    assert "With 270 rows in the gate, a lift under about 4.7 points" in text(words.limits)


def test_numbers_read_as_people_write_them() -> None:
    assert points(-0.0123) == "-1.2 points"
    assert interval(Estimate(0.5, 0.25, 0.75)) == "0.500 [0.250, 0.750]"
    assert interval(Estimate(0.5)) == "0.500"
    assert interval(Estimate(-0.0001)) == "0.000"
    assert points(-0.0001) == "+0.0 points"
