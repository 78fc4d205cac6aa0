"""Experiment and corpus files: what they may say, and how they are refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from activesynth.config.corpus import parse_corpus, read_corpus
from activesynth.config.experiment import merged, parse_experiment, read_experiment
from activesynth.errors import ConfigurationError
from tiny_campaign import TINY

ROOT = Path(__file__).parents[2]
FILE: dict[str, Any] = {
    "name": "half",
    "campaign": "tiny",
    "variants": {"few": {"sampling": {"label_budget": 60}}, "all": {}},
    "contenders": {
        "few, targeted": {"variant": "few", "arm": "targeted"},
        "all, real": {"variant": "all", "arm": "real"},
    },
    "primary": {"better": "few, targeted", "than": "all, real", "metric": "balanced_accuracy"},
    "seeds": {"tuning": [1], "confirmation": [11, 12]},
}
BASE = {"name": "tiny", **TINY}


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).glob("*.yaml"))


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(FILE)
    *folders, last = path.split(".")
    place = document
    for name in folders:
        place = place[name]
    place[last] = value
    return document


def test_a_variant_is_the_campaign_with_its_changes_under_a_name_of_its_own() -> None:
    config = parse_experiment(changed("changes", {"clusters": {"count": 5}}), "test")

    campaign = config.cell_campaign(BASE, "few", 12)

    assert (campaign.name, campaign.seed) == ("half_few_12_unregd", 12)
    assert (campaign.sampling.label_budget, campaign.clusters.count) == (60, 5)
    assert campaign.sampling.long_tail == TINY["sampling"]["long_tail"]


def test_all_seeds_of_an_experiment_share_one_test_split_and_no_other_experiment_has_it() -> None:
    config = parse_experiment(FILE, "test")
    other = parse_experiment(FILE | {"name": "other"}, "test")

    seeds = {config.cell_campaign(BASE, "all", seed).splits.test_seed for seed in (11, 12)}

    assert len(seeds) == 1
    assert None not in seeds
    assert other.cell_campaign(BASE, "all", 11).splits.test_seed not in seeds


def test_the_plan_is_part_of_a_cells_name() -> None:
    config = parse_experiment(FILE, "test")

    names = {config.cell_campaign(BASE, "all", 11, plan).name for plan in ("a" * 64, "b" * 64)}

    assert names == {"half_all_11_aaaaaa", "half_all_11_bbbbbb"}


def test_changes_reach_into_mappings_and_replace_everything_else() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 1}

    assert merged(base, {"a": {"c": [3]}, "d": {"e": 2}}) == {
        "a": {"b": 1, "c": [3]},
        "d": {"e": 2},
    }
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 1}


def test_another_part_does_not_inherit_the_parameters_of_the_one_it_replaces() -> None:
    base = {"trainer": {"name": "vit", "parameters": {"patch": 4, "steps": 9}}}

    cnn = {"name": "cnn", "parameters": {"width": 8}}
    vit = {"name": "vit", "parameters": {"patch": 2}}
    assert merged(base, {"trainer": cnn}) == {"trainer": cnn}
    assert merged(base, {"trainer": {"name": "cnn"}}) == {"trainer": {"name": "cnn"}}
    assert merged(base, {"trainer": vit})["trainer"]["parameters"] == {"patch": 2, "steps": 9}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("seeds.tuning", [11], r"seeds \[11\] are in both lists"),
        ("seeds.confirmation", [1, 1], "1 is given more than once"),
        ("seeds.confirmation", [], "seeds.confirmation need one entry"),
        ("primary.better", "nobody", r"a claim names \['nobody'\]; the contenders are: few, tar"),
        ("primary.metric", "nll", "a claim is about 'nll'"),
        (
            "savings",
            [{"of": "all, real", "than": "all, real", "metric": "macro_f1"}],
            "a claim is about 'macro_f1'; `metrics` and `corruptions` give",
        ),
        ("metrics", ["macro_f1"], "a claim is about 'balanced_accuracy'"),
        ("contenders.few, targeted.variant", "none", "names the variant 'none'; there are: few"),
        ("iterations", 0, "iterations"),
        ("surprise", 1, "surprise"),
    ],
)
def test_what_cannot_be_compared_is_refused(path: str, value: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse_experiment(changed(path, value), "test")


def test_names_that_would_be_too_long_for_a_campaign_are_refused_before_anything_runs() -> None:
    document = changed("variants.a-name-of-20-letters", {}) | {"name": "another-name-of-20-l"}
    document["seeds"] = {"tuning": [1], "confirmation": [10]}

    with pytest.raises(ConfigurationError, match="'another-name-of-20-l_a-name-of-20-letters_10"):
        parse_experiment(document, "test")


def test_a_change_that_makes_no_campaign_is_told_with_its_variant() -> None:
    config = parse_experiment(changed("variants.few", {"training": {"replicates": 0}}), "test")

    with pytest.raises(ConfigurationError, match=r"variant 'few'.*training.replicates"):
        config.cell_campaign(BASE, "few", 11)


def test_a_missing_experiment_file_is_answered_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("name: other")

    with pytest.raises(ConfigurationError, match=r"no experiment file .*; there are: other"):
        read_experiment(tmp_path / "half.yaml")


def test_a_corpus_has_to_say_its_licence() -> None:
    with pytest.raises(ConfigurationError, match="`licence`: Field required"):
        parse_corpus({"name": "clothes", "source": {"name": "digits"}}, "test")


@pytest.mark.parametrize("file", files("experiments"), ids=lambda p: p.stem)
def test_every_experiment_file_of_the_project_is_valid(file: Path) -> None:
    from activesynth.bootstrap import catalog
    from activesynth.config.campaign import read_campaign
    from activesynth.steps.begin import check_parts

    config = read_experiment(file)
    base = read_campaign(ROOT / "campaigns" / f"{config.campaign}.yaml").model_dump(mode="json")

    for variant in config.variants:
        check_parts(catalog(), config.cell_campaign(base, variant, 0))


@pytest.mark.parametrize("file", files("corpora"), ids=lambda p: p.stem)
def test_every_corpus_file_of_the_project_is_valid(file: Path) -> None:
    from activesynth.bootstrap import catalog

    config = read_corpus(file)

    for kind, part in (("source", config.source), ("generator", config.generator)):
        catalog().check(kind, part.name, part.parameters)
