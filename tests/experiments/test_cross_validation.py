"""An experiment in folds: whole repeats, patients apart, every row scored once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.config.experiment import Claim, ExperimentConfig, parse_experiment
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.experiments import ScoreRow
from activesynth.errors import ConfigurationError
from activesynth.experiments.analysis import Analysis, Outcome, analyse
from activesynth.experiments.cells import missing_cells, register, run_cell
from activesynth.experiments.experiment_page import sentences, write_experiment
from activesynth.experiments.folds import joined_cells, joined_scores
from activesynth.operations.ingest import ingest
from toy_people import ROWS, people_config, people_platform

FILE: dict[str, Any] = {
    "name": "crossed",
    "campaign": "people",
    "folds": 2,
    "variants": {"cv": {"training": {"replicates": 1}}},
    "contenders": {
        "real": {"variant": "cv", "arm": "real"},
        "targeted": {"variant": "cv", "arm": "targeted"},
    },
    "metrics": ["balanced_accuracy", "macro_f1"],
    "primary": {"better": "targeted", "than": "real", "metric": "balanced_accuracy"},
    "seeds": {"tuning": [], "confirmation": [0, 1]},
}


def make(**changes: Any) -> ExperimentConfig:
    return parse_experiment(FILE | changes, "test")


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ({"tuning": [], "confirmation": [0, 1, 2]}, r"seeds \[3\] miss"),
        ({"tuning": [4], "confirmation": [0, 1]}, r"leave seeds\.tuning empty"),
    ],
)
def test_half_a_repeat_and_tuning_are_refused(seeds: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make(seeds=seeds)


def test_every_row_is_scored_once_by_models_that_saw_nothing_of_its_patient(
    database_url: str, tmp_path: Path
) -> None:
    with people_platform(database_url, tmp_path) as platform:
        registered = register(make(), people_config(), platform)
        for cell in missing_cells(registered, "confirmation", platform):
            run_cell(registered, cell, platform, ingest=ingest)

        analysis = analyse(registered, "confirmation", platform)
        page, _ = write_experiment(registered, analysis, tmp_path / "reports")

        tested: list[str] = []
        for seed in (0, 1):
            head = platform.lineage.campaign(registered.campaign("cv", seed).name).head
            manifest = DatasetManifest.decode(platform.objects.get(str(head)))
            groups = {
                name: set(load_split(platform.objects, manifest, name).groups.tolist())
                for name in manifest.splits
            }
            others = set().union(*(found for name, found in groups.items() if name != "test"))
            assert not groups["test"] & others
            tested += load_split(platform.objects, manifest, "test").ids.tolist()
    assert len(tested) == len(set(tested)) == ROWS
    assert analysis.seeds == (0,)
    scores = [row for row in analysis.scores if row.metric == "balanced_accuracy"]
    assert {row.n for row in scores} == {ROWS}
    rows = {row.name: row for row in analysis.fairness if row.arm == "targeted"}
    assert rows["unknown_rows"].n == ROWS
    assert rows["equal_opportunity_difference"].n < ROWS / 2
    text = page.read_text()
    assert "Fairness by sex" in text
    assert "1 repeat (0), scored" in " ".join(text.split())


@pytest.mark.parametrize(("high", "is_told"), [(1e-13, True), (0.02, False)])
def test_a_claim_about_arms_that_predicted_alike_says_so(high: float, is_told: bool) -> None:
    claim = Claim(better="targeted", than="real", metric="balanced_accuracy", above=-0.1)
    outcome = Outcome(claim, True, 0.0, -high, high, (0.0, 0.0), "holds")

    ((_, line),) = sentences(Analysis("confirmation", (0, 1), (), (outcome,), (), (), ()))

    assert ("they predicted alike, so nothing was compared" in line) == is_told


def make_cell(rows: list[int]) -> dict[str, Any]:
    y = np.array(rows) % 2
    return {
        "ids": np.array([f"{row}" for row in rows]),
        "groups": np.array([f"{row}" for row in rows]),
        "y": y,
        "guide_recalls": np.array([1.0, 0.5]),
        "0.real.predicted": np.array([y, np.zeros_like(y)]),
    }


def test_folds_are_joined_by_sample_and_recalls_counted_over_all_rows() -> None:
    cells = {
        ("cv", 0): make_cell([5, 1, 4, 2]),
        ("cv", 1): make_cell([3]),
        ("cv", 2): make_cell([0]),
    }
    scores = [
        ScoreRow("cv", seed, 0, arm, name, value, n)
        for seed, arm, name, value, n in (
            (0, "real", "balanced_accuracy", 0.75, 4),
            (1, "real", "balanced_accuracy", 0.5, 1),
            (0, "real", "nll", 1.0, 4),
            (1, "real", "nll", 6.0, 1),
            (0, "", "seconds", 10.0, 0),
            (1, "", "seconds", 20.0, 0),
        )
    ]

    joined = joined_cells(cells, 2)
    found = {row.metric: row for row in joined_scores(scores, joined, 2)}

    assert list(joined) == [("cv", 0)]
    assert joined["cv", 0]["ids"].tolist() == list("12345")
    assert joined["cv", 0]["0.real.predicted"].tolist() == [[1, 0, 1, 0, 1], [0] * 5]
    # The first training is right everywhere; the second has recalls 1 and 0.
    assert found["balanced_accuracy"].value == pytest.approx(0.75)
    assert found["nll"].value == pytest.approx(2.0)
    assert found["seconds"].value == pytest.approx(15.0)
    assert found["nll"].n == 5
