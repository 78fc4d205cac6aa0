"""A campaign that steers changes the targeted candidates it names, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from activesynth.bootstrap import open_platform
from activesynth.config.campaign import parse_campaign
from activesynth.config.settings import Settings
from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.platform import Platform
from activesynth.domain.records import IterationRef, StepRecord
from activesynth.domain.samples import SampleSet, concatenate
from activesynth.errors import ConfigurationError, InputError
from activesynth.operations.ingest import ingest
from activesynth.steps.begin import begin
from activesynth.steps.diagnose import diagnose
from activesynth.steps.embed import embed
from activesynth.steps.fit_generator import fit_generator
from activesynth.steps.generate import generate, shards
from activesynth.steps.plan import plan
from activesynth.steps.steering import pick_anchors
from activesynth.steps.train import train
from activesynth.steps.turn import Turn, open_turn
from generation_rows import sample_set
from tiny_campaign import TINY


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open a platform of real adapters, as the command line does."""
    settings = Settings(database_url=SecretStr(database_url), home=tmp_path / "home")
    with open_platform(settings) as opened:
        yield opened


@dataclass(frozen=True)
class Made:
    """What one run came to before its iteration was left to the next run."""

    turn: Turn
    model: str
    fitting: StepRecord
    records: list[StepRecord]
    arms: dict[str, SampleSet]


def candidates(platform: Platform, run: str, **changes: Any) -> Made:
    """Run to the candidates under a changed config, on whatever can be reused."""
    ingest(parse_campaign({**TINY, "name": "tiny", **changes}, "tiny"), platform)
    iteration = begin(run, {"campaign": "tiny"}, platform)
    for step in (train, embed, fit_generator, diagnose, plan):
        step(iteration, platform)
    turn = open_turn(iteration, platform)
    model, fitting = turn.step("train").artifacts["model"], turn.step("fit_generator")
    records = [generate(iteration, shard, platform) for shard in shards(iteration, platform)]
    platform.lineage.fail_iteration(IterationRef.parse(iteration), "enough was made")
    arms = {
        arm: concatenate([turn.artifacts.samples(record.artifacts[arm]) for record in records])
        for arm in ("targeted", "untargeted")
    }
    return Made(turn, model, fitting, records, arms)


def test_steering_changes_invented_targeted_rows_of_no_cluster_and_nothing_else(
    platform: Platform,
) -> None:
    plain = candidates(platform, "plain")
    idle = candidates(platform, "idle", guidance={"by": "entropy", "scale": 0.0})
    pushed = candidates(platform, "pushed", guidance={"by": "entropy", "scale": 1.0})
    started = candidates(platform, "started", guidance={"strength": 0.3})

    before, after = plain.arms["targeted"], pushed.arms["targeted"]
    changed = (after.x != before.x).reshape(len(before), -1).any(axis=1)
    invented = before.columns["perturbation"] == ""
    assert 0 < changed.sum() <= invented.sum()
    assert not changed[~invented].any()
    assert mean_entropy(pushed, after.x[changed]) > mean_entropy(pushed, before.x[changed])
    for made in (pushed, started):
        np.testing.assert_array_equal(made.arms["untargeted"].ids, plain.arms["untargeted"].ids)
    # Where it is off, results from before there was any steering are still found.
    assert all(record.is_reused for record in idle.records)
    assert all(plain.model not in record.inputs for record in plain.records)
    assert all(pushed.model in record.inputs for record in pushed.records)
    assert pushed.fitting.is_reused
    real = load_split(platform.objects, pushed.turn.manifest, "train")
    group = dict(zip(real.ids.tolist(), real.groups.tolist(), strict=True))
    begun = started.arms["targeted"].take(changed)
    assert [group[name] for name in begun.columns["anchor"].tolist()] == begun.groups.tolist()


def mean_entropy(made: Made, x: Array) -> float:
    probs = made.turn.predictor(made.model).predict_proba(x)
    return float(-(probs * np.log(probs)).sum(axis=1).mean())


def test_a_generator_that_cannot_be_guided_stops_the_campaign_with_a_reason(
    platform: Platform,
) -> None:
    vae = {"name": "vae", "parameters": {"steps": 2}}

    with pytest.raises(InputError, match=r"'vae' cannot be guided.*guidance\.by"):
        candidates(platform, "run", generator=vae, guidance={"by": "variance"})


def test_a_score_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"guidance\.by"):
        parse_campaign({**TINY, "name": "tiny", "guidance": {"by": "margin"}}, "tiny")


def test_an_anchor_has_the_label_and_is_a_preferred_row_where_there_is_one() -> None:
    real = sample_set(np.arange(6.0)[:, None], np.array([0, 0, 0, 1, 1, 2]))
    preferred = np.array([False, True, False, False, False, True])
    labels = np.array([0, 0, 1, 2, 3])

    picked = pick_anchors(real, labels, np.arange(5, dtype=np.uint64), preferred)

    assert picked.ids.tolist() == ["row1", "row1", "row3", "row5", "row4"]
