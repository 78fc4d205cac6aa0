"""One cell of an experiment: a campaign of one variant and one seed, run to its end and scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from activesynth.config.campaign import CampaignConfig, read_campaign
from activesynth.config.experiment import OWN_METRICS, ExperimentConfig, Phase, read_experiment
from activesynth.config.settings import Settings
from activesynth.diagnosis.attributes import PREFIX
from activesynth.domain.canonical import (
    Array,
    canonical_json,
    derive_seed,
    encode_arrays,
    sha256,
)
from activesynth.domain.dataset_access import load_split
from activesynth.domain.documents import DatasetManifest, ModelCard
from activesynth.domain.exchange import State
from activesynth.domain.experiments import CellRecord, CellRef, ScoreRow
from activesynth.domain.platform import Platform
from activesynth.domain.ports import Corruption, Metric, Predictor, Trainer
from activesynth.domain.registry import Catalog
from activesynth.domain.samples import SampleSet
from activesynth.errors import ConfigurationError
from activesynth.evaluation.recalls import RecallTerms, recall_scores
from activesynth.perturbations.suite import SEVERITIES
from activesynth.steps.artifacts import Artifacts
from activesynth.steps.begin import check_parts
from activesynth.steps.fairness import check_fairness
from activesynth.steps.loop import run

Ingest = Callable[[CampaignConfig, Platform], object]
SENSITIVE = "sensitive"
"""The array of a cell that tells to which group of people each row belongs."""
WITHOUT_SYNTHETIC = ("real", "reweighted")
SPLIT_OF: Mapping[str, str] = {"tuning": "gate", "confirmation": "test"}


@dataclass(frozen=True, slots=True)
class Registered:
    """An experiment as it was written down: its file, the campaign it varies, and their digest."""

    config: ExperimentConfig
    base: Mapping[str, Any]
    digest: str

    def campaign(self, variant: str, seed: int) -> CampaignConfig:
        """Return the campaign of one cell."""
        return self.config.cell_campaign(self.base, variant, seed, self.digest)


def open_experiment(name: str, platform: Platform) -> Registered:
    """Read an experiment's file and its campaign's, check every part, and register it.

    Raises:
        ConfigurationError: If a file is missing or wrong, naming what is.
        ConflictError: If the experiment was confirmed under another plan.
    """
    settings = Settings.read()
    config = read_experiment(settings.experiments / f"{name}.yaml")
    base = read_campaign(settings.campaigns / f"{config.campaign}.yaml")
    check_experiment(platform.parts, config, base)
    return register(config, base, platform)


def check_experiment(parts: Catalog, config: ExperimentConfig, base: CampaignConfig) -> None:
    """Check every campaign, part, metric, corruption and arm of an experiment.

    Raises:
        ConfigurationError: Naming what is wrong.
    """
    document = base.model_dump(mode="json", exclude_defaults=True)
    for variant in config.variants:
        check_parts(parts, config.cell_campaign(document, variant, 0))
    for name in config.metrics:
        if name not in OWN_METRICS:
            parts.check("metric", name, {})
    for name in config.corruptions:
        parts.check("corruption", name, {})
    for title, contender in config.contenders.items():
        arms = config.cell_campaign(document, contender.variant, 0).evaluation.arms
        if contender.arm not in arms:
            raise ConfigurationError(
                f"contender {title!r} names the arm {contender.arm!r}, and `evaluation.arms` of "
                f"variant {contender.variant!r} has {', '.join(arms)}; add it.",
                reason="unknown_arm",
                field="contenders",
            )


def find_cell(registered: Registered, phase: Phase, variant: str, seed: int) -> CellRef:
    """Name one cell of an experiment.

    Raises:
        ConfigurationError: If it has no such variant or seed.
    """
    config = registered.config
    seeds = getattr(config.seeds, phase)
    if variant not in config.variants or seed not in seeds:
        raise ConfigurationError(
            f"experiment {config.name!r} has no {phase} cell {variant!r}, seed {seed}; variants: "
            f"{', '.join(config.variants)}; seeds: {', '.join(map(str, seeds))}.",
            reason="no_cell",
            field="variant",
        )
    return CellRef(config.name, registered.digest, phase, variant, seed)


def register(config: ExperimentConfig, base: CampaignConfig, platform: Platform) -> Registered:
    """Record what will be compared, before anything runs.

    Raises:
        ConflictError: If the experiment was confirmed under another plan, or tuned on a seed that
            it is to be confirmed on.
    """
    # Without defaults: a later version that knows one more field still finds its registration.
    document = base.model_dump(mode="json", exclude_defaults=True)
    plan = config.model_dump(mode="json", exclude_defaults=True)
    whole = {"experiment": plan, "campaign": document}
    digest = sha256(canonical_json(whole))
    platform.lineage.register_experiment(
        config.name, digest, whole, confirmation=config.seeds.confirmation
    )
    return Registered(config, document, digest)


def missing_cells(registered: Registered, phase: Phase, platform: Platform) -> list[CellRef]:
    """Return the cells that are not scored yet, seed by seed."""
    config = registered.config
    done = {
        (found.cell.variant, found.cell.seed)
        for found in platform.lineage.cells(config.name, registered.digest, phase)
    }
    return [
        CellRef(config.name, registered.digest, phase, variant, seed)
        for seed in getattr(config.seeds, phase)
        for variant in config.variants
        if (variant, seed) not in done
    ]


def run_cell(
    registered: Registered, cell: CellRef, platform: Platform, *, ingest: Ingest
) -> CellRecord:
    """Run the cell's campaign, from where it stopped, and score its arms once.

    Args:
        registered: The experiment.
        cell: Which variant and seed.
        platform: The ports.
        ingest: Draws the campaign's splits, and does nothing where they are drawn.
    """
    config = registered.config
    campaign = registered.campaign(cell.variant, cell.seed)
    ingest(campaign, platform)
    done = platform.lineage.campaign(campaign.name).iterations
    if done < config.iterations:
        run(platform, conf={"campaign": campaign.name, "iterations": config.iterations - done})
    predictions, rows = _score(registered, cell, campaign, platform)
    record = CellRecord(cell, campaign.name, platform.objects.put(predictions))
    platform.lineage.record_cell(record, rows)
    return record


def _score(
    registered: Registered, cell: CellRef, campaign: CampaignConfig, platform: Platform
) -> tuple[bytes, list[ScoreRow]]:
    split = SPLIT_OF[cell.phase]
    manifest = manifest_of(campaign.name, platform)
    if cell.phase == "confirmation":
        purpose = f"experiment {registered.digest}"
        platform.lineage.count_split_read(campaign.name, split, purpose, None)
    rows = load_split(platform.objects, manifest, split)
    guide = load_split(platform.objects, manifest, "guide")
    labelled = _first_labels(manifest, platform)
    named = [name for name in registered.config.metrics if name not in OWN_METRICS]
    metrics: list[Metric] = [platform.parts.create("metric", name) for name in named]
    shifted = _shifted(registered.config, rows, platform)
    classes = len(manifest.classes)
    arrays: dict[str, Array] = {"ids": rows.ids, "groups": rows.groups, "y": rows.y}
    if campaign.evaluation.fairness.attribute is not None:
        check_fairness(campaign.evaluation.fairness, manifest.classes, rows)
        arrays[SENSITIVE] = rows.columns[f"{PREFIX}{campaign.evaluation.fairness.attribute}"]
    contenders = registered.config.contenders.values()
    compared = {one.arm for one in contenders if one.variant == cell.variant}
    scores: list[ScoreRow] = []
    trained = _trained(campaign.name, platform)
    synthetic = _synthetic_rows(trained, platform)
    for number, ((iteration, arm), digests) in enumerate(trained.items()):
        platform.report("score", number, len(trained))
        models = [_predictor(platform, digest) for digest in digests]
        if "guide_recalls" not in arrays:
            # Of the first arm scored, `real`: its worst classes are what `tail3` is about, and
            # they are chosen on rows that score nothing.
            arrays["guide_recalls"] = _recalls(models, guide, classes)
        probs = np.stack([model.predict_proba(rows.x) for model in models])
        predicted = probs.argmax(axis=2)
        values = {m.name: float(np.mean([m(rows.y, one) for one in probs])) for m in metrics}
        terms = RecallTerms.of(rows.y, predicted, classes)
        values |= recall_scores(terms)
        arrays[f"{iteration}.{arm}.predicted"] = predicted.astype(np.int32)
        wanted = registered.config.metrics
        # Kinds times severities as much work as all else: not for arms nobody is compared with.
        if shifted and arm in compared:
            wanted = registered.config.scored
            hits = _hits(models, shifted, rows.y)
            arrays[f"{iteration}.{arm}.hits"] = hits
            by_kind = hits.mean(axis=2, dtype=np.float64) / len(SEVERITIES)
            values["shifted_accuracy"] = float(by_kind.mean())
            values["worst_shifted_accuracy"] = float(by_kind.min(axis=1).mean())
            values["clean_accuracy"] = float((predicted == rows.y).mean())
        # `tail3` has no value of its own in a cell: its classes are those of all seeds together.
        scores += [
            ScoreRow(cell.variant, cell.seed, iteration, arm, name, values[name], len(rows))
            for name in wanted
            if name != "tail3"
        ]
        made = 0.0 if arm in WITHOUT_SYNTHETIC else float(synthetic[iteration])
        scores.append(ScoreRow(cell.variant, cell.seed, iteration, arm, "synthetic", made, 0))
    scores += _spent(cell, campaign.name, labelled, platform)
    platform.report("score", len(trained), len(trained))
    return encode_arrays(arrays), scores


def manifest_of(campaign: str, platform: Platform) -> DatasetManifest:
    """Return what a campaign's head version holds."""
    head = platform.lineage.campaign(campaign).head
    return DatasetManifest.decode(platform.objects.get(str(head)))


