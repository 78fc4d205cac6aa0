"""Experiments: registered, run cell by cell on a real database, and judged as written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from activesynth.config.experiment import (
    Claim,
    Contender,
    ExperimentConfig,
    LabelSaving,
    parse_experiment,
)
from activesynth.domain.canonical import Array, decode_arrays
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest
from activesynth.domain.experiments import ScoreRow
from activesynth.domain.platform import Platform
from activesynth.errors import ConfigurationError, ConflictError
from activesynth.experiments.analysis import Analysis, Measure, analyse, judge, label_saving
from activesynth.experiments.cells import (
    Registered,
    check_experiment,
    missing_cells,
    register,
    run_cell,
)
from activesynth.experiments.experiment_page import (
    as_csv,
    claims_figure,
    frontier,
    sentences,
    write_experiment,
)
from activesynth.operations.ingest import ingest
from toy_plane import plane_config, plane_platform

FILE: dict[str, Any] = {
    "name": "growth",
    "campaign": "plane",
    "iterations": 2,
    "changes": {"evaluation": {"resamples": 100}},
    "variants": {"few": {"plan": {"growth": 0.2}}, "many": {"plan": {"growth": 0.6}}},
    "contenders": {
        "few": {"variant": "few", "arm": "targeted"},
        "many": {"variant": "many", "arm": "targeted"},
        "many, real": {"variant": "many", "arm": "real"},
    },
    "metrics": ["balanced_accuracy", "few3", "tail3"],
    "corruptions": ["jitter"],
    "primary": {"better": "many", "than": "few", "metric": "balanced_accuracy"},
    "secondary": [
        {"better": "many", "than": "many, real", "metric": "tail3"},
        {"better": "many", "than": "many, real", "metric": "worst_shifted_accuracy"},
    ],
    "savings": [{"of": "many", "than": "few", "metric": "balanced_accuracy"}],
    "seeds": {"tuning": [1], "confirmation": [11, 12]},
}

ONE_SEED = {"tuning": [1], "confirmation": [11]}


@pytest.fixture
def platform(database_url: str, tmp_path: Path) -> Iterator[Platform]:
    """Open the toy platform."""
    with plane_platform(database_url, tmp_path) as opened:
        yield opened


def make(**changes: Any) -> ExperimentConfig:
    return parse_experiment(FILE | changes, "test")


def run_all(registered: Registered, phase: Any, platform: Platform) -> int:
    cells = missing_cells(registered, phase, platform)
    for cell in cells:
        run_cell(registered, cell, platform, ingest=ingest)
    return len(cells)


def drawn(registered: Registered, analysis: Analysis) -> list[str]:
    figures = frontier(registered, analysis, "balanced_accuracy")
    return [figure["layout"]["xaxis"]["title"]["text"] for figure in figures]


def test_an_experiment_runs_is_judged_and_reported(platform: Platform, tmp_path: Path) -> None:
    registered = register(make(), plane_config(), platform)
    assert run_all(registered, "confirmation", platform) == 4

    analysis = analyse(registered, "confirmation", platform)
    page, table = write_experiment(registered, analysis, tmp_path / "reports")

    assert missing_cells(registered, "confirmation", platform) == []
    assert analysis.seeds == (11, 12)
    assert len(analysis.outcomes) == 3
    assert analysis.missing == ()
    assert all(found.verdict in ("holds", "not shown", "refuted") for found in analysis.outcomes)
    assert sentences(analysis)[0][1].startswith("Primary: many against few in balanced accuracy: ")
    assert all(line in page.read_text() for line in ("What holds, and what does not", "frontier"))
    assert table.read_text() == as_csv(analysis)
    alike = [replace(r, value=5.0) if r.metric == "labels" else r for r in analysis.scores]
    same = replace(analysis, scores=tuple(alike))
    assert drawn(registered, analysis) == ["labels", "seconds"]
    assert drawn(registered, same) == ["seconds"]
    name = registered.campaign("few", 11).name
    reads = {read.split for read in platform.lineage.split_reads(name)}
    assert "test" in reads


def test_what_was_scored_is_what_the_models_say(platform: Platform) -> None:
    registered = register(
        make(seeds={"tuning": [1], "confirmation": [11]}), plane_config(), platform
    )
    run_all(registered, "confirmation", platform)
    (record,) = (
        found
        for found in platform.lineage.cells("growth", registered.digest, "confirmation")
        if found.cell.variant == "many"
    )

    arrays = decode_arrays(platform.objects.get(record.predictions))

    head = platform.lineage.campaign(record.campaign).head
    manifest = DatasetManifest.decode(platform.objects.get(str(head)))
    rows = load_split(platform.objects, manifest, "test")
    assert arrays["y"].tolist() == rows.y.tolist()
    scores = platform.lineage.scores("growth", registered.digest, "confirmation")
    (value,) = (
        row.value
        for row in scores
        if (row.variant, row.arm, row.iteration, row.metric)
        == ("many", "real", 1, "clean_accuracy")
    )
    assert value == pytest.approx((arrays["1.real.predicted"] == rows.y).mean())
    shifted = {row.arm for row in scores if row.metric == "shifted_accuracy"}
    assert shifted == {"real", "targeted"}  # the arms that somebody is compared with


def test_seeds_share_the_test_rows_and_none_trains_on_them(platform: Platform) -> None:
    config = make()
    base = plane_config().model_dump(mode="json")
    splits = []
    for seed in (1, 11, 12):
        found = ingest(config.cell_campaign(base, "few", seed), platform)
        manifest = DatasetManifest.decode(platform.objects.get(found.version))
        splits.append(
            {
                s: set(load_split(platform.objects, manifest, s).ids.tolist())
                for s in ("train", "test")
            }
        )

    assert splits[0]["test"] == splits[1]["test"] == splits[2]["test"]
    assert splits[1]["train"] != splits[2]["train"]
    assert not any(one["train"] & other["test"] for one in splits for other in splits)


def test_an_interrupted_experiment_goes_on_where_it_was(platform: Platform) -> None:
    registered = register(make(), plane_config(), platform)
    first, *others = missing_cells(registered, "tuning", platform)
    done = run_cell(registered, first, platform, ingest=ingest)

    assert missing_cells(registered, "tuning", platform) == others
    assert run_cell(registered, first, platform, ingest=ingest) == done


def test_a_plan_cannot_change_after_it_was_confirmed(platform: Platform) -> None:
    registered = register(
        make(seeds={"tuning": [1], "confirmation": [11]}), plane_config(), platform
    )
    run_cell(
        registered, missing_cells(registered, "confirmation", platform)[0], platform, ingest=ingest
    )

    with pytest.raises(ConflictError, match="experiment 'growth' was confirmed"):
        register(make(iterations=1), plane_config(), platform)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"contenders": {**FILE["contenders"], "few": {"variant": "few", "arm": "smotee"}}},
            r"'few' names the arm 'smotee'.*has real, rewei",
        ),
        ({"metrics": [*FILE["metrics"], "acuracy"]}, "unknown metric 'acuracy'"),
        ({"corruptions": ["jiter"]}, "unknown corruption 'jiter'"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_runs(
    platform: Platform, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        check_experiment(platform.parts, make(**changes), plane_config())


def test_a_changed_plan_is_scored_by_models_of_its_own(platform: Platform) -> None:
    labels = {}
    for budget in (60, 90):
        changes = {"sampling": {"label_budget": budget}}
        config = make(seeds=ONE_SEED, iterations=1, savings=[], changes=changes)
        registered = register(config, plane_config(), platform)
        run_all(registered, "tuning", platform)
        scores = platform.lineage.scores("growth", registered.digest, "tuning")
        labels[budget] = {row.value for row in scores if row.metric == "labels"}

    assert labels == {60: {70.0}, 90: {80.0}}  # the long tail leaves 70 rows, and 10 are bought


def test_while_seeds_are_missing_nothing_is_decided(platform: Platform) -> None:
    registered = register(make(iterations=1, savings=[]), plane_config(), platform)
    for cell in missing_cells(registered, "confirmation", platform)[:2]:
        run_cell(registered, cell, platform, ingest=ingest)

    analysis = analyse(registered, "confirmation", platform)

    assert (analysis.seeds, analysis.missing) == ((11,), (12,))
    assert {found.verdict for found in analysis.outcomes} == {"undecided"}
    assert sentences(analysis)[0][1].startswith("Incomplete: seeds 12 are missing")


def test_variants_that_were_scored_on_other_rows_are_not_compared() -> None:
    cells = {
        (variant, 1): {"ids": np.array(ids), "groups": np.array(ids), "y": np.zeros(2, int)}
        for variant, ids in (("plain", ["a", "b"]), ("other", ["a", "c"]))
    }
    cells["plain", 1]["guide_recalls"] = np.ones(1)

    with pytest.raises(ConfigurationError, match="variant 'other', seed 1, was scored on other"):
        Measure(CONTENDERS, cells, [1], np.zeros(1, int), 0)


def test_nothing_finished_is_nothing_to_report(platform: Platform) -> None:
    registered = register(make(), plane_config(), platform)

    with pytest.raises(ConfigurationError, match="has no finished confirmation seed yet"):
        analyse(registered, "confirmation", platform)


CONTENDERS = {
    "one": Contender(variant="plain", arm="one"),
    "other": Contender(variant="plain", arm="other"),
}
CLAIM = Claim(better="one", than="other", metric="balanced_accuracy")


def simulated(
    seed: int, gain: float, *, seeds: int = 6, rows: int = 240, is_shared: bool = True
) -> Measure:
    """Return two arms whose accuracy differs by ``gain``, with good and bad seeds and rows."""
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % 3
    hardness = rng.uniform(0.4, 1.0, rows)  # of a row, for both arms and all seeds
    cells: dict[tuple[str, int], Mapping[str, Array]] = {}
    for number in range(seeds):
        shift = rng.normal(scale=0.03, size=2)
        chances = [hardness - 0.15 + shift[0] + gain, hardness - 0.15 + shift[1]]
        right = [rng.random(rows) < chance for chance in chances]
        cells["plain", number] = {
            "ids": (np.arange(rows) + (0 if is_shared else number)).astype(str),
            "groups": np.arange(rows).astype(str),
            "y": y,
            "guide_recalls": np.ones(3),
            "0.one.predicted": np.where(right[0], y, (y + 1) % 3)[None],
            "0.other.predicted": np.where(right[1], y, (y + 1) % 3)[None],
        }
    return Measure(CONTENDERS, cells, range(seeds), np.arange(3), 0)


@pytest.mark.parametrize("seeds", [2, 6])
def test_intervals_cover_no_difference_about_as_often_as_they_say(seeds: int) -> None:
    outcomes = [judge([CLAIM], simulated(seed, 0.0, seeds=seeds))[0] for seed in range(100)]

    missed = sum(not found.low <= 0.0 <= found.high for found in outcomes)
    # 5 of 100 are expected, and more than 12 in one of 700 tries.
    assert missed <= 12


def test_where_every_seed_has_rows_of_its_own_the_interval_is_students() -> None:
    (found,) = judge([CLAIM], simulated(5, 0.05, is_shared=False))

    expected = ttest_1samp(found.by_seed, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=0.1)


def test_a_planted_difference_is_found_and_its_size_told() -> None:
    outcomes = [judge([CLAIM], simulated(seed, 0.15))[0] for seed in range(10)]

    assert sum(found.verdict == "holds" for found in outcomes) >= 9
    assert np.mean([found.value for found in outcomes]) == pytest.approx(0.15, abs=0.02)


def test_more_secondary_claims_make_wider_intervals_and_leave_the_primary_alone() -> None:
    def claims(count: int) -> list[Claim]:
        metrics = ["few3", "worst_recall", "accuracy", "tail3"]
        return [CLAIM, *(Claim(better="one", than="other", metric=m) for m in metrics[:count])]

    few, many = (judge(claims(count), simulated(3, 0.02)) for count in (1, 4))

    assert many[1].high - many[1].low > few[1].high - few[1].low
    assert (many[0].low, many[0].high) == (few[0].low, few[0].high)


def test_a_claim_of_parity_holds_where_little_is_lost_and_is_not_called_better() -> None:
    parity = Claim(better="one", than="other", metric="balanced_accuracy", above=-0.15)

    outcomes = [judge([parity], simulated(seed, -0.02))[0] for seed in range(10)]

    assert sum(found.verdict == "holds" for found in outcomes) >= 8
    assert not any(found.verdict == "refuted" for found in outcomes)
    assert judge([parity], simulated(1, -0.4))[0].verdict == "refuted"


def curves(seed: int, lead: float, *, seeds: int = 10, noise: float = 0.02) -> list[ScoreRow]:
    """Return two noisy learning curves, of which one needs ``lead`` of the labels less."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(seeds):
        for variant, faster in (("one", 1.0 / (1.0 - lead)), ("other", 1.0)):
            for iteration in range(5):
                labels = 60.0 * (iteration + 1)
                value = 0.3 + 0.1 * np.log(labels * faster) + noise * rng.normal()
                facts = (variant, number, iteration)
                rows.append(ScoreRow(*facts, "real", "balanced_accuracy", float(value), 100))
                rows.append(ScoreRow(*facts, "", "bought", labels, 0))
    return rows


