"""Transformed real rows keep their label, so no verifier's doubt about it counts against them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from activesynth.domain.dataset_access import load_synthetic
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.samples import concatenate
from activesynth.operations.ingest import ingest
from activesynth.steps.embedding_map import MAPPED
from activesynth.steps.loop import run
from activesynth.steps.screen import _embedded, _verdicts
from activesynth.steps.turn import Turn, open_turn
from activesynth.targeting.screening import Limits
from toy_plane import plane_config, plane_platform


@pytest.fixture
def turn(database_url: str, tmp_path: Path) -> Iterator[Turn]:
    """Run an iteration that makes corrupted copies, among other rows."""
    with plane_platform(database_url, tmp_path) as platform:
        ingest(plane_config(), platform)
        (iteration,) = run(platform, conf={"campaign": "plane", "iterations": 1})
        yield open_turn(iteration, platform)


def test_doubt_about_the_label_rejects_invented_rows_only(turn: Turn) -> None:
    screened = turn.step("screen")
    branches = ("targeted.samples", "untargeted.samples")
    rows = concatenate([turn.artifacts.samples(screened.artifacts[name]) for name in branches])
    model = turn.predictor(turn.step("train").artifacts["model"])
    sure = model.predict_proba(rows.x)[np.arange(len(rows)), rows.y]
    transformed = rows.columns["perturbation"] != ""
    limits = Limits(**screened.facts["limits"])
    # A verifier that has a say and asks for more than most rows have; on this plane none has to be.
    least = float(np.median(sure[~transformed]))
    strict = replace(limits, uses_verifier=True, min_label_probability=least)
    verdicts = _verdicts(turn, rows, _embedded(turn, rows), strict, model, model, seed=1)
    doubtful = verdicts["label_probability"] < least

    assert (transformed & doubtful).sum() > 10
    assert verdicts["accepted"][transformed].all()
    assert (~transformed & doubtful).sum() > 10
    assert not verdicts["accepted"][~transformed & doubtful].any()


def test_transformed_rows_weigh_alike_and_as_much_as_the_middle_of_the_invented(
    turn: Turn,
) -> None:
    digest = turn.step("integrate").artifacts["targeted"]
    rows = load_synthetic(turn.platform.objects, turn.artifacts.document(digest, DatasetManifest))
    assert rows is not None
    weight = rows.columns["weight"]
    screened = turn.artifacts.samples(turn.step("screen").artifacts["targeted.samples"])
    perturbed = screened.ids[screened.columns["perturbation"] != ""]
    transformed = np.isin(rows.ids, perturbed)

    assert transformed.sum() > 10
    np.testing.assert_allclose(weight[transformed], weight[transformed][0])
    if not transformed.all():
        assert weight[transformed][0] == pytest.approx(np.median(weight[~transformed]), rel=0.05)


def test_the_map_shows_every_kind_of_row_where_its_embedding_lies(turn: Turn) -> None:
    drawn = turn.artifacts.arrays(turn.step("screen").artifacts["map"])
    embedded = turn.artifacts.arrays(turn.step("embed").artifacts["guide"])
    scores = turn.artifacts.arrays(turn.step("diagnose").artifacts["scores"])
    verdicts = turn.artifacts.arrays(turn.step("screen").artifacts["targeted.verdicts"])
    candidates = turn.artifacts.samples(turn.step("screen").artifacts["targeted.samples"])
    kinds = drawn["kind"]
    accepted = dict(zip(candidates.ids.tolist(), verdicts["accepted"].tolist(), strict=True))
    entropy = dict(zip(embedded["ids"].tolist(), scores["entropy"].tolist(), strict=True))
    guide = kinds == "guide"

    found = {"accepted" if verdict else "rejected" for verdict in accepted.values()}
    assert set(kinds.tolist()) == {"train", "pool", "guide"} | found
    assert max(np.unique(kinds, return_counts=True)[1]) <= MAPPED
    assert [entropy[i] for i in drawn["ids"][guide].tolist()] == drawn["entropy"][guide].tolist()
    assert np.isnan(drawn["entropy"][kinds == "train"]).all()
    for kind, verdict in (("accepted", True), ("rejected", False)):
        assert {accepted[i] for i in drawn["ids"][kinds == kind].tolist()} <= {verdict}
    assert 0 < drawn["share"][0] <= 1
    assert np.ptp(drawn["x"]) >= np.ptp(drawn["y"]) > 0