def _trained(campaign: str, platform: Platform) -> dict[tuple[int, str], tuple[str, ...]]:
    """Return the models of each iteration's arms, `real` first, replicates in order."""
    found: dict[tuple[int, str], tuple[str, ...]] = {}
    rows = [row for row in platform.reader.models(campaign) if row["role"] == "arm"]
    for row in sorted(rows, key=lambda row: (row["iteration"], row["arm"] != "real")):
        key = (int(row["iteration"]), str(row["arm"]))
        found[key] = (*found.get(key, ()), str(row["digest"]))
    return found


def _predictor(platform: Platform, digest: str) -> Predictor:
    artifacts = Artifacts(platform.objects)
    card = artifacts.document(digest, ModelCard)
    trainer: Trainer = platform.parts.create("trainer", card.part, card.parameters)
    return trainer.load(State(artifacts.tensors(card.tensors), card.facts))


def _recalls(models: list[Predictor], rows: SampleSet, classes: int) -> Array:
    predicted = np.stack([model.predict_proba(rows.x).argmax(axis=1) for model in models])
    return np.asarray(RecallTerms.of(rows.y, predicted, classes).recalls().mean(axis=0))


def _synthetic_rows(
    trained: Mapping[tuple[int, str], Sequence[str]], platform: Platform
) -> dict[int, int]:
    """Return the synthetic rows that arms had by each iteration: as many as `targeted`, or none."""
    artifacts, found = Artifacts(platform.objects), {}
    for (iteration, arm), digests in trained.items():
        if arm == "targeted":
            card = artifacts.document(digests[0], ModelCard)
            manifest = artifacts.document(str(card.facts["trained_on"]), DatasetManifest)
            found[iteration] = sum(ref.rows for ref in manifest.synthetic)
    return found


