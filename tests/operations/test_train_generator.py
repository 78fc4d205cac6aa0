"""Generators with a corpus of their own, and campaigns that name one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activesynth.config.corpus import CorpusConfig, parse_corpus
from activesynth.domain.dataset_access import load_quarantine, load_split
from activesynth.domain.documents import SPLITS, DatasetManifest, ModelCard
from activesynth.domain.exchange import GenerationRequest, State
from activesynth.domain.platform import Platform
from activesynth.errors import ConfigurationError, ConflictError, InputError
from activesynth.operations.fsck import fsck
from activesynth.operations.ingest import ingest
from activesynth.operations.train_generator import train_generator
from activesynth.steps.generators import CorpusGenerator
from activesynth.steps.loop import run
from activesynth.steps.turn import open_turn
from toy_plane import PlaneGenerator, plane_config, plane_platform

NAMED = {"generator": {"name": "plane", "artifact": "clouds"}}


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def corpus(seed: int = 9, **changes: Any) -> CorpusConfig:
    """Return a corpus of points; seed 5 draws those of the campaign itself."""
    document = {
        "name": "clouds",
        "licence": "CC0-1.0",
        "modality": "plane",
        "source": {"name": "plane", "parameters": {"seed": seed, "rows": 300}},
        "generator": {"name": "plane"},
        "near_duplicate": 0.0,
    }
    return parse_corpus(document | changes, "test")


def test_training_twice_gives_one_generator_with_its_provenance(platform: Platform) -> None:
    first = train_generator(corpus(), platform)
    again = train_generator(corpus(description="Told better."), platform)

    card = ModelCard.decode(platform.objects.get(first.card))
    assert again == first
    assert platform.lineage.generators() == [first]
    assert card.facts["corpus"] == {
        "name": "clouds",
        "licence": "CC0-1.0",
        "manifest": first.corpus,
        "rows": 300,
        "classes": ["left", "middle", "far"],
        "near_duplicate": 0.0,
    }


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        (corpus(seed=10), "the corpus's rows"),
        (corpus(licence="MIT", near_duplicate=0.1), "licence, near_duplicate"),
    ],
)
def test_another_corpus_needs_another_name_and_is_not_trained(
    platform: Platform, changed: CorpusConfig, differs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_generator(corpus(), platform)
    monkeypatch.delattr(PlaneGenerator, "fit")

    with pytest.raises(ConflictError, match=f"{differs}. Give the changed corpus file another"):
        train_generator(changed, platform)


def test_an_iteration_makes_its_candidates_with_the_artifact(platform: Platform) -> None:
    record = train_generator(corpus(), platform)
    ingest(plane_config(**NAMED), platform)

    (iteration,) = run(platform, conf={"campaign": "plane", "iterations": 1})

    step = open_turn(iteration, platform).step("fit_generator")
    assert step.artifacts["generator"] == record.card
    assert step.facts["overlap"] == dict.fromkeys(SPLITS, 0)
    assert step.facts["corpus"]["licence"] == "CC0-1.0"
    made = platform.reader.samples("plane")
    assert made
    assert {row["generator"] for row in made} == {record.card}
    report = fsck(platform, is_deep=True)
    assert (report.losses, report.broken, report.orphans) == ((), (), 0)


def test_rows_that_the_generator_has_learnt_from_are_in_no_split(platform: Platform) -> None:
    record = train_generator(corpus(seed=5), platform)

    found = ingest(plane_config(**NAMED), platform)

    manifest = DatasetManifest.decode(platform.objects.get(found.version))
    learnt = DatasetManifest.decode(platform.objects.get(record.corpus))
    known = load_split(platform.objects, learnt, "train").ids
    assert found.kept_out is not None
    assert found.kept_out["in_corpus"] >= 300  # groups go whole, and near points are one group
    assert set(known.tolist()) <= load_quarantine(platform.objects, manifest)
    for split in SPLITS:
        rows = load_split(platform.objects, manifest, split)
        assert not np.isin(rows.ids, known).any()


def test_a_generator_that_knows_guarded_rows_is_refused(platform: Platform) -> None:
    ingest(plane_config(), platform)
    train_generator(corpus(seed=5), platform)
    ingest(plane_config(**NAMED), platform)  # the splits are drawn, and the file is edited

    with pytest.raises(InputError, match=r"holds rows of this campaign.*of guide.*of test"):
        run(platform, conf={"campaign": "plane", "iterations": 1})


@pytest.mark.parametrize(
    ("generator", "words"),
    [
        ({"name": "plane", "artifact": "rain"}, "no generator 'rain' on record; there are: clouds"),
        ({"name": "diffusion", "artifact": "clouds"}, "'clouds' is a 'plane'; write that name"),
    ],
)
def test_an_artifact_that_does_not_fit_is_refused(
    platform: Platform, generator: dict[str, Any], words: str
) -> None:
    train_generator(corpus(), platform)

    def start() -> None:
        ingest(plane_config(generator=generator), platform)
        run(platform, conf={"campaign": "plane", "iterations": 1})

    with pytest.raises(ConfigurationError, match=words):
        start()
    assert platform.reader.step_costs("plane") == []  # not even `begin` was done


def test_labels_are_translated_by_the_names_of_the_classes() -> None:
    inner = PlaneGenerator()
    points = np.array([[0, 0], [10, 0], [20, 0]], np.float32)
    state = State({"means": points})
    generator = CorpusGenerator(inner, np.array([2, 0]))
    nobody = np.full(2, -1)
    request = GenerationRequest(np.array([0, 1]), nobody, nobody, np.array([1, 2], np.uint64))

    batch = generator.generate(state, request)

    assert batch.y.tolist() == [0, 1]
    assert np.abs(batch.x[:, 0] - [20, 0]).max() < 5


def test_a_free_label_is_one_of_the_campaigns_classes() -> None:
    generator = CorpusGenerator(PlaneGenerator(), np.array([2, 0]))
    free = np.full(40, -1)
    request = GenerationRequest(free, free, free, np.arange(40, dtype=np.uint64))

    batch = generator.generate(State({"means": np.zeros((3, 2), np.float32)}), request)

    assert set(batch.y.tolist()) == {0, 1}
