"""A changed setting does the steps again that it reaches, and no other: told by the step rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from activesynth.bootstrap import open_platform
from activesynth.config.campaign import CampaignConfig, parse_campaign
from activesynth.config.corpus import parse_corpus
from activesynth.config.settings import Settings
from activesynth.domain.platform import Platform
from activesynth.domain.records import IterationRef, StepRecord
from activesynth.operations.ingest import ingest
from activesynth.operations.train_generator import train_generator
from activesynth.steps.begin import begin
from activesynth.steps.diagnose import diagnose
from activesynth.steps.embed import embed
from activesynth.steps.fit_generator import fit_generator
from activesynth.steps.generate import generate, shards
from activesynth.steps.plan import plan
from activesynth.steps.screen import screen
from activesynth.steps.select import select
from activesynth.steps.train import train
from activesynth.steps.turn import Turn, open_turn
from tiny_campaign import TINY
from toy_plane import plane_config, plane_platform

BEFORE_SELECT = {
    "encoder", "judge", "train", "codebook", "embed", "fit_generator", "diagnose", "plan",
    "generate", "screen",
}  # fmt: skip


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open a platform of real adapters, as the command line does."""
    settings = Settings(database_url=SecretStr(database_url), home=tmp_path / "home")
    with open_platform(settings) as opened:
        yield opened


@pytest.fixture
def plane(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def selected(config: CampaignConfig, run: str, platform: Platform) -> tuple[Turn, list[StepRecord]]:
    """Register the campaign, run up to its selection on whatever can be reused, and stop there."""
    ingest(config, platform)
    iteration = begin(run, {"campaign": config.name}, platform)
    for step in (train, embed, fit_generator, diagnose, plan):
        step(iteration, platform)
    for shard in shards(iteration, platform):
        generate(iteration, shard, platform)
    screen(iteration, platform)
    select(iteration, platform)
    turn = open_turn(iteration, platform)
    records = [
        record
        for name in sorted(BEFORE_SELECT | {"select"})
        for record in platform.lineage.steps(turn.ref, name)
    ]
    platform.lineage.fail_iteration(IterationRef.parse(iteration), "enough was seen")
    return turn, records


def rows(records: list[StepRecord], name: str) -> list[StepRecord]:
    return [record for record in records if record.name == name]


def computed(records: list[StepRecord]) -> set[str]:
    """Return the steps of which any row was computed and not taken over."""
    return {record.name for record in records if not record.is_reused}


def test_another_query_strategy_does_nothing_again_that_comes_before_the_selection(
    platform: Platform,
) -> None:
    def tiny(strategy: str) -> CampaignConfig:
        selection = {**TINY["selection"], "strategy": strategy}
        return parse_campaign({**TINY, "name": "tiny", "selection": selection}, "tiny")

    first, before = selected(tiny("badge"), "first", platform)
    second, after = selected(tiny("entropy"), "second", platform)

    assert computed(before) == {record.name for record in before} == BEFORE_SELECT | {"select"}
    assert computed(after) == {"select"}
    assert {record.name for record in after} == BEFORE_SELECT | {"select"}
    assert first.ref != second.ref
    assert first.config.selection.strategy != second.config.selection.strategy
    for one, other in zip(before, after, strict=True):
        is_same = one.artifacts == other.artifacts and one.derivation_key == other.derivation_key
        assert is_same == (one.name != "select"), one.name


SPREAD = {"name": "spread", "artifact": "clouds"}


def with_artifact(run: str, plane: Platform, **parameters: Any) -> list[StepRecord]:
    """Run up to the selection with a generator that was trained on a corpus, sampled like this."""
    document = {
        "name": "clouds",
        "licence": "CC0-1.0",
        "modality": "plane",
        "source": {"name": "plane", "parameters": {"seed": 9, "rows": 300}},
        "generator": {"name": "spread"},
        "near_duplicate": 0.0,
    }
    train_generator(parse_corpus(document, "test"), plane)
    generator = {**SPREAD, "parameters": parameters}
    return selected(plane_config(generator=generator), run, plane)[1]


def test_another_way_to_sample_an_artifact_makes_and_screens_its_candidates_again(
    plane: Platform,
) -> None:
    before = with_artifact("first", plane, spread=1.0)
    same = with_artifact("second", plane, spread=1.0)
    wide = with_artifact("third", plane, spread=1.5)

    assert computed(same) == set()
    assert computed(wide) == {"generate", "screen", "select"}
    for one, other in zip(rows(before, "generate"), rows(wide, "generate"), strict=True):
        assert one.inputs == other.inputs  # nothing but the sampling tells them apart
        assert one.artifacts["targeted"] != other.artifacts["targeted"]


def test_what_an_artifact_scores_otherwise_is_screened_again_though_its_samples_are_the_same(
    plane: Platform,
) -> None:
    before = with_artifact("first", plane, strictness=1.0)
    strict = with_artifact("second", plane, strictness=3.0)

    (one,), (other,) = rows(before, "screen"), rows(strict, "screen")
    made = [[row.artifacts for row in rows(found, "generate")] for found in (before, strict)]
    assert made[0] == made[1]
    assert one.inputs == other.inputs
    assert not other.is_reused
    assert one.facts["limits"] != other.facts["limits"]