def _first_labels(manifest: DatasetManifest, platform: Platform) -> int:
    """Return how many labelled rows the campaign began with."""
    while manifest.parent is not None:
        manifest = DatasetManifest.decode(platform.objects.get(manifest.parent))
    return sum(ref.rows for ref in manifest.splits["train"])


def _shifted(config: ExperimentConfig, rows: SampleSet, platform: Platform) -> list[list[Array]]:
    """Return the rows under each corruption and severity; equal for all arms and seeds."""
    kinds: list[Corruption] = [platform.parts.create("corruption", n) for n in config.corruptions]
    return [
        [
            kind.apply(rows.x, severity=level, seed=derive_seed("shifted", kind.name, level))
            for level in SEVERITIES
        ]
        for kind in kinds
    ]


def _hits(models: list[Predictor], shifted: list[list[Array]], y: Array) -> Array:
    """Count the severities at which each row is right, ``(replicates, kinds, n)`` uint8."""
    return np.array(
        [
            [
                sum((model.predict_proba(x).argmax(axis=1) == y).astype(np.uint8) for x in levels)
                for levels in shifted
            ]
            for model in models
        ],
        np.uint8,
    )


def _spent(cell: CellRef, campaign: str, labelled: int, platform: Platform) -> list[ScoreRow]:
    """Return labels and the campaign's seconds that had been spent after each iteration.

    Steps that another campaign had done already cost nothing again.
    """
    bought: dict[int, float] = {}
    found: list[tuple[int, str, float]] = []
    for row in platform.reader.metrics(campaign):
        number, value = int(row["iteration"]), float(row["value"])
        if row["name"] == "labels_bought":
            bought[number] = value
    seconds: dict[int, float] = {}
    for row in platform.reader.step_costs(campaign):
        number = int(row["iteration"])
        seconds[number] = seconds.get(number, 0.0) + float(row["seconds"])
    asked, total = 0.0, 0.0
    for number in sorted(seconds):
        asked, total = asked + bought.get(number, 0.0), total + seconds[number]
        found += [
            (number, "labels", labelled + asked),
            (number, "bought", asked),
            (number, "seconds", total),
        ]
    return [
        ScoreRow(cell.variant, cell.seed, number, "", name, value, 0)
        for number, name, value in found
    ]
