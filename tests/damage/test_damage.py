"""Damage of every kind of blob is found before use; the long form is `suite.py` beside this."""

from __future__ import annotations

import uuid

import pytest

from damage_consumers import _CONSUMERS
from damage_laboratory import Laboratory, on_s3
from damage_trials import damage_trials
from s3_fixtures import S3Server


def test_every_kind_of_blob_that_a_campaign_leaves_has_a_consumer(one_lab: Laboratory) -> None:
    assert set(one_lab.kinds) == set(_CONSUMERS)


def test_one_flipped_bit_in_any_kind_of_blob_is_found_before_use(one_lab: Laboratory) -> None:
    trials = list(damage_trials(one_lab, "directory", "flipped", len(one_lab.kinds), seed=7))

    assert {trial.blob.kind for trial in trials} == set(one_lab.kinds)
    assert [trial for trial in trials if not trial.finding.is_found] == []


@pytest.mark.parametrize("harm", ["truncated", "empty"])
def test_a_cut_or_empty_blob_is_found_before_use(one_lab: Laboratory, harm: str) -> None:
    trials = list(damage_trials(one_lab, "directory", harm, 16, seed=8))

    assert [trial for trial in trials if not trial.finding.is_found] == []


def test_damage_on_a_real_s3_server_is_found_before_use(
    one_lab: Laboratory, s3_server: S3Server
) -> None:
    bucket = on_s3(one_lab, s3_server, f"t-{uuid.uuid4().hex[:12]}")

    trials = list(damage_trials(bucket, "s3", "flipped", 12, seed=9))

    assert [trial for trial in trials if not trial.finding.is_found] == []
