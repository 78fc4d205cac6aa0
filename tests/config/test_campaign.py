"""What a campaign file may say: whatever an iteration could not use is refused when it is read."""

from __future__ import annotations

from typing import Any

import pytest

from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.errors import ConfigurationError


def parse(**sections: Any) -> CampaignConfig:
    return parse_campaign({"name": "toy", "source": {"name": "digits"}, **sections}, "toy.yaml")


SHARES = {"train": 0.2, "pool": 0.2, "guide": 0.2, "judge": 0.1, "gate": 0.15, "test": 0.15}


def without(split: str) -> dict[str, float]:
    """Give the share of one split to another."""
    heir = "gate" if split == "train" else "train"
    return {**SHARES, split: 0.0, heir: SHARES[heir] + SHARES[split]}


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"diagnosis": {"severities": []}}, "`diagnosis.severities`: .* at least 1 item"),
        (
            {"diagnosis": {"severities": [0.5, 1, 0.5]}},
            "`diagnosis.severities`: .*0.5 is given more than once",
        ),
        (
            {"diagnosis": {"corruptions": ["blur", "noise", "blur"]}},
            "`diagnosis.corruptions`: .*blur is given more than once",
        ),
        (
            {"evaluation": {"arms": ["real", "reweighted", "random", "targeted", "real"]}},
            "`evaluation.arms`: .*real is given more than once",
        ),
        ({"training": {"real_share": 1.0}}, "`training.real_share`: .*less than 1"),
        ({"training": {"real_share": 0.49}}, "`training.real_share`: .*equal to 0.5"),
        (
            {"annotation": {"timeout_hours": 2160}},
            "`annotation.timeout_hours`: .*less than or equal to 2159",
        ),
    ],
)
def test_what_no_iteration_could_use_is_refused_by_field(
    sections: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"toy.yaml: {says}"):
        parse(**sections)


@pytest.mark.parametrize("split", ["train", "guide", "judge"])
def test_a_split_that_every_iteration_reads_cannot_be_empty(split: str) -> None:
    with pytest.raises(ConfigurationError, match=f"`splits.{split}`: .*greater than 0"):
        parse(splits=without(split))


@pytest.mark.parametrize("gate", [{}, {"gate": {"margin": 0.1}}])
def test_the_gate_may_have_no_rows_only_where_it_is_off(gate: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"`gate`: .*`splits\.gate` is 0.*enabled: false"):
        parse(splits=without("gate"), **gate)

    assert parse(splits=without("gate"), gate={"enabled": False}).splits.gate == 0.0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"evaluation": {"fairness": {"attribute": "sex"}}}, "give both or neither"),
        ({"splits": {"test_fold": {"count": 5, "number": 5}}}, "numbered 0 to 4"),
        ({"splits": {"test_fold": {"count": 5, "number": 0}}}, "set `test` to 0"),
    ],
)
def test_half_an_attribute_and_a_fold_beside_a_test_share_are_refused(
    changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        parse(**changes)


@pytest.mark.parametrize("split", ["pool", "test"])
def test_pool_and_test_may_be_empty(split: str) -> None:
    assert getattr(parse(splits=without(split)).splits, split) == 0.0


def test_the_limits_themselves_are_allowed() -> None:
    config = parse(
        diagnosis={"severities": [0.5], "corruptions": []},
        training={"real_share": 0.5},
        annotation={"timeout_hours": 2159},
    )

    assert config.training.real_share == 0.5
    assert config.diagnosis.corruptions == ()


def test_a_schedule_that_is_no_cron_is_refused_with_file_and_field() -> None:
    with pytest.raises(ConfigurationError, match=r"toy.yaml: `refresh.schedule.*five cron fields"):
        parse(refresh={"schedule": "every night"})


def test_a_schedule_is_kept_as_it_was_written() -> None:
    assert parse(refresh={"schedule": "0 2 * * MON-FRI"}).refresh.schedule == "0 2 * * MON-FRI"
    assert parse(refresh={"schedule": None}).refresh.schedule is None