BOTH = {name: Contender(variant=name, arm="real") for name in ("one", "other")}
SAVING = LabelSaving(of="one", than="other", metric="balanced_accuracy")


def test_equal_strategies_save_no_labels_however_noisy_their_curves() -> None:
    found = [label_saving(SAVING, BOTH, curves(seed, 0.0), range(10)) for seed in range(100)]

    # At most 2.5 % of the intervals should lie above 0; 8 of 100 come in one of 400 tries.
    assert sum(saving.verdict == "holds" for saving in found) <= 8
    assert np.mean([saving.value for saving in found]) < 0.02


def test_labels_that_are_saved_are_found_about_as_many_as_they_are() -> None:
    found = [label_saving(SAVING, BOTH, curves(s, 0.4, noise=0.003), range(10)) for s in range(10)]

    assert all(saving.verdict == "holds" for saving in found)
    assert np.mean([saving.value for saving in found]) == pytest.approx(0.4, abs=0.08)


def test_the_intervals_of_several_savings_hold_at_once() -> None:
    def saved(family: int) -> float:
        trials = [
            label_saving(SAVING, BOTH, curves(s, 0.4, noise=0.003), range(10), family=family)
            for s in range(3)
        ]
        return float(np.mean([found.high - found.low for found in trials]))

    one, five = saved(1), saved(5)

    # The quantiles of Student's t at 9 degrees of freedom: 2.262 at 2.5 %, 3.250 at 0.5 %.
    assert five / one == pytest.approx(3.250 / 2.262, rel=1e-3)


def test_one_seed_shows_nothing() -> None:
    (found,) = judge([CLAIM], simulated(1, 0.3, seeds=1))

    assert (found.verdict, found.low) == ("not shown", float("-inf"))
    assert claims_figure([found])["data"][0]["marker"]["symbol"] == ["circle-open"]
    assert claims_figure(judge([CLAIM], simulated(1, 0.3)))["data"][0]["marker"]["symbol"] == [
        "circle"
    ]


def test_a_claim_can_be_refuted() -> None:
    outcomes = [judge([CLAIM], simulated(seed, -0.15))[0].verdict for seed in range(5)]

    assert outcomes.count("refuted") >= 4
