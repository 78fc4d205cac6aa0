"""The guarded split: read once per comparison, scored like by hand, and told to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from activesynth.cli.results import print_final
from activesynth.domain.canonical import Array
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest, ModelCard
from activesynth.domain.platform import Platform
from activesynth.errors import ConfigurationError
from activesynth.experiments.final_test import FinalTest, final_words, score_test
from activesynth.experiments.report import collect, render
from activesynth.lineage.canonical import canonical_state
from activesynth.operations.ingest import ingest
from activesynth.steps.artifacts import Artifacts
from activesynth.steps.loop import run
from toy_plane import PlanePredictor, plane_config, plane_platform

# The gate lets every iteration pass, so that each one leaves a new head.
CONFIG = plane_config(gate={"margin": 1.0, "guarded": {}})
NO_TEST = {"train": 0.3, "pool": 0.2, "guide": 0.2, "judge": 0.1, "gate": 0.2, "test": 0.0}


@pytest.fixture
def plane(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Return a platform on which the campaign has been ingested."""
    with plane_platform(database_url, tmp_path) as platform:
        ingest(CONFIG, platform)
        yield platform


def iterate(platform: Platform) -> None:
    run(platform, conf={"campaign": "plane", "iterations": 1})


def scored(platform: Platform) -> FinalTest:
    final = score_test(platform, CONFIG)
    assert final is not None
    return final


def test_a_read_counts_once_per_set_of_models(plane: Platform) -> None:
    before = score_test(plane, CONFIG)
    iterate(plane)
    first, again = scored(plane), scored(plane)
    iterate(plane)
    second, last = scored(plane), scored(plane)

    assert before is None
    assert [final.reads for final in (first, again, second, last)] == [1, 1, 2, 2]
    assert first == again
    assert first.compared.models != second.compared.models
    reads = [read for read in plane.lineage.split_reads("plane") if read.split == "test"]
    assert len(reads) == 2
    assert len([r for r in plane.lineage.split_reads("plane") if r.split == "gate"]) == 2


def test_the_numbers_are_those_computed_by_hand(plane: Platform) -> None:
    iterate(plane)

    final = scored(plane)

    record = plane.lineage.campaign("plane")
    assert record.head is not None
    manifest = DatasetManifest.decode(plane.objects.get(record.head))
    rows = load_split(plane.objects, manifest, "test")
    trained = {
        (row["arm"], row["replicate"]): str(row["digest"])
        for row in plane.reader.models("plane")
        if row["role"] == "arm"
    }
    assert final.compared.models["head"] == (trained["targeted", 0],) == (record.head_model,)
    assert set(final.scores) == {"head", "real", "reweighted", "random"}
    expected = {"head": [by_hand(plane, trained["targeted", 0], rows.x, rows.y)]}
    for arm in ("real", "reweighted", "random"):
        expected[arm] = [by_hand(plane, trained[arm, r], rows.x, rows.y) for r in range(2)]
    for name, values in expected.items():
        found = final.scores[name]["balanced_accuracy"]
        assert found.value == pytest.approx(np.mean(values), abs=1e-12)
        assert found.low is not None
        assert found.high is not None
        assert found.low <= found.value <= found.high
        assert found.n == final.rows == len(rows)
        if name != "head":
            difference = expected["head"][0] - np.mean(values)
            assert final.differences[name].value == pytest.approx(difference, abs=1e-12)


def by_hand(platform: Platform, digest: str, x: Array, y: Array) -> float:
    artifacts = Artifacts(platform.objects)
    weights = artifacts.tensors(artifacts.document(digest, ModelCard).tensors)["weights"]
    predicted = PlanePredictor(weights).predict_proba(x).argmax(axis=1)
    return float(balanced_accuracy_score(y, predicted))


def test_a_look_leaves_nothing_but_its_count(plane: Platform, database_url: str) -> None:
    iterate(plane)
    unseen = canonical_state(database_url, "plane")
    scored(plane)
    seen = canonical_state(database_url, "plane")

    changed = {name for name in seen if seen[name] != unseen[name]}
    assert changed == {"split_reads"}
    assert "test" not in {row["split"] for row in plane.reader.metrics("plane")}


READS = "sentinel:test_reads"


def told(platform: Platform, campaign: str) -> list[tuple[object, ...]]:
    """Return the campaign's metric rows, without what differs from run to run."""
    return [(r["name"], r["arm"], r["slice"], r["value"]) for r in metrics(platform, campaign)]


def test_what_follows_is_equal_with_and_without_a_look(plane: Platform) -> None:
    iterate(plane)
    scored(plane)
    iterate(plane)
    with_look = told(plane, "plane")

    other = plane_config(name="blind", gate={"margin": 1.0, "guarded": {}})
    ingest(other, plane)
    run(plane, conf={"campaign": "blind", "iterations": 2})

    blind = told(plane, "blind")
    # Only the sentinel that counts looks at test may tell that there was one.
    assert [row for row in blind if row[2] != READS] == [r for r in with_look if r[2] != READS]
    assert ("alarm_value", "base", READS, 1.0) in with_look
    assert ("alarm_value", "base", READS, 1.0) not in blind


def metrics(platform: Platform, campaign: str = "plane") -> list[dict[str, object]]:
    return platform.reader.metrics(campaign, 1)


def test_after_a_refusal_the_model_that_it_started_from_is_scored(plane: Platform) -> None:
    strict = plane_config(gate={"margin": 0.0, "guarded": {}})
    ingest(strict, plane)
    iterate(plane)
    record = plane.lineage.campaign("plane")

    final = scored(plane)

    [base] = [row["digest"] for row in plane.reader.models("plane") if row["role"] == "base"]
    assert record.head_model is None
    assert final.compared.models["head"] == (base,)
    assert "the new one was not promoted" in final_words(final)[0]


def test_the_page_and_the_terminal_say_how_often_test_was_read(
    plane: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    iterate(plane)

    report = collect(plane, CONFIG, test=True)
    page = render(report)
    assert report.final is not None
    print_final(report.final)

    shown = capsys.readouterr().out
    assert "On the guarded test split" in page
    assert "On the guarded test split" in shown
    assert "test was read 1 time." in page
    assert "test was read 1 time." in shown
    assert "Compared with `reweighted` of iteration 0 (2 training runs)" in page


def test_a_report_that_does_not_ask_reads_nothing(plane: Platform) -> None:
    iterate(plane)

    page = render(collect(plane, CONFIG))

    assert "guarded test split" not in page
    assert "test" not in {read.split for read in plane.lineage.split_reads("plane")}


def test_a_campaign_without_test_rows_is_told_and_not_counted(plane: Platform) -> None:
    without = plane_config(name="without", splits=NO_TEST)
    ingest(without, plane)
    run(plane, conf={"campaign": "without", "iterations": 1})

    with pytest.raises(ConfigurationError, match="no rows in `test`"):
        score_test(plane, without)

    assert "test" not in {read.split for read in plane.lineage.split_reads("without")}
